"""The database's tokens: what each may still do, and whom it has enrolled.

Only the SHA-256 of a token's secret is stored. A token's id is the start of that hash. Blocking.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeAlias

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.store.rows import TokenRow, token_row

TOKEN_ID_BYTES = 6  # tells a million tokens apart
SPENT_TOKEN_KEPT_SECONDS = 30.0 * DAY_SECONDS  # for so long the answer to an old token is "expired", not "unknown" …
# … and a PC that it has enrolled is answered again, whose reply was lost or whom an operator had to allow first

TokenVerdict: TypeAlias = Literal["accepted", "again", "unknown", "used", "expired", "revoked"]
"""again: it has enrolled this endpoint before, and no use of it is spent."""

_ID = f"lower(hex(substr(secret_sha256, 1, {TOKEN_ID_BYTES})))"
_ALL = f"SELECT {_ID} AS token_id, * FROM tokens ORDER BY created_at DESC, token_id"  # noqa: S608 - our own names
_REVOKE = f"UPDATE tokens SET revoked_at = ? WHERE {_ID} = ? AND revoked_at IS NULL"  # noqa: S608 - as above


def token_id_of(secret: bytes) -> str:
    """Return the id of the token with ``secret``: it names the token and opens nothing."""
    return _hash_of(secret)[:TOKEN_ID_BYTES].hex()


class TokenTable(ABC):
    """The part of `Database` that is about tokens; raises as all of it."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Any]: ...

    @abstractmethod
    def _rows(self, query: str, arguments: Sequence[object] = ()) -> list[dict[str, Any]]: ...

    def add_token(
        self,
        secret: bytes,
        uses: int,
        expires_at: float,
        now: float,
        tags: Sequence[str] = (),
        *,
        made_by: str = "",
        approval: bool = False,
    ) -> None:
        """Accept ``secret`` for ``uses`` enrolments until ``expires_at``.

        The PCs that it enrols get ``tags``, as `wire.enrolment.Tags`; ``approval``: an operator has to allow each.
        """
        with self._transaction() as connection:
            connection.execute("DELETE FROM tokens WHERE expires_at < ?", (now - SPENT_TOKEN_KEPT_SECONDS,))
            connection.execute(
                "INSERT INTO tokens (secret_sha256, uses_left, expires_at, created_at, tags, made_by, approval) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (_hash_of(secret), uses, expires_at, now, " ".join(tags), made_by, int(approval)),
            )

    def spend_token(self, secret: bytes, now: float, endpoint_id: str = "") -> TokenVerdict:
        """Spend one use of a token, atomically; none for an endpoint that it has enrolled, even if it has expired.

        That ends, too: `SPENT_TOKEN_KEPT_SECONDS` after it has expired, the token enrols nobody any more.
        """
        key = (_hash_of(secret),)
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT uses_left, expires_at, revoked_at FROM tokens WHERE secret_sha256 = ?", key
            ).fetchone()
            if row is None:
                return "unknown"
            if row["revoked_at"] is not None:
                return "revoked"
            enrolled = self._has_enrolled(token_id_of(secret), endpoint_id)
            if enrolled and now < row["expires_at"] + SPENT_TOKEN_KEPT_SECONDS:
                return "again"
            if now >= row["expires_at"]:
                return "expired"
            if row["uses_left"] < 1:
                return "used"
            connection.execute("UPDATE tokens SET uses_left = uses_left - 1 WHERE secret_sha256 = ?", key)
            return "accepted"

    def token_tags(self, secret: bytes) -> tuple[str, ...]:
        """Return the tags of a token; of an unknown one, none."""
        rows = self._rows("SELECT tags FROM tokens WHERE secret_sha256 = ?", (_hash_of(secret),))
        return tuple(rows[0]["tags"].split()) if rows else ()

    def token_needs_approval(self, secret: bytes) -> bool:
        """Whether an operator has to allow each PC that a token enrols."""
        rows = self._rows("SELECT approval FROM tokens WHERE secret_sha256 = ?", (_hash_of(secret),))
        return any(row["approval"] for row in rows)

    def tokens(self) -> list[TokenRow]:
        """Return the tokens, the newest first; those that expired a month ago are gone."""
        enrolled: dict[str, list[str]] = {}
        for row in self._rows("SELECT endpoint_id, token_id FROM enrolments ORDER BY at, endpoint_id"):
            enrolled.setdefault(row["token_id"], []).append(row["endpoint_id"])
        return [token_row(row, enrolled.get(row["token_id"], ())) for row in self._rows(_ALL)]

    def tokens_of(self, endpoint_id: str) -> list[TokenRow]:
        """Return the tokens that an endpoint was enrolled with, the newest first."""
        return [token for token in self.tokens() if endpoint_id in token.enrolled]

    def add_enrolment(self, endpoint_id: str, token_id: str, now: float) -> None:
        """Record which token has enrolled an endpoint; an endpoint may have come with several."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO enrolments (endpoint_id, token_id, at) VALUES (?, ?, ?)",
                (endpoint_id, token_id, now),
            )

    def revoke_token(self, token_id: str, now: float) -> None:
        """Let a token enrol nobody any more; one that is revoked keeps the time of that."""
        with self._transaction() as connection:
            connection.execute(_REVOKE, (now, token_id))

    def _has_enrolled(self, token_id: str, endpoint_id: str) -> bool:
        query = "SELECT 1 FROM enrolments WHERE endpoint_id = ? AND token_id = ?"
        return bool(self._rows(query, (endpoint_id, token_id)))


def _hash_of(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()

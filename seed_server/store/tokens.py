"""The database's tokens: what each may still do, and whom it has enrolled.

Only the SHA-256 of a token's secret is stored. A token's id is the start of that hash. Blocking.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from sqlalchemy import func, select

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.store.engines import insert_into
from seed_server.store.rows import TokenRow
from seed_server.store.tables import ENDPOINTS, ENROLMENTS, TOKENS
from seed_server.store.token_names import hash_of_token, token_id_of
from seed_server.store.transactions import Transactions

SPENT_TOKEN_KEPT_SECONDS = 30.0 * DAY_SECONDS  # for so long the answer to an old token is "expired", not "unknown" …
# … and a PC that it has enrolled is answered again, whose reply was lost or whom an operator had to allow first

TokenVerdict: TypeAlias = Literal["accepted", "again", "unknown", "used", "expired", "revoked"]
"""again: it has enrolled this endpoint before, and no use of it is spent."""


class TokenTable(Transactions):
    """The part of `Database` that is about tokens; raises as all of it."""

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
        values = {
            "secret_sha256": hash_of_token(secret),
            "token_id": token_id_of(secret),
            "uses_left": uses,
            "expires_at": expires_at,
            "created_at": now,
            "tags": " ".join(tags),
            "made_by": made_by,
            "approval": approval,
        }
        with self._writing() as connection:
            connection.execute(TOKENS.delete().where(TOKENS.c.expires_at < now - SPENT_TOKEN_KEPT_SECONDS))
            connection.execute(TOKENS.insert(), values)

    def spend_token(self, secret: bytes, now: float, endpoint_id: str = "") -> TokenVerdict:
        """Spend one use of a token, atomically; none for an endpoint that it has enrolled, even if it has expired.

        That ends, too: `SPENT_TOKEN_KEPT_SECONDS` after it has expired, the token enrols nobody any more.
        """
        ours = TOKENS.c.secret_sha256 == hash_of_token(secret)
        with self._writing() as connection:
            query = select(TOKENS.c.uses_left, TOKENS.c.expires_at, TOKENS.c.revoked_at).where(ours)
            row = connection.execute(query).one_or_none()
            if row is None:
                return "unknown"
            if row.revoked_at is not None:
                return "revoked"
            enrolled = self._has_enrolled(token_id_of(secret), endpoint_id)
            if enrolled and now < row.expires_at + SPENT_TOKEN_KEPT_SECONDS:
                return "again"
            if now >= row.expires_at:
                return "expired"
            if row.uses_left < 1:
                return "used"
            connection.execute(TOKENS.update().where(ours).values(uses_left=TOKENS.c.uses_left - 1))
            return "accepted"

    def token_tags(self, secret: bytes) -> tuple[str, ...]:
        """Return the tags of a token; of an unknown one, none."""
        with self.reading() as connection:
            tags = connection.scalar(select(TOKENS.c.tags).where(TOKENS.c.secret_sha256 == hash_of_token(secret)))
        return tuple((tags or "").split())

    def token_needs_approval(self, secret: bytes) -> bool:
        """Whether an operator has to allow each PC that a token enrols."""
        with self.reading() as connection:
            query = select(TOKENS.c.approval).where(TOKENS.c.secret_sha256 == hash_of_token(secret))
            return bool(connection.scalar(query))

    def tokens(self) -> list[TokenRow]:
        """Return the tokens, the newest first; those that expired a month ago are gone."""
        enrolled: dict[str, list[str]] = {}
        query = select(ENROLMENTS.c.token_id, ENDPOINTS.c.endpoint_id).join_from(ENROLMENTS, ENDPOINTS)
        with self.reading() as connection:
            for token_id, endpoint_id in connection.execute(query.order_by(ENROLMENTS.c.at, ENDPOINTS.c.endpoint_id)):
                enrolled.setdefault(token_id, []).append(endpoint_id)
            rows = connection.execute(select(TOKENS).order_by(TOKENS.c.created_at.desc(), TOKENS.c.token_id)).all()
        return [
            TokenRow(
                token_id=row.token_id,
                made_at=row.created_at,
                made_by=row.made_by,
                uses_left=row.uses_left,
                expires_at=row.expires_at,
                tags=tuple(row.tags.split()),
                approval=row.approval,
                revoked_at=row.revoked_at,
                enrolled=tuple(enrolled.get(row.token_id, ())),
            )
            for row in rows
        ]

    def tokens_of(self, endpoint_id: str) -> list[TokenRow]:
        """Return the tokens that an endpoint was enrolled with, the newest first."""
        return [token for token in self.tokens() if endpoint_id in token.enrolled]

    def add_enrolment(self, endpoint_id: str, token_id: str, now: float) -> None:
        """Record which token has enrolled an endpoint; an endpoint may have come with several."""
        with self._writing() as connection:
            number = connection.scalar(select(ENDPOINTS.c.number).where(ENDPOINTS.c.endpoint_id == endpoint_id))
            if number is not None:
                insert = insert_into(connection, ENROLMENTS).values(endpoint=number, token_id=token_id, at=now)
                connection.execute(insert.on_conflict_do_nothing())

    def revoke_token(self, token_id: str, now: float) -> None:
        """Let a token enrol nobody any more; one that is revoked keeps the time of that."""
        ours = (TOKENS.c.token_id == token_id) & TOKENS.c.revoked_at.is_(None)
        with self._writing() as connection:
            connection.execute(TOKENS.update().where(ours).values(revoked_at=now))

    def revoke_all_tokens(self, now: float) -> int:
        """Let no token enrol anybody any more that still could; return how many those are."""
        still = TOKENS.c.revoked_at.is_(None) & (TOKENS.c.expires_at > now) & (TOKENS.c.uses_left > 0)
        with self._writing() as connection:
            count = connection.scalar(select(func.count()).select_from(TOKENS).where(still)) or 0
            # those too that are spent: they answer again the PCs that they have enrolled
            connection.execute(TOKENS.update().where(TOKENS.c.revoked_at.is_(None)).values(revoked_at=now))
        return count

    def _has_enrolled(self, token_id: str, endpoint_id: str) -> bool:
        query = select(ENROLMENTS.c.at).join_from(ENROLMENTS, ENDPOINTS)
        ours = (ENDPOINTS.c.endpoint_id == endpoint_id) & (ENROLMENTS.c.token_id == token_id)
        with self.reading() as connection:
            return connection.scalar(query.where(ours)) is not None

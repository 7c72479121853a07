"""Accounts, API tokens and attempts to log in, as the rest of the server knows them. Pure.

Times are seconds since 1970; 0: never.
"""

from typing import Literal, TypeAlias

from p2pdist.shared.wire.codec import Record

ApiTokenState: TypeAlias = Literal["open", "expired", "revoked"]


class PersonRow(Record, frozen=True):
    """An account."""

    name: str
    roles: tuple[str, ...]
    sites: tuple[str, ...]
    """Of their scope, as ``tags``; none of both: the whole fleet."""
    tags: tuple[str, ...]
    created_at: float
    created_by: str
    """`Actor.who`."""
    disabled: bool = False
    password: str = ""
    """As Argon2 writes it; empty: no password opens the account."""
    totp: bytes = b""
    """The sealed seed of the second factor; empty: there is none."""
    logged_in_at: float = 0.0
    subject: str = ""
    """Who they are to an identity provider, which says what they may: its issuer, a blank, its ``sub``. Empty: nobody
    there."""


class ApiTokenRow(Record, frozen=True):
    """An API token, without its secret."""

    token_id: str
    """The start of its secret's hash: it names the token and opens nothing."""
    owner: str
    """The account that it speaks for."""
    label: str
    permissions: tuple[str, ...]
    sites: tuple[str, ...]
    tags: tuple[str, ...]
    created_at: float
    made_by: str
    """`Actor.who`."""
    expires_at: float
    revoked_at: float | None = None
    used_at: float = 0.0

    def state(self, now: float) -> ApiTokenState:
        """Return whether it still speaks for its owner, and if not, why."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if now >= self.expires_at else "open"


class LoginRow(Record, frozen=True):
    """How attempts to log in as somebody went from one place."""

    source: str
    failures: int = 0
    """Since the last success."""
    failed_at: float = 0.0
    succeeded_at: float = 0.0

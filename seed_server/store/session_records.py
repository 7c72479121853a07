"""Sessions in a browser and people's keys, as the rest of the server knows them. Pure.

Times are seconds since 1970; 0: never.
"""

from typing import Literal, TypeAlias

from p2pdist.shared.wire.codec import Record

SessionProof: TypeAlias = Literal["password", "code", "second key", "passkey", "provider"]
"""How somebody has logged in: by a password alone, with a code of the app, with a key as the second factor, by a key
alone that has verified them, or at the identity provider."""


class WebSessionRow(Record, frozen=True):
    """A session, without the secret in its cookie."""

    session_id: str
    """The start of its secret's hash: it names the session and opens nothing."""
    person: str
    """The account."""
    created_at: float
    used_at: float
    """This exact: `session_rows.USE_NOTED_SECONDS`."""
    ends_at: float
    idle_seconds: float
    proof: SessionProof
    factor_at: float = 0.0
    """When a second factor was shown last."""
    address: str = ""
    """Where it began."""
    browser: str = ""
    """What the browser calls itself, in a word or two."""

    def is_open(self, now: float) -> bool:
        """Whether it still speaks for its account."""
        return now < self.ends_at and now - self.used_at < self.idle_seconds


class PasskeyRow(Record, frozen=True):
    """A key of somebody, by WebAuthn: its public half."""

    key_id: str
    """Names it in forms and records."""
    person: str
    name: str
    """What its owner calls it."""
    credential_id: bytes
    public_key: bytes
    """COSE."""
    sign_count: int
    """As the key has counted at its last use; 0: it does not count."""
    made_at: float
    used_at: float = 0.0

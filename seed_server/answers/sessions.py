"""What `people sessions` and `people keys` print with `--json`. Pure."""

from msgspec import Struct

from p2pdist.shared.json_units import UnixSeconds
from seed_server.store.session_records import PasskeyRow, WebSessionRow


class SessionDocument(Struct, frozen=True):
    """A session in a browser that is open."""

    id: str
    """What `people end-sessions` calls it; it opens nothing. Since 0.3."""
    person: str
    """The account that it speaks for. Since 0.3."""
    by: str
    """How they logged in: password, code, second key, passkey or provider. Since 0.3."""
    address: str
    """The address from which they logged in. Since 0.3."""
    browser: str
    """The browser, as it names itself. Since 0.3."""
    began_at: UnixSeconds
    """When it began. Since 0.3."""
    used_at: UnixSeconds
    """When it was last used, to a minute. Since 0.3."""
    factor_at: UnixSeconds | None
    """When a second factor was last shown in it; null: never. Since 0.3."""
    ends_at: UnixSeconds
    """When it ends at the latest. Since 0.3."""


class KeyDocument(Struct, frozen=True):
    """A key of somebody (WebAuthn)."""

    id: str
    """What names it here; it opens nothing. Since 0.3."""
    person: str
    """The account that it opens. Since 0.3."""
    name: str
    """What its owner calls it. Since 0.3."""
    made_at: UnixSeconds
    """When it was added. Since 0.3."""
    used_at: UnixSeconds | None
    """When it was last used; null: never. Since 0.3."""


class SessionsEndedDocument(Struct, frozen=True):
    """What was ended."""

    person: str
    """Whose sessions they were. Since 0.3."""
    ended: int
    """How many ended. Since 0.3."""


def session_document(session: WebSessionRow) -> SessionDocument:
    """Return a session for tools."""
    return SessionDocument(
        id=session.session_id,
        person=session.person,
        by=session.proof,
        address=session.address,
        browser=session.browser,
        began_at=session.created_at,
        used_at=session.used_at,
        factor_at=session.factor_at or None,
        ends_at=session.ends_at,
    )


def key_document(key: PasskeyRow) -> KeyDocument:
    """Return a key for tools."""
    return KeyDocument(key.key_id, key.person, key.name, key.made_at, key.used_at or None)

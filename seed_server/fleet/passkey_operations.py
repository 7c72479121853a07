"""What is done to people's keys: each adds, names and removes their own. Blocking."""

from typing import TYPE_CHECKING

import msgspec

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from seed_server.fleet.accounts import checked_account_name
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation as _operation
from seed_server.fleet.passkeys import creation_options, made_key
from seed_server.fleet.people_operations import known_person, require_own
from seed_server.fleet.roles import NO_PC
from seed_server.fleet.web_challenges import challenge_in, new_challenge, take
from seed_server.fleet.web_logins import KeyAsked, handle_of, relying_party
from seed_server.fleet.web_sessions import WebSession
from seed_server.store.people_rows import PersonRow
from seed_server.store.session_records import PasskeyRow
from seed_server.store.token_names import token_id_of

if TYPE_CHECKING:
    from seed_server.store.database import Database

MAX_PASSKEYS = 10  # of one account: a phone, a laptop, a key at the keyring and one in the safe
MAX_KEY_NAME_CHARS = 60

log = lazy_log()


def ask_for_new_key(context: Context, session: WebSession) -> KeyAsked:
    """Return what a browser is asked for to make a key. Raises `UserError`: REFUSED, NOT_SET_UP, STORAGE, BUSY."""
    name = session.person.name
    challenge, sealed = new_challenge(context, "add key", session.row.session_id, name)
    known = [one.credential_id for one in read_passkeys(context, name)]
    party = relying_party(context)
    return KeyAsked(creation_options(party, name, handle_of(context, name), challenge.octets, known), sealed, name)


def read_passkeys(context: Context, name: str) -> list[PasskeyRow]:
    """Return the keys of an account, the oldest first. Raises `UserError`: BAD_INPUT, NOT_SET_UP, STORAGE, BUSY."""
    with context.database() as database:
        return database.passkeys(known_person(database, name).name)


@_operation("look", reach=NO_PC)
def add_passkey(context: Context, actor: Actor, label: str, sealed: str, answer: str) -> PasskeyRow:
    """Let a key that was just made be a second factor of the actor's own account, and open it alone where it verifies.

    ``sealed`` is of `ask_for_new_key`, in the actor's session. Writes the database. Raises `UserError`: BAD_INPUT,
    REFUSED, NOT_SET_UP, STORAGE, BUSY.
    """
    require_own(actor, context, actor.name)
    if not actor.by_account or not actor.session_id:
        raise UserError("A key is added in a browser, on the page of one's own account.", FaultKind.REFUSED)
    checked = _checked_label(label)
    challenge = challenge_in(context, "add key", actor.session_id, sealed)
    made, now = made_key(relying_party(context), answer, challenge.octets), context.clock.now()
    key = PasskeyRow(
        token_id_of(made.credential_id), actor.name, checked, made.credential_id, made.public_key, made.sign_count, now
    )
    deed = Deed("add key", actor.name, after=key, details={"key": key.key_id, "name": checked})
    with context.audited(actor, deed) as database, database.people_change():
        _known_here(database, actor.name)
        take(context, database, challenge)
        if len(database.passkeys(actor.name)) >= MAX_PASSKEYS:
            raise UserError(f"There are {MAX_PASSKEYS} keys already. Remove one first.", FaultKind.REFUSED)
        if not database.add_passkey(key):
            raise UserError("This key is somebody's already. Take another one.", FaultKind.REFUSED)
        database.note_second_factor(actor.session_id, now)  # it was shown just now
        database.end_web_sessions(actor.name, but=actor.session_id)
    log.info("key added", person=actor.name, key=key.key_id)
    return key


@_operation("look", reach=NO_PC)
def rename_passkey(context: Context, actor: Actor, key_id: str, label: str) -> PasskeyRow:
    """Call one of the actor's own keys by another name. Writes and raises as `add_passkey`."""
    require_own(actor, context, actor.name)
    checked = _checked_label(label)
    deed = Deed("rename key", actor.name, details={"key": key_id[:40], "name": checked})
    with context.audited(actor, deed) as database, database.people_change():
        deed.before = before = _known_key(database, actor.name, key_id)
        database.rename_passkey(before.key_id, checked)
        deed.after = after = msgspec.structs.replace(before, name=checked)
    return after


@_operation("look", reach=NO_PC)
def remove_passkey(context: Context, actor: Actor, name: str, key_id: str) -> PasskeyRow:
    """Let a key open nothing any more: one's own, or with the right to manage people. The account's sessions end.

    Writes and raises as `add_passkey`.
    """
    require_own(actor, context, name)
    deed = Deed("remove key", checked_account_name(name), details={"key": key_id[:40]})
    with context.audited(actor, deed) as database, database.people_change():
        deed.before = before = _known_key(database, known_person(database, name).name, key_id)
        database.remove_passkey(before.key_id)
        database.end_web_sessions(before.person, but=actor.session_id)
    log.info("key removed", person=before.person, key=before.key_id)
    return before


def _known_here(database: "Database", name: str) -> PersonRow:
    person = known_person(database, name)
    if person.subject:
        raise UserError(
            f"{name} comes by the identity provider, which asks for the second factor: add the key there.",
            FaultKind.REFUSED,
        )
    return person


def _known_key(database: "Database", person: str, key_id: str) -> PasskeyRow:
    for key in database.passkeys(person):
        if key.key_id == key_id:
            return key
    raise UserError(f"{person} has no key {key_id[:40]!r}.", FaultKind.BAD_INPUT)


def _checked_label(label: str) -> str:
    checked = label.strip()
    if not 1 <= len(checked) <= MAX_KEY_NAME_CHARS or not checked.isprintable():
        raise UserError(
            f"Name the key, in 1 to {MAX_KEY_NAME_CHARS} characters: such as 'blue key' or 'phone'.",
            FaultKind.BAD_INPUT,
        )
    return checked

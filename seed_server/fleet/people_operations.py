"""What is done to accounts and API tokens. Blocking.

Nobody gives what they have not, and nobody changes an account that may more than they: else the right to manage people
would be every right. An administrator for the whole fleet is always left.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from seed_server.fleet.accounts import (
    checked_account_name,
    person_rights,
    roles_in,
)
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation as _operation
from seed_server.fleet.operation import require as _require
from seed_server.fleet.passwords import check_new_password, hash_password
from seed_server.fleet.people_checks import check_scope, checked_roles, checked_sites, checked_tags
from seed_server.fleet.roles import (
    NO_PC,
    PERMISSIONS,
    WHOLE_FLEET,
    Rights,
)
from seed_server.fleet.second_factor import matching_step, seal
from seed_server.store.people_rows import PersonRow

if TYPE_CHECKING:
    from seed_server.store.database import Database

MAX_PEOPLE = 1_000

log = lazy_log()


# --- accounts ----------------------------------------------------------------------------


@_operation("people")
def add_person(
    context: Context,
    actor: Actor,
    name: str,
    *,
    roles: Iterable[str],
    sites: Iterable[str] = (),
    tags: Iterable[str] = (),
    password: str | None = None,
) -> PersonRow:
    """Make an account; without a ``password``, API tokens alone open it.

    Writes the database. Raises `UserError`: BAD_INPUT, REFUSED for
    more than the actor has, NOT_SET_UP, STORAGE, BUSY.
    """
    checked = checked_account_name(name)
    person = PersonRow(
        name=checked,
        roles=checked_roles(roles),
        sites=checked_sites(sites),
        tags=checked_tags(tags),
        created_at=context.clock.now(),
        created_by=actor.who,
        password=_kept(password, checked),
    )
    check_scope(person.roles, limited=person_rights(person).scope.limited)
    _require_over(actor, person)
    with context.audited(actor, Deed("add account", checked, after=person)) as database, database.people_change():
        if len(database.people()) >= MAX_PEOPLE:
            raise UserError(f"There are {MAX_PEOPLE} accounts already. Remove one first.", FaultKind.REFUSED)
        if not database.add_person(person):
            raise UserError(f"There is an account {checked} already.", FaultKind.BAD_INPUT)
    log.info("account made", person=checked, roles=person.roles, sites=person.sites, tags=person.tags)
    return person


@_operation("people")
def set_roles(context: Context, actor: Actor, name: str, roles: Iterable[str]) -> PersonRow:
    """Give an account these roles in place of those before. Writes and raises as `add_person`."""
    return _change(context, actor, name, "set roles", roles=checked_roles(roles))


@_operation("people")
def set_scope(context: Context, actor: Actor, name: str, *, sites: Iterable[str], tags: Iterable[str]) -> PersonRow:
    """Limit an account to PCs at ``sites`` or with ``tags``; without both, not at all.

    Writes and raises as `add_person`.
    """
    return _change(context, actor, name, "set scope", sites=checked_sites(sites), tags=checked_tags(tags))


@_operation("people")
def set_account(
    context: Context,
    actor: Actor,
    name: str,
    *,
    roles: Iterable[str],
    sites: Iterable[str],
    tags: Iterable[str],
    disabled: bool,
) -> PersonRow:
    """Change all that an account may, at once: there is no moment with its new roles and its old limit.

    Writes and raises as `add_person`.
    """
    changes = {"roles": checked_roles(roles), "sites": checked_sites(sites), "tags": checked_tags(tags)}
    return _change(context, actor, name, "set account", **changes, disabled=disabled)


@_operation("people")
def set_disabled(context: Context, actor: Actor, name: str, *, disabled: bool) -> PersonRow:
    """Let an account, and its API tokens, do nothing any more, or again. Writes and raises as `add_person`."""
    return _change(context, actor, name, "disable account" if disabled else "enable account", disabled=disabled)


@_operation("people")
def remove_person(context: Context, actor: Actor, name: str) -> PersonRow:
    """Remove an account and its API tokens; what it did stays in the records. Writes and raises as `add_person`."""
    deed = Deed("remove account", checked_account_name(name))
    with context.audited(actor, deed) as database, database.people_change():
        deed.before = person = known_person(database, name)
        _require_over(actor, person)
        _check_administrator_left(database, person, None)
        database.remove_person(person.name)
    log.info("account removed", person=person.name)
    return person


@_operation("look", reach=NO_PC)
def set_password(context: Context, actor: Actor, name: str, password: str) -> PersonRow:
    """Give an account a password: one's own, or with the right to manage people. Writes and raises as `add_person`."""
    require_own(actor, context, name)
    kept = _kept(password, checked_account_name(name))
    return _change(context, actor, name, "set password", password=kept)


@_operation("look", reach=NO_PC)
def set_second_factor(context: Context, actor: Actor, name: str, seed: str, code: str) -> PersonRow:
    """Ask an account for codes from now on: one's own, or with the right to manage people.

    ``seed`` is of `people_queries.new_seed`; a ``code`` proves that the app has it. Writes and raises as `add_person`.
    """
    require_own(actor, context, name)
    step = matching_step(seed, code, context.clock.now())
    if step is None:
        raise UserError(
            "That is not the code of now, so nothing was changed. Check the clocks of this machine and of the phone, "
            "and begin again.",
            FaultKind.BAD_INPUT,
        )
    deed = Deed("set second factor", checked_account_name(name))
    with context.audited(actor, deed) as database, database.people_change():
        sealed = seal(context.home.people_key, checked_account_name(name), seed)
        person = _changed(database, actor, name, deed, totp=sealed)
        if actor.session_id:
            database.note_second_factor(actor.session_id, context.clock.now())  # it was shown just now
        database.begin_totp(person.name, step)  # a clock that was ahead has left a step that is still to come
    log.info("second factor set", person=person.name)
    return person


@_operation("people")
def remove_second_factor(context: Context, actor: Actor, name: str) -> PersonRow:
    """Ask an account for no codes and keys any more: the phone is lost, or the key. Writes and raises as `add_person`.

    Its keys open nothing from then on, and its sessions end.
    """
    deed = Deed("remove second factor", checked_account_name(name))
    with context.audited(actor, deed) as database, database.people_change():
        person = _changed(database, actor, name, deed, totp=b"")
        deed.details["keys"] = str(database.remove_passkeys(person.name))
        database.end_web_sessions(person.name, but=actor.session_id)
    log.info("second factor removed", person=person.name)
    return person


# --- checks ------------------------------------------------------------------------------


def known_person(database: "Database", name: str) -> PersonRow:
    """Return an account. Raises `UserError` (BAD_INPUT) for none."""
    person = database.person(checked_account_name(name))
    if person is None:
        raise UserError(
            f"There is no account {checked_account_name(name)}. 'seed-server people list' lists them.",
            FaultKind.BAD_INPUT,
        )
    return person


def _kept(password: str | None, name: str) -> str:
    if password is None:
        return ""
    check_new_password(password, name)
    return hash_password(password)


def check_within(asked: Rights, whose: str, rights: Rights) -> None:
    """Raise `UserError` (REFUSED) where ``asked`` is more than somebody's rights."""
    lacking = [one for one in PERMISSIONS if one in asked.permissions - rights.permissions]
    if lacking:
        raise UserError(
            f"{whose} has not the right {', '.join(lacking)}, so it cannot be given on. Leave it out.",
            FaultKind.REFUSED,
        )
    if not asked.scope.within(rights.scope):
        raise UserError(
            f"The rights of {whose} are for {rights.scope} alone. Limit this with --site and --tag to that, or less.",
            FaultKind.REFUSED,
        )


def _require_over(actor: Actor, person: PersonRow) -> None:
    """Raise `UserError` (REFUSED) for an account that may more than ``actor``."""
    check_within(person_rights(person), actor.who, actor.rights)


def require_own(actor: Actor, context: Context, name: str) -> None:
    """Raise `UserError` (REFUSED) for somebody else's account, without the right to manage people."""
    own = actor.by_account and checked_account_name(name) == actor.name
    if not own:
        _require(context, actor, "people", WHOLE_FLEET)


def _change(context: Context, actor: Actor, name: str, what: str, **changes: object) -> PersonRow:
    shown = {key: value for key, value in changes.items() if key not in ("password", "totp")}
    details = {key: value if isinstance(value, str) else _words(value) for key, value in shown.items()}
    deed = Deed(what, checked_account_name(name), details=details)
    with context.audited(actor, deed) as database, database.people_change():
        person = _changed(database, actor, name, deed, **changes)
    log.info(what, person=person.name, **shown)
    return person


def _words(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else "yes" if value else "no"


def _changed(database: "Database", actor: Actor, name: str, deed: Deed, **changes: object) -> PersonRow:
    """Change an account within a `people_change`."""
    before = known_person(database, name)
    if before.subject and changes.keys() - {"disabled"}:
        raise UserError(
            f"{before.name} comes by the identity provider, whose groups say what they may, and which asks for "
            "password and code. Change it there, or the groups in server.toml; it holds from the next login. Disable "
            f"the account to keep them out: seed-server people disable {before.name}",
            FaultKind.REFUSED,
        )
    after = msgspec.structs.replace(before, **changes)
    deed.before, deed.after = before, after
    check_scope(after.roles, limited=person_rights(after).scope.limited)
    if checked_account_name(name) != actor.name or not actor.by_account:
        _require_over(actor, before)
    _require_over(actor, after)
    _check_administrator_left(database, before, after)
    database.change_person(after)
    if after != before and not _only_enabled(before, after):
        database.end_web_sessions(after.name, but=actor.session_id)
    return after


def _only_enabled(before: PersonRow, after: PersonRow) -> bool:
    return msgspec.structs.replace(before, disabled=False) == after


def _check_administrator_left(database: "Database", before: PersonRow, after: PersonRow | None) -> None:
    """Raise `UserError` (REFUSED) for a change after which nobody could manage people."""
    if not administers(before) or (after is not None and administers(after)):
        return
    if not any(administers(person) for person in database.people() if person.name != before.name):
        raise UserError(
            f"{before.name} is the last administrator, so this was not done. Make another one first: seed-server "
            "people add NAME --role administrator",
            FaultKind.REFUSED,
        )


def administers(person: PersonRow) -> bool:
    """Whether somebody may manage people here, whatever an identity provider says."""
    # who comes by an identity provider does not count: they may be gone tomorrow, and so may it
    return not person.disabled and not person.subject and "administrator" in roles_in(person.roles)

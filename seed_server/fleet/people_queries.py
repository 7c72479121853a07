"""Who may what here: accounts, API tokens, and what each comes to. Nothing here writes. Blocking."""

from collections.abc import Mapping
from dataclasses import dataclass

from seed_server.fleet.accounts import person_rights, roles_in
from seed_server.fleet.actor import Barred
from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import known_person
from seed_server.fleet.permissions import EffectiveRight, effective_rights
from seed_server.fleet.second_factor import NewSecondFactor, new_second_factor
from seed_server.store.people_rows import ApiTokenRow, PersonRow


@dataclass(frozen=True)
class PersonView:
    """An account, and what it comes to."""

    person: PersonRow
    rights: tuple[EffectiveRight, ...]
    tokens: list[ApiTokenRow]


def read_people(context: Context) -> list[PersonRow]:
    """Return the accounts, by name. Raises `UserError`: NOT_SET_UP, STORAGE, BUSY."""
    context.settings()
    with context.database() as database:
        return database.people()


def open_api_tokens(context: Context) -> Mapping[str, int]:
    """Return how many open API tokens each account has that has any. Raises as `read_people`."""
    with context.database() as database:
        return database.open_api_token_counts(context.clock.now())


def passkey_counts(context: Context) -> Mapping[str, int]:
    """Return how many keys (WebAuthn) each account has that has any. Raises as `read_people`."""
    with context.database() as database:
        return database.count_passkeys()


def read_person(context: Context, name: str) -> PersonView:
    """Return one account. Raises `UserError`: BAD_INPUT for none, NOT_SET_UP, STORAGE, BUSY."""
    context.settings()
    with context.database() as database:
        person = known_person(database, name)
        tokens = database.api_tokens(person.name)
    barred: Barred = "disabled" if person.disabled else ""
    return PersonView(person, effective_rights(roles_in(person.roles), person_rights(person), barred), tokens)


def new_seed(context: Context, name: str, seed: str = "") -> NewSecondFactor:
    """Return a seed for an account, for `set_second_factor`: a new one, or one that was shown a moment ago.

    It is kept nowhere yet. Raises as `read_person`.
    """
    server = context.settings().name
    with context.database() as database:
        return new_second_factor(known_person(database, name).name, server, seed)


def read_api_tokens(context: Context, owner: str | None) -> list[ApiTokenRow]:
    """Return the API tokens of one account, or of all, the newest first. Raises as `read_person`."""
    context.settings()
    with context.database() as database:
        return database.api_tokens(None if owner is None else known_person(database, owner).name)

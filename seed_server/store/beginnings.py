"""Names in the state database that begin as somebody has begun to type: a few of each kind, for a shell. Blocking."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from seed_server.store.pc_names import LEAST_PREFIX_CHARS
from seed_server.store.tables import ENDPOINTS, PATCHES, SITES, TOKENS
from seed_server.store.tables_people import API_TOKENS, PEOPLE
from seed_server.store.tables_rollouts import EXCEPTIONS, ROLLOUTS
from seed_server.store.tables_webhooks import WEBHOOKS
from seed_server.store.transactions import Transactions


def _begins(column: ColumnElement[str], typed: str) -> ColumnElement[bool]:
    return column.startswith(typed, autoescape=True)


def _patches(typed: str) -> Select[Any]:
    wanted, _, version = typed.partition("@")
    if "@" in typed:
        name: ColumnElement[str] = PATCHES.c.patch_id + "@" + PATCHES.c.version
        begins = (PATCHES.c.patch_id == wanted) & _begins(PATCHES.c.version, version)
        return select(name, PATCHES.c.title).where(begins).order_by(PATCHES.c.number.desc())
    return select(PATCHES.c.patch_id, PATCHES.c.title).where(_begins(PATCHES.c.patch_id, typed))


def _endpoints(typed: str) -> Select[Any]:
    host, number = ENDPOINTS.c.hostname, ENDPOINTS.c.endpoint_id
    typed = typed.casefold()
    called = _begins(func.lower(host), typed)
    if len(typed) < LEAST_PREFIX_CHARS:  # people type a host name
        return select(host, number).where(called)
    # letters alone may begin a name, too
    return select(case((called, host), else_=number), case((called, number), else_=host)).where(
        called | _begins(number, typed)
    )


def _sites(typed: str) -> Select[Any]:
    return select(SITES.c.name, SITES.c.name).where(_begins(SITES.c.name, typed))


def _people(typed: str) -> Select[Any]:
    return select(PEOPLE.c.name, PEOPLE.c.roles).where(_begins(PEOPLE.c.name, typed))


def _rollouts(_typed: str) -> Select[Any]:
    words = ROLLOUTS.c.patch_id + "@" + ROLLOUTS.c.version + ", " + ROLLOUTS.c.state
    return select(ROLLOUTS.c.number, words).order_by(ROLLOUTS.c.number.desc())


def _exceptions(_typed: str) -> Select[Any]:
    return select(EXCEPTIONS.c.number, EXCEPTIONS.c.reason).order_by(EXCEPTIONS.c.number.desc())


def _tokens(typed: str) -> Select[Any]:
    return select(TOKENS.c.token_id, TOKENS.c.tags).where(_begins(TOKENS.c.token_id, typed))


def _api_tokens(typed: str) -> Select[Any]:
    return select(API_TOKENS.c.token_id, API_TOKENS.c.label).where(_begins(API_TOKENS.c.token_id, typed))


def _webhooks(typed: str) -> Select[Any]:
    return select(WEBHOOKS.c.name, WEBHOOKS.c.events).where(_begins(WEBHOOKS.c.name, typed))


BEGINNINGS: dict[str, Callable[[str], Select[Any]]] = {
    "patch": _patches,
    "endpoint": _endpoints,
    "site": _sites,
    "person": _people,
    "rollout": _rollouts,
    "exception": _exceptions,
    "token": _tokens,
    "api_token": _api_tokens,
    "webhook": _webhooks,
}
"""The kinds of names."""


def beginnings(database: Transactions, kind: str, typed: str, most: int) -> list[tuple[str, str]]:
    """Return at most ``most`` names of a ``kind`` of `BEGINNINGS`, each once, with a few words on each."""
    with database.reading() as connection:
        return _each_once(connection, BEGINNINGS[kind](typed).limit(most))


def _each_once(connection: Connection, query: Select[Any]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for name, words in connection.execute(query):
        found.setdefault(str(name), str(words))
    return list(found.items())

"""The database's neighbours of PCs: machines that were seen in a site and are no enrolled PC. Blocking.

What a PC tells is believed of the PC alone: it fills its own rows, `MAX_NEIGHBOURS_SEEN` at most.
"""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, not_, or_, select

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.wire.neighbours_seen import MAX_NEIGHBOURS_SEEN, NeighboursSeen
from seed_server.store.engines import upsert
from seed_server.store.interned import parts
from seed_server.store.tables import ENDPOINTS, SITES
from seed_server.store.tables_facts import ENDPOINT_CARDS, SEEN_NEIGHBOURS
from seed_server.store.transactions import Transactions

NEIGHBOURS_KEPT_DAYS = 30  # of what a PC has not seen again, or tells no more of
STALE_SECONDS = DAY_SECONDS / 4  # "last seen" alone is not worth a row an hour and machine

_SEEN = SEEN_NEIGHBOURS.c


class UnmanagedRow(NamedTuple):
    """A machine in a site that is no enrolled PC, as far as it is known."""

    site: str
    card: str
    address: str
    """Where it was seen last."""
    seen_by: int
    """How many PCs."""
    first_at: float
    """Seconds since 1970; the next one too."""
    last_at: float


class NeighbourTellers(NamedTuple):
    """Of how many PCs of a site it is known who is beside them."""

    telling: int
    allowed: int


class NeighbourTable(Transactions):
    """The part of `Database` that is about neighbours; raises as all of it."""

    def save_neighbours(self, said: Mapping[str, NeighboursSeen], now: float) -> None:
        """Record what endpoints see beside them, where they are now; unknown ones are skipped."""
        if not said:
            return
        query = select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.number, ENDPOINTS.c.site)
        with self._writing() as connection:
            for part in parts(sorted(said)):
                for endpoint_id, number, site in connection.execute(
                    query.where(ENDPOINTS.c.endpoint_id.in_(part))
                ).all():
                    _save_cards(connection, number, said[endpoint_id])
                    _save_seen(connection, number, site, said[endpoint_id], now)

    def unmanaged(self, site: int | None, limit: int) -> list[UnmanagedRow]:
        """Return machines of a site, or of all, that are no enrolled PCs; those first that most PCs see."""
        most = func.count()
        found = (
            select(_SEEN.site, _SEEN.card, most, func.min(_SEEN.first_at), func.max(_SEEN.last_at))
            .where(_of_site(site), not_(_enrolled()))
            .group_by(_SEEN.site, _SEEN.card)
            .order_by(most.desc(), func.max(_SEEN.last_at).desc(), _SEEN.site, _SEEN.card)
            .limit(limit)
        )
        with self.reading() as connection:
            rows = connection.execute(found).all()
            places = select(SITES.c.number, SITES.c.name).where(SITES.c.number.in_({row[0] for row in rows}))
            names = dict(connection.execute(places).all())
            return [
                UnmanagedRow(names[place], card, _address(connection, place, card), seen_by, first_at, last_at)
                for place, card, seen_by, first_at, last_at in rows
            ]

    def neighbour_tellers(self, site: int | None) -> NeighbourTellers:
        """Return how many PCs tell who is beside them, of how many."""
        here = and_(not_(ENDPOINTS.c.denied), *([] if site is None else [ENDPOINTS.c.site == site]))
        telling = ENDPOINTS.c.number.in_(select(ENDPOINT_CARDS.c.endpoint))
        query = select(func.count().filter(telling), func.count()).select_from(ENDPOINTS).where(here)
        with self.reading() as connection:
            return NeighbourTellers(*connection.execute(query).one())


def _save_cards(connection: Connection, number: int, said: NeighboursSeen) -> None:
    ours = ENDPOINT_CARDS.c.endpoint == number
    known = set(connection.scalars(select(ENDPOINT_CARDS.c.card).where(ours)))
    if known == set(said.own):
        return
    connection.execute(ENDPOINT_CARDS.delete().where(ours))
    if said.own:
        connection.execute(
            ENDPOINT_CARDS.insert(), [{"endpoint": number, "card": card} for card in dict.fromkeys(said.own)]
        )


def _save_seen(connection: Connection, number: int, site: int, said: NeighboursSeen, now: float) -> None:
    seen = {one.card: one.address for one in said.seen}
    cards = sorted(seen)
    enrolled = {
        card
        for part in parts(cards)
        for card in connection.scalars(select(ENDPOINT_CARDS.c.card).where(ENDPOINT_CARDS.c.card.in_(part)))
    }
    ours = _SEEN.endpoint == number
    here = select(_SEEN.card, _SEEN.address, _SEEN.first_at, _SEEN.last_at).where(ours, _SEEN.site == site)
    known = {row.card: row for row in connection.execute(here)}
    rows = [
        {
            "endpoint": number, "site": site, "card": card, "address": seen[card],
            "first_at": before.first_at if before is not None else now, "last_at": now,
        }
        for card in cards
        if card not in enrolled
        and (
            (before := known.get(card)) is None
            or before.address != seen[card]
            or not 0 <= now - before.last_at < STALE_SECONDS
        )
    ]  # fmt: skip
    if rows:
        connection.execute(upsert(connection, SEEN_NEIGHBOURS), rows)
    connection.execute(SEEN_NEIGHBOURS.delete().where(ours, _SEEN.last_at < now - NEIGHBOURS_KEPT_DAYS * DAY_SECONDS))
    count = connection.scalar(select(func.count()).select_from(SEEN_NEIGHBOURS).where(ours)) or 0
    if count > MAX_NEIGHBOURS_SEEN:
        oldest = select(_SEEN.site, _SEEN.card).where(ours).order_by(_SEEN.last_at, _SEEN.card)
        for place, card in connection.execute(oldest.limit(count - MAX_NEIGHBOURS_SEEN)).all():
            connection.execute(SEEN_NEIGHBOURS.delete().where(ours, _SEEN.site == place, _SEEN.card == card))


def _of_site(site: int | None) -> ColumnElement[bool]:
    return _SEEN.site == site if site is not None else _SEEN.site.is_not(None)


def _enrolled() -> ColumnElement[bool]:
    """Whether it is an enrolled PC: by its card; of those that do not tell theirs, by where this server sees them."""
    by_card: Select[tuple[int]] = select(ENDPOINT_CARDS.c.endpoint).where(ENDPOINT_CARDS.c.card == _SEEN.card)
    tells = select(ENDPOINT_CARDS.c.endpoint)
    silent = and_(ENDPOINTS.c.site == _SEEN.site, ENDPOINTS.c.address == _SEEN.address)
    by_address = select(ENDPOINTS.c.number).where(silent, ENDPOINTS.c.number.not_in(tells))
    return or_(exists(by_card), exists(by_address))


def _address(connection: Connection, site: int, card: str) -> str:
    newest = select(_SEEN.address).where(_SEEN.site == site, _SEEN.card == card).order_by(_SEEN.last_at.desc())
    return connection.scalar(newest.limit(1)) or ""

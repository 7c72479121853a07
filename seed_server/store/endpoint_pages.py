"""Enrolled PCs in pages: those first about which something is odd, then by name. Blocking.

A page goes on behind the last row of the one before, and none counts what lies before it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, false, func, literal, literal_column, not_, or_, select

from seed_server.store.count_rows import MAX_PAGE_ROWS
from seed_server.store.endpoints import ENDPOINT_COLUMNS, endpoint_row
from seed_server.store.rows import ANY_FINDING, EndpointFilter, EndpointRow, Namesake
from seed_server.store.standing_pages import pcs_meant
from seed_server.store.tables import ENDPOINTS, SITES
from seed_server.store.tables_facts import ENDPOINT_FINDINGS
from seed_server.store.transactions import Transactions

_PC = ENDPOINTS.c
_ODD = or_(_PC.shared_with != "", _PC.refuses != "", _PC.claimed_site != "", _PC.pending)


class EndpointPageTable(Transactions):
    """The part of `Database` that shows enrolled PCs in pages; raises as all of it."""

    def endpoint_page(
        self,
        wanted: EndpointFilter,
        *,
        odd_first: bool = True,
        by_seen: bool = False,
        after: tuple[int, str | float, int] | None = None,
        limit: int = MAX_PAGE_ROWS,
    ) -> list[tuple[int, int, EndpointRow]]:
        """Return PCs, each with its rank and number, from the one behind ``after`` (rank, name, number) on.

        Denied ones too. With ``odd_first`` those have rank 0 about which something is odd, and others 1. In a rank PCs
        are in the order of their names. The caller bounds ``limit``. ``by_seen``: instead of all that, those go first
        that were not seen for the longest time, and ``after`` has when that was in place of the name.
        """
        odd_first = odd_first and not by_seen
        rank: ColumnElement[int] = case((_ODD, 0), else_=1) if odd_first else literal_column("0")
        query = select(rank.label("rank"), _PC.number, *ENDPOINT_COLUMNS).join_from(ENDPOINTS, SITES)
        with self.reading() as connection:
            name: ColumnElement[Any] = _PC.last_seen_at if by_seen else _name(connection)
            if after is not None:
                later = or_(name > after[1], and_(name == after[1], _PC.number > after[2]))
                query = query.where(or_(rank > after[0], and_(rank == after[0], later)))
            if odd_first:  # a literal would be a column's place in the order
                query = query.order_by(rank)
            query = query.where(*_meant(wanted)).order_by(name, _PC.number).limit(limit)
            found = connection.execute(query).mappings()
            return [_ranked(row) for row in found]

    def endpoint_name(self, number: int) -> str | None:
        """Return the name of the PC with this number; None: it is enrolled no more."""
        with self.reading() as connection:
            return connection.scalar(select(_PC.hostname).where(_PC.number == number))

    def endpoints_meant(self, wanted: EndpointFilter) -> int:
        """Return how many PCs are meant."""
        with self.reading() as connection:
            return connection.scalar(select(func.count()).select_from(ENDPOINTS).where(*_meant(wanted))) or 0

    def namesakes(self) -> dict[str, list[Namesake]]:
        """Return PCs that call themselves as others do, in any case, by the casefolded name; 25,000 take 0.05 s."""
        found: dict[str, list[Namesake]] = {}
        query = select(_PC.hostname, _PC.endpoint_id, _PC.denied, _PC.pending).order_by(_PC.hostname, _PC.endpoint_id)
        with self.reading() as connection:
            for hostname, *facts in connection.execute(query):
                found.setdefault(hostname.casefold(), []).append(Namesake(*facts))
        return {name: some for name, some in found.items() if len(some) > 1}


def _ranked(row: Mapping[Any, Any]) -> tuple[int, int, EndpointRow]:
    values = dict(row)
    rank, number = values.pop("rank"), values.pop("number")
    return rank, number, endpoint_row(values)


def _name(connection: Connection) -> ColumnElement[str]:
    """Return the name as both databases sort it alike."""
    return _PC.hostname if connection.dialect.name == "sqlite" else _PC.hostname.collate("C")


def _meant(wanted: EndpointFilter) -> Sequence[ColumnElement[bool]]:
    site = [] if wanted.site is None else [_PC.site == wanted.site]
    site += _chosen(wanted)
    if (since := wanted.unseen_since) is not None:
        # who is connected was seen when it came, and is seen now; so it is after the server was killed, for all we know
        never = and_(_PC.last_seen_at == 0.0, _PC.enrolled_at < since)
        site += [_PC.connected_to.is_(None), or_(and_(_PC.last_seen_at > 0.0, _PC.last_seen_at < since), never)]
    if wanted.state == "pending":
        return [*site, _PC.denied, _PC.pending]
    if wanted.state == "denied":
        return [*site, _PC.denied, not_(_PC.pending)]
    if wanted.state is None:
        return site
    here = _PC.connected_to.is_not(None) if wanted.serving else false()
    if wanted.state == "connected":
        return [*site, not_(_PC.denied), here]
    seen = _PC.last_seen_at > 0.0 if wanted.state == "away" else _PC.last_seen_at == 0.0
    return [*site, not_(_PC.denied), not_(here), seen]


def _chosen(wanted: EndpointFilter) -> list[ColumnElement[bool]]:
    """Return what is asked beside where a PC is, and whether it is connected."""
    found: list[ColumnElement[bool]] = []
    if wanted.tag:
        found.append((literal(" ") + _PC.tags + " ").contains(f" {wanted.tag} ", autoescape=True))
    if wanted.begins:
        begin = wanted.begins.lower()
        named = (func.lower(column).startswith(begin, autoescape=True) for column in (_PC.endpoint_id, _PC.hostname))
        found.append(or_(*named))
    if wanted.finding:
        says = select(ENDPOINT_FINDINGS.c.endpoint)
        if wanted.finding != ANY_FINDING:
            says = says.where(ENDPOINT_FINDINGS.c.code == wanted.finding)
        found.append(_PC.number.in_(says))
    if wanted.patch:
        found.append(_PC.number.in_(pcs_meant(wanted.patch, wanted.standing)))
    return found

"""PCs one by one, in pages: how each stands to a patch, also those that have never said a word of it. Blocking.

A page goes on behind the last row of the one before, by the key; none counts what lies before it. PCs that are denied
are in none.
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    case,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
)

from seed_server.store.count_rows import MAX_PAGE_ROWS, PcStanding, Said, StandingFilter
from seed_server.store.fleet_counts import DONE_INSTALLS, code_of, codes_with
from seed_server.store.tables import (
    ENDPOINTS,
    REPORTED_SINCE,
    SITES,
    STANDING,
    STANDING_NOTES,
    TEXTS,
    WHOLE_PROGRESS,
    states_of,
)
from seed_server.store.transactions import Transactions

_PC = (
    ENDPOINTS.c.number, ENDPOINTS.c.endpoint_id, ENDPOINTS.c.hostname, SITES.c.name, ENDPOINTS.c.connected_to,
    ENDPOINTS.c.last_seen_at, ENDPOINTS.c.denied,
)  # fmt: skip
_WORD = (
    STANDING.c.said, TEXTS.c.text, STANDING_NOTES.c.error, STANDING_NOTES.c.install_output,
    STANDING.c.progress, STANDING.c.bytes_from_origin, STANDING.c.bytes_from_peers, STANDING_NOTES.c.bytes_wasted,
    STANDING_NOTES.c.bytes_built, STANDING.c.seconds, STANDING.c.reported_at,
)  # fmt: skip
_NOTED = and_(STANDING_NOTES.c.patch == STANDING.c.patch, STANDING_NOTES.c.endpoint == STANDING.c.endpoint)


class StandingPageTable(Transactions):
    """The part of `Database` that shows PCs one by one; raises as all of it."""

    def standing_page(
        self,
        patch: int,
        wanted: StandingFilter,
        *,
        ranks: Sequence[Collection[Said]] = (),
        after: tuple[int, int] = (-1, 0),
        limit: int = MAX_PAGE_ROWS,
    ) -> list[tuple[int, PcStanding]]:
        """Return how PCs stand to a patch, each with its rank, from the one after ``after`` (rank, number) on.

        Who says what is in the first of ``ranks`` has rank 0, and so on; others, and who says nothing, come last. In a
        rank PCs are in the order of their enrolment. The caller bounds ``limit``: it is what is held in memory.
        """
        rank = _rank(ranks)
        pc = ENDPOINTS.c.number
        query = _chosen(patch, wanted, rank.label("rank"), pc).where(
            pc > after[1] if not ranks else or_(rank > after[0], and_(rank == after[0], pc > after[1]))
        )
        query = query.order_by(*([rank] if ranks else []), pc).limit(limit)
        with self.reading() as connection:
            found = connection.execute(query).all()
            rows = {row.endpoint: row for row in _details(connection, patch, [number for _, number in found])}
        return [(place, rows[number]) for place, number in found]

    def standing_count(self, patch: int, wanted: StandingFilter) -> int:
        """Return how many PCs are meant."""
        with self.reading() as connection:
            return connection.scalar(_chosen(patch, wanted, func.count())) or 0

    def standing_on(self, patch: int, endpoints: Sequence[int]) -> list[PcStanding]:
        """Return how these PCs stand to a patch, in their order; who is forgotten meanwhile is left out.

        The caller bounds how many they are.
        """
        with self.reading() as connection:
            rows = {row.endpoint: row for row in _details(connection, patch, endpoints)}
        return [rows[number] for number in endpoints if number in rows]

    def standing_of(self, endpoint_id: str) -> tuple[PcStanding, dict[int, PcStanding]]:
        """Return a PC that is enrolled, as one that has said nothing, and what it says, by the patch's number."""
        pc = _joined(ENDPOINTS.c.endpoint_id == endpoint_id, STANDING.c.endpoint == ENDPOINTS.c.number, outer=True)
        with self.reading() as connection:
            rows = connection.execute(pc.add_columns(STANDING.c.patch)).all()
        found = [_standing(row[-1] or 0, row[:-1]) for row in rows]
        first = found[0]
        alone = PcStanding(
            first.endpoint, 0, first.endpoint_id, first.hostname, first.site, first.connected, first.last_seen_at,
            first.denied,
        )  # fmt: skip
        return alone, {row.patch: row for row in found if row.state}


def pcs_meant(patch: int, wanted: StandingFilter) -> Select[tuple[int]]:
    """Return a query of the numbers of the PCs that are meant, for a query of PCs."""
    return _chosen(patch, wanted, ENDPOINTS.c.number).correlate(None)


def _rank(ranks: Sequence[Collection[Said]]) -> ColumnElement[int]:
    if not ranks:
        return literal_column("0", Integer)
    return case(*((STANDING.c.said.in_(code_of(said)), place) for place, said in enumerate(ranks)), else_=len(ranks))


def _chosen(patch: int, wanted: StandingFilter, *columns: ColumnElement[Any]) -> Select[Any]:
    """Return a query of the PCs that are meant, by `ENDPOINTS` and, where they say something, `STANDING`."""
    ours = and_(STANDING.c.patch == patch, STANDING.c.endpoint == ENDPOINTS.c.number)
    query = select(*columns).join_from(ENDPOINTS, STANDING, ours, isouter=wanted.silent).where(not_(ENDPOINTS.c.denied))
    silent = STANDING.c.endpoint.is_(None) if wanted.silent else false()
    if wanted.said is not None:
        query = query.where(or_(STANDING.c.said.in_(code_of(wanted.said)), silent))
    if wanted.connected is not None:
        here = ENDPOINTS.c.connected_to.is_not(None)
        query = query.where(here if wanted.connected else not_(here))
    if wanted.site is not None:
        query = query.where(ENDPOINTS.c.site == wanted.site)
    if wanted.reasons is not None:
        texts, errors = sorted(wanted.reasons.of_install), sorted(wanted.reasons.of_file)
        noted = select(STANDING_NOTES.c.endpoint).where(
            STANDING_NOTES.c.patch == patch, STANDING_NOTES.c.error.in_(errors)
        )
        said = and_(STANDING.c.said.not_in(codes_with(DONE_INSTALLS)), STANDING.c.reason.in_(texts))
        query = query.where(or_(said, STANDING.c.endpoint.in_(noted)))
    return query


def _joined(where: ColumnElement[bool], on: ColumnElement[bool], *, outer: bool) -> Select[Any]:
    query = select(*_PC, *_WORD).join_from(ENDPOINTS, SITES).join(STANDING, on, isouter=outer)
    query = query.outerjoin(TEXTS, TEXTS.c.number == STANDING.c.reason).outerjoin(STANDING_NOTES, _NOTED)
    return query.where(where)


def _details(connection: Connection, patch: int, endpoints: Sequence[int]) -> list[PcStanding]:
    ours = and_(STANDING.c.patch == patch, STANDING.c.endpoint == ENDPOINTS.c.number)
    query = _joined(ENDPOINTS.c.number.in_(endpoints), ours, outer=True)
    return [_standing(patch, row) for row in connection.execute(query)]


def _standing(patch: int, row: Sequence[Any]) -> PcStanding:
    number, endpoint_id, hostname, site, connected_to, last_seen_at, denied, *word = row
    pc = PcStanding(number, patch, endpoint_id, hostname, site, connected_to is not None, last_seen_at, denied)
    said, reason, error, output, progress, origin, peers, wasted, built, seconds, at = word
    if said is None:
        return pc
    state, install = states_of(said)
    return msgspec.structs.replace(
        pc,
        state=state,
        install=install,
        install_reason=reason or "",
        error=error or "",
        install_output=output or "",
        progress=progress / WHOLE_PROGRESS,
        bytes_from_origin=origin,
        bytes_from_peers=peers,
        bytes_wasted=wasted or 0,
        bytes_built=built or 0,
        seconds=float(seconds),
        reported_at=float(at + REPORTED_SINCE),
    )

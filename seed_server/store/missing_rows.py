"""PCs that lack a patch, in pages: denied ones too, and those that have never said a word of it. Blocking."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select

from seed_server.store.count_rows import MAX_PAGE_ROWS
from seed_server.store.done_times import NOT_DONE
from seed_server.store.report_rows import ALL_LACKING, LackingFilter, LackingPc
from seed_server.store.tables import (
    ENDPOINTS,
    LACKING,
    PATCHES,
    REPORTED_SINCE,
    SITES,
    STANDING,
    STANDING_NOTES,
    TEXTS,
    states_of,
)
from seed_server.store.tables_reporting import FOLLOW_UPS
from seed_server.store.transactions import Transactions

_COLUMNS = (
    ENDPOINTS.c.number, ENDPOINTS.c.endpoint_id, ENDPOINTS.c.hostname, SITES.c.name, ENDPOINTS.c.enrolled_at,
    ENDPOINTS.c.connected_to, ENDPOINTS.c.last_seen_at, ENDPOINTS.c.denied, ENDPOINTS.c.pending,
    STANDING.c.said, func.coalesce(TEXTS.c.text, ""), func.coalesce(STANDING_NOTES.c.error, ""), STANDING.c.reported_at,
    func.coalesce(FOLLOW_UPS.c.state, ""), func.coalesce(FOLLOW_UPS.c.note, ""),
    func.coalesce(FOLLOW_UPS.c.set_by, ""), func.coalesce(FOLLOW_UPS.c.set_at, 0.0),
)  # fmt: skip


class MissingTable(Transactions):
    """The part of `Database` that shows who lacks a patch; raises as all of it."""

    def lacked_one_by_one(self, endpoint_id: str, patches: Collection[int]) -> dict[int, LackingPc]:
        """Return those of ``patches`` that a PC lacks, by their numbers, each with what it says of it."""
        query = _of_these(patches).where(ENDPOINTS.c.endpoint_id == endpoint_id)
        with self.reading() as connection:
            return {number: _pc(tuple(row)) for number, *row in connection.execute(query)}

    def pcs_at(self, site: int, *, most: int) -> frozenset[int]:
        """Return the numbers of the PCs that were last seen at a site, or of ``most`` of them."""
        query = select(ENDPOINTS.c.number).where(ENDPOINTS.c.site == site).limit(most)
        with self.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def lacking_at(
        self, site: int, patches: Collection[int], *, only: LackingFilter = ALL_LACKING, after: int = 0
    ) -> dict[int, list[LackingPc]]:
        """Return the PCs that were last seen at a site and lack these patches, by patch, in the order of enrolment.

        Each of its PCs behind ``after`` is looked up for each patch: quick where they are few.
        """
        query = _of_these(patches).where(*_meant(only, site), ENDPOINTS.c.number > after)
        query = query.order_by(PATCHES.c.number, ENDPOINTS.c.number)
        if only.spoken is not None:
            query = query.where(STANDING.c.endpoint.is_not(None) if only.spoken else STANDING.c.endpoint.is_(None))
        found: dict[int, list[LackingPc]] = {number: [] for number in patches}
        with self.reading() as connection:
            for number, *row in connection.execute(query):
                found[number].append(_pc(tuple(row)))
        return found

    def lacking_page(
        self,
        patch: int,
        *,
        site: int | None = None,
        only: LackingFilter = ALL_LACKING,
        after: int = 0,
        limit: int = MAX_PAGE_ROWS,
    ) -> list[LackingPc]:
        """Return the PCs that lack a patch in the order of their enrolment, from the one after ``after`` on.

        ``site``: only those that were last seen at the site with this number.
        """
        said, pc, followed = STANDING.c, ENDPOINTS.c, FOLLOW_UPS.c
        noted = and_(STANDING_NOTES.c.patch == said.patch, STANDING_NOTES.c.endpoint == said.endpoint)
        query = (
            select(*_COLUMNS)
            .join_from(ENDPOINTS, SITES)
            .outerjoin(STANDING, and_(said.patch == patch, said.endpoint == pc.number))
            .outerjoin(TEXTS, TEXTS.c.number == said.reason)
            .outerjoin(STANDING_NOTES, noted)
            .outerjoin(FOLLOW_UPS, and_(followed.endpoint == pc.number, followed.patch == patch))
            .where(*_meant(only, site))
            .limit(limit)
        )
        # one by one: those that have said something have an index of their own, and both at once would read all PCs
        spoken = query.where(LACKING, said.patch == patch, said.endpoint > after).order_by(said.endpoint)
        silent = query.where(said.endpoint.is_(None), pc.number > after).order_by(pc.number)
        found: list[LackingPc] = []
        with self.reading() as connection:
            if only.spoken is not False:
                found = [_pc(tuple(row)) for row in connection.execute(spoken)]
            if only.spoken is not True:
                if len(found) == limit:
                    silent = silent.where(pc.number < found[-1].endpoint)
                found += [_pc(tuple(row)) for row in connection.execute(silent)]
        return sorted(found, key=lambda one: one.endpoint)[:limit]


def _of_these(patches: Collection[int]) -> Select[Any]:
    """Return what asks which PCs lack these patches, each PC with each."""
    said, pc, followed, patch = STANDING.c, ENDPOINTS.c, FOLLOW_UPS.c, PATCHES.c.number
    noted = and_(STANDING_NOTES.c.patch == said.patch, STANDING_NOTES.c.endpoint == said.endpoint)
    return (
        select(patch, *_COLUMNS)
        .join_from(ENDPOINTS, SITES)
        .join(PATCHES, patch.in_(sorted(patches)))
        .outerjoin(STANDING, and_(said.patch == patch, said.endpoint == pc.number))
        .outerjoin(TEXTS, TEXTS.c.number == said.reason)
        .outerjoin(STANDING_NOTES, noted)
        .outerjoin(FOLLOW_UPS, and_(followed.endpoint == pc.number, followed.patch == patch))
        .where(or_(said.endpoint.is_(None), said.done_at == NOT_DONE))
    )


def _meant(only: LackingFilter, site: int | None) -> list[ColumnElement[bool]]:
    pc, meant = ENDPOINTS.c, list[ColumnElement[bool]]()
    if site is not None:
        meant.append(pc.site == site)
    if only.denied is not None:
        meant.append(pc.denied if only.denied else not_(pc.denied))
    if only.connected is not None:
        meant.append(pc.connected_to.is_not(None) if only.connected else pc.connected_to.is_(None))
    if only.seen_until is not None:
        meant.append(pc.last_seen_at <= only.seen_until)
    return meant


def _pc(row: tuple[Any, ...]) -> LackingPc:
    number, endpoint_id, hostname, site, enrolled_at, connected_to, seen, denied, pending, said, *word = row
    state, install = ("", "") if said is None else states_of(said)
    reason, error, reported_at, follow_up, note, set_by, set_at = word
    at = 0.0 if reported_at is None else float(reported_at + REPORTED_SINCE)
    return LackingPc(
        number, endpoint_id, hostname, site, enrolled_at, connected_to is not None, seen, denied, pending, state,
        install, reason, error, at, follow_up, note, set_by, set_at,
    )  # fmt: skip

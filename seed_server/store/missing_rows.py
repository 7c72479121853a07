"""PCs that lack a patch, in pages: denied ones too, and those that have never said a word of it. Blocking."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import and_, func, or_, select

from seed_server.store.count_rows import MAX_PAGE_ROWS
from seed_server.store.done_times import NOT_DONE
from seed_server.store.report_rows import LackingPc
from seed_server.store.tables import (
    ENDPOINTS,
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
        said, pc, followed, patch = STANDING.c, ENDPOINTS.c, FOLLOW_UPS.c, PATCHES.c.number
        noted = and_(STANDING_NOTES.c.patch == said.patch, STANDING_NOTES.c.endpoint == said.endpoint)
        query = (
            select(patch, *_COLUMNS)
            .join_from(ENDPOINTS, SITES)
            .join(PATCHES, patch.in_(sorted(patches)))
            .outerjoin(STANDING, and_(said.patch == patch, said.endpoint == pc.number))
            .outerjoin(TEXTS, TEXTS.c.number == said.reason)
            .outerjoin(STANDING_NOTES, noted)
            .outerjoin(FOLLOW_UPS, and_(followed.endpoint == pc.number, followed.patch == patch))
            .where(pc.endpoint_id == endpoint_id, or_(said.endpoint.is_(None), said.done_at == NOT_DONE))
        )
        with self.reading() as connection:
            return {number: _pc(tuple(row)) for number, *row in connection.execute(query)}

    def lacking_page(
        self, patch: int, *, site: int | None = None, after: int = 0, limit: int = MAX_PAGE_ROWS
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
            .where(pc.number > after, or_(said.endpoint.is_(None), said.done_at == NOT_DONE))
            .order_by(pc.number)
            .limit(limit)
        )
        if site is not None:
            query = query.where(pc.site == site)
        with self.reading() as connection:
            return [_pc(tuple(row)) for row in connection.execute(query)]


def _pc(row: tuple[Any, ...]) -> LackingPc:
    number, endpoint_id, hostname, site, enrolled_at, connected_to, seen, denied, pending, said, *word = row
    state, install = ("", "") if said is None else states_of(said)
    reason, error, reported_at, follow_up, note, set_by, set_at = word
    at = 0.0 if reported_at is None else float(reported_at + REPORTED_SINCE)
    return LackingPc(
        number, endpoint_id, hostname, site, enrolled_at, connected_to is not None, seen, denied, pending, state,
        install, reason, error, at, follow_up, note, set_by, set_at,
    )  # fmt: skip

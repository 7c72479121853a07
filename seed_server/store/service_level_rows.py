"""How many PCs are done with patches by when, and who lacks them: counts alone, whatever the fleet's size. Blocking.

PCs that are denied are counted nowhere. Hours and moments are since `tables.REPORTED_SINCE`, hours as `done_times`.
"""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import case, func, not_, select

from seed_server.store.done_times import NOT_DONE
from seed_server.store.engines import table_of
from seed_server.store.fleet_counts import codes_with
from seed_server.store.report_rows import DoneCount, SaidCount
from seed_server.store.rows import SAYS_REPLACED
from seed_server.store.tables import ENDPOINTS, LACKING, PATCHES, STANDING, TALLIES, TEXTS
from seed_server.store.tables_reporting import DONE_TALLIES
from seed_server.store.transactions import Transactions

_NOT_FOR_IT = codes_with(["not_applicable"])


class ServiceLevelTable(Transactions):
    """The part of `Database` that is about service levels; raises as all of it."""

    def done_counts(self, deadlines: Collection[tuple[int, int]]) -> dict[tuple[int, int], DoneCount]:
        """Return of each pair (patch, hour) how many PCs were done before that hour began, and how many are."""
        pairs = sorted(set(deadlines))
        table = DONE_TALLIES.c
        with self.reading() as connection:
            asked = table_of(connection, [patch for patch, _ in pairs], [hour for _, hour in pairs])
            in_time = func.sum(case((table.hour < asked.c.second, table.endpoints), else_=0))
            query = select(asked.c.first, asked.c.second, in_time, func.sum(table.endpoints)).join_from(
                asked, DONE_TALLIES, table.patch == asked.c.first
            )
            rows = connection.execute(query.group_by(asked.c.first, asked.c.second)).all()
        found = {(patch, hour): DoneCount(int(before), int(every)) for patch, hour, before, every in rows}
        return {pair: found.get(pair, DoneCount(0, 0)) for pair in pairs}

    def done_by_hour(self, patch: int) -> list[tuple[int, int]]:
        """Return the hours in which PCs came to be done with a patch, each with how many of those are done now."""
        table = DONE_TALLIES.c
        query = select(table.hour, table.endpoints).where(table.patch == patch).order_by(table.hour)
        with self.reading() as connection:
            return [(hour, number) for hour, number in connection.execute(query)]

    def done_by_day(self, patches: Collection[int], first_hour: int) -> dict[int, dict[int, int]]:
        """Return of each patch how many PCs came to be done in which 24 hours from ``first_hour`` on; before it: -1.

        The days are counted from 0. Of what no PC is done with, nothing is returned.
        """
        table = DONE_TALLIES.c
        day = case((table.hour < first_hour, -1), else_=(table.hour - first_hour) // 24)
        found: dict[int, dict[int, int]] = {}
        with self.reading() as connection:
            asked = table_of(connection, sorted(patches), [0] * len(patches))
            ours = select(table.patch, day.label("day"), func.sum(table.endpoints)).join_from(
                asked, DONE_TALLIES, table.patch == asked.c.first
            )
            for patch, which, number in connection.execute(ours.group_by(table.patch, "day")):
                found.setdefault(patch, {})[which] = int(number)
        return found

    def said_counts(self, patches: Collection[int]) -> dict[int, SaidCount]:
        """Return of each patch how many PCs have said anything of it."""
        table = TALLIES.c
        with self.reading() as connection:
            replaced = select(TEXTS.c.number).where(TEXTS.c.text.startswith(SAYS_REPLACED, autoescape=True))
            newer = sorted(connection.scalars(replaced))
            lacks_nothing = table.said.in_(_NOT_FOR_IT) & table.reason.not_in(newer)
            query = select(
                table.patch, func.sum(table.endpoints), func.sum(case((lacks_nothing, table.endpoints), else_=0))
            ).where(table.patch.in_(sorted(patches)))
            rows = connection.execute(query.group_by(table.patch)).all()
        found = {patch: SaidCount(int(every), int(none)) for patch, every, none in rows}
        return {patch: found.get(patch, SaidCount(0, 0)) for patch in patches}

    def unseen_pcs(self, since: float, *, serving: bool = True) -> list[int]:
        """Return the numbers of the PCs that are not connected and were seen last at ``since`` or before, or never.

        ``serving``: whether a server serves; else nobody is connected.
        """
        pc = ENDPOINTS.c
        query = select(pc.number).where(not_(pc.denied), pc.last_seen_at <= since)
        if serving:
            query = query.where(pc.connected_to.is_(None))
        with self.reading() as connection:
            return sorted(connection.scalars(query))

    def lacking_counts(self, patches: Collection[int], pcs: Sequence[int]) -> dict[int, int]:
        """Return how many of ``pcs`` have said something of each patch, and lack it; what none lacks is left out."""
        if not pcs or not patches:
            return {}
        said = STANDING.c
        with self.reading() as connection:
            asked = table_of(connection, pcs, pcs)
            query = (
                select(said.patch, func.count())
                .with_hint(STANDING, "INDEXED BY standing_lacking", "sqlite")
                .where(LACKING, said.endpoint.in_(select(asked.c.first)), said.patch.in_(sorted(patches)))
            )
            return dict(connection.execute(query.group_by(said.patch)).all())

    def lacked_by(self, endpoint_id: str, patches: Iterable[int]) -> tuple[int, list[int]]:
        """Return the number of a PC that is enrolled, and which of ``patches`` it lacks, as far as it is known.

        That is all of which it has not said that it has them, or that they are not for it.
        """
        said = STANDING.c
        with self.reading() as connection:
            numbers = select(ENDPOINTS.c.number).where(ENDPOINTS.c.endpoint_id == endpoint_id)
            number = connection.execute(numbers).scalar_one()
            query = select(said.patch).where(said.endpoint == number, said.done_at != NOT_DONE)
            done = set(connection.scalars(query))
        return number, [patch for patch in patches if patch not in done]

    def cvss_scores(self) -> dict[int, float]:
        """Return the CVSS score of each patch that has one, by its number."""
        query = select(PATCHES.c.number, PATCHES.c.cvss).where(PATCHES.c.cvss.is_not(None))
        with self.reading() as connection:
            return dict(connection.execute(query).all())

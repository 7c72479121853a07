"""What people do about PCs that lack patches. It ends by itself: `done_tallies.end_follow_ups`. Blocking."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import delete, func, select

from seed_server.store.engines import upsert
from seed_server.store.report_rows import FollowUpRow
from seed_server.store.tables_reporting import FOLLOW_UPS
from seed_server.store.transactions import Transactions


class OldFollowUps(NamedTuple):
    """What was to be done about PCs, and was not for long."""

    pcs: int
    oldest_at: float
    """Seconds since 1970; 0: there is none."""


class FollowUpTable(Transactions):
    """The part of `Database` that is about follow-ups; raises as all of it."""

    def save_follow_ups(self, rows: Sequence[FollowUpRow]) -> None:
        """Record what is done, in place of what was done before about the same PC and patch."""
        if not rows:
            return
        with self._writing() as connection:
            connection.execute(upsert(connection, FOLLOW_UPS), [msgspec.structs.asdict(row) for row in rows])

    def drop_follow_ups(self, endpoint: int, patches: Collection[int]) -> int:
        """Forget what is done about a PC that lacks these patches; return how many there were."""
        ours = (FOLLOW_UPS.c.endpoint == endpoint) & FOLLOW_UPS.c.patch.in_(sorted(patches))
        with self._writing() as connection:
            return connection.execute(delete(FOLLOW_UPS).where(ours)).rowcount

    def follow_ups_before(self, since: float) -> OldFollowUps:
        """Return of how many PCs somebody took care before ``since``, while they lack it still."""
        table = FOLLOW_UPS.c
        query = select(func.count(table.endpoint.distinct()), func.min(table.set_at)).where(table.set_at < since)
        with self.reading() as connection:
            pcs, oldest = connection.execute(query).one()
        return OldFollowUps(pcs, oldest or 0.0)

"""What people do about PCs that lack patches. It ends by itself: `done_tallies.end_follow_ups`. Blocking."""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import delete

from seed_server.store.engines import upsert
from seed_server.store.report_rows import FollowUpRow
from seed_server.store.tables_reporting import FOLLOW_UPS
from seed_server.store.transactions import Transactions


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

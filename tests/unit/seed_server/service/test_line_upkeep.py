"""`seed_server.service.line_upkeep`: what lines did a week ago becomes hours while the server runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from sqlalchemy import text

from seed_server.service import line_upkeep
from seed_server.service.line_upkeep import fold, keep_lines
from seed_server.store.database import Database
from seed_server.store.minute_rows import SLOTS_KEPT_SECONDS, LineSlot, WatchedSlot, slot_of
from tests.helpers.fake_clock import FakeClock

NOW = 1_800_230_400.0
OLD = slot_of(NOW - SLOTS_KEPT_SECONDS) - 24


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Return a database with ten minutes of three hours."""
    with Database.create(tmp_path / "state.db") as made:
        slots = (OLD, OLD + 1, OLD + 7, OLD + 13)
        made.add_line_minutes(
            [LineSlot("osaka", slot, sent=5) for slot in slots], [WatchedSlot(slot, 1, 9.0) for slot in slots]
        )
        yield made


async def test_all_that_is_due_is_folded(database: Database) -> None:
    assert await fold(database, FakeClock(NOW)) == 3
    assert await fold(database, FakeClock(NOW)) == 0
    assert [one.slots for one in database.watched_slots(0.0)] == [6, 6, 6]


async def test_it_goes_on_after_a_failure(database: Database, autojump_clock: trio.testing.MockClock) -> None:
    def rename(before: str, after: str) -> None:
        with database.batch(), database._writing() as connection:
            connection.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))

    rename("line_watches", "lost")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_lines, database, FakeClock(NOW))
        await trio.sleep(3 * line_upkeep.FOLD_SECONDS)
        rename("lost", "line_watches")
        while any(one.slots == 1 for one in database.watched_slots(0.0)):  # noqa: ASYNC110 - there is no event
            await trio.sleep(line_upkeep.FOLD_SECONDS)
        nursery.cancel_scope.cancel()

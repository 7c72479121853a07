"""`seed_server.service`: what must not end a running server."""

import sqlite3
from pathlib import Path
from typing import Any, cast

import trio
import trio.testing

from p2pdist.shared.identifiers import EndpointId
from seed_server.origin.server import OriginServer
from seed_server.service import _Service
from seed_server.store.database import Database

ENDPOINT = EndpointId("a" * 26)


class Dropped:
    """Stands where the origin port does, and shows what it is told."""

    def __init__(self) -> None:
        self.send, self.receive = trio.open_memory_channel[set[EndpointId]](8)

    def drop_denied(self, denied: set[EndpointId]) -> None:
        self.send.send_nowait(denied)


async def test_denials_are_seen_again_after_the_database_could_not_be_read(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    dropped = Dropped()
    nothing = cast("Any", None)
    with Database.create(tmp_path / "state.db") as database:
        database.add_endpoint(ENDPOINT, "pc-1", 0.0)
        service = _Service(nothing, nothing, database, nothing, nothing, nothing, nothing)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.watch_denied, cast("OriginServer", dropped))
            assert await dropped.receive.receive() == set()
            other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
            other.execute("ALTER TABLE endpoints RENAME TO elsewhere")
            await trio.sleep(60.0)
            other.execute("ALTER TABLE elsewhere RENAME TO endpoints")
            other.execute("UPDATE endpoints SET denied = 1")
            other.close()
            assert await dropped.receive.receive() == {ENDPOINT}
            nursery.cancel_scope.cancel()

"""What an endpoint can make the server send to its site beside data: little, paced, and counted.

The sites are the origin port's own objects on a clock that jumps; `traffic` measures a PC that reconnects all the time.
"""

import base64
import hashlib
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import trio
import trio.testing

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.channels import decode_from_server
from p2pdist.shared.wire.frames import FRAME_HEADER_BYTES
from p2pdist.shared.wire.messages import (
    PROTOCOL_VERSION,
    ControlHello,
    RepositoryChanged,
    SitePeers,
    Unavailable,
)
from seed_server.line.control_budget import line_bytes
from seed_server.line.site_map import parse_site_map
from seed_server.origin.coded_forms import CodedForms
from seed_server.origin.connection import OriginConnection
from seed_server.origin.limits import DEFAULT_LIMITS
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.records import OriginRecords
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite
from seed_server.origin.state import OriginState
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.content_store import ContentStore
from seed_server.store.database import Database
from seed_server.store.piece_source import PieceSource
from tests.helpers.fake_clock import FakeClock

RECONNECT_SECONDS = 0.25


def endpoint_id(number: int) -> EndpointId:
    digest = hashlib.sha256(str(number).encode()).digest()[:16]
    return EndpointId(base64.b32encode(digest).decode().rstrip("=").lower())


@dataclass
class Site:
    """One site of the origin port's, whose endpoints read everything at once."""

    state: OriginState
    line_bytes: int = 0
    told: Counter[EndpointId] = field(default_factory=Counter)
    """Messages about neighbours, by who got them."""
    heard_at: dict[EndpointId, float] = field(default_factory=dict)
    """When who was told that there is something new."""

    def join(self, number: int, lan_port: int = 7691) -> tuple[Session, LiveSite]:
        address = f"10.61.{number // 250}.{number % 250 + 1}"
        connection = cast(
            "OriginConnection", SimpleNamespace(endpoint=endpoint_id(number), address=address, least_rtt_seconds=None)
        )
        hello = ControlHello(
            protocol=PROTOCOL_VERSION, software="test", hostname="pc", addresses=[address], lan_port=lan_port,
            on_mains=True, wired=True, uptime_seconds=1, instance="0" * 32,
        )  # fmt: skip
        return self.state.join(connection, hello)

    async def read(self, session: Session) -> None:
        while True:
            frame = await session.outbox.next_frame()
            if frame is None:
                continue
            self.line_bytes += line_bytes(len(frame))
            message = decode_from_server(frame[FRAME_HEADER_BYTES:])
            self.told[session.endpoint] += isinstance(message, SitePeers)
            if isinstance(message, RepositoryChanged):
                self.heard_at[session.endpoint] = trio.current_time()

    async def reconnect(self, seconds: float, number: int = 0) -> None:
        """Play a PC that comes and goes all the time, each time with another port."""
        for lan_port in range(10_000, 10_000 + int(seconds / RECONNECT_SECONDS)):
            session, live = self.join(number, lan_port)
            with trio.move_on_after(RECONNECT_SECONDS):
                await self.read(session)
            self.state.leave(session, live)


def site(directory: Path, database: Database, line_mbit: int = 20) -> Site:
    text = f'[[site]]\nname = "branch"\nnetworks = ["10.61.0.0/16"]\nline_mbit = {line_mbit}\n'
    state = OriginState(
        settings=ServerSettings(name="hq", address="127.0.61.1"),
        database=database,
        records=OriginRecords(database, FakeClock()),
        forms=CodedForms(None, PieceSource(ContentStore(directory)), OutsideLog()),
        sites=parse_site_map(text, source="sites.toml"),
        timestamp_version=1,
        clock=FakeClock(),
        limits=DEFAULT_LIMITS,
    )
    return Site(state)


async def traffic(directory: Path, endpoints: int, seconds: float) -> float:
    """Return the Mbit/s towards a site of ``endpoints``, of which one reconnects four times a second."""
    with Database.create(directory / "state.db") as database:
        branch = site(directory, database)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(branch.state.tick)
            for number in range(1, endpoints):
                session, _ = branch.join(number)
                nursery.start_soon(branch.read, session)
            await trio.sleep(60)
            assert set(branch.told) == {endpoint_id(number) for number in range(1, endpoints)}
            branch.line_bytes = 0
            await branch.reconnect(seconds)
            nursery.cancel_scope.cancel()
    return branch.line_bytes * 8 / seconds / 1e6


@pytest.mark.parametrize("endpoints", [49, 200])
async def test_pc_that_reconnects_all_the_time_costs_its_line_next_to_nothing(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, endpoints: int
) -> None:
    assert await traffic(tmp_path, endpoints, seconds=60) < 0.02


async def test_who_asks_for_answers_all_the_time_delays_nobody_s_news(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """A thousand answers for one PC wait on a slow line; the news for all others goes in between."""
    with Database.create(tmp_path / "state.db") as database:
        branch = site(tmp_path, database, line_mbit=2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(branch.state.tick)
            asker, live = branch.join(0)
            nursery.start_soon(branch.read, asker)
            for number in range(1, 25):
                session, _ = branch.join(number)
                nursery.start_soon(branch.read, session)
            await trio.sleep(30)
            for number in range(1_000):
                asker.outbox.put(str(number), Unavailable(torrent=f"{number:064x}", reason="not published here"))
            began = trio.current_time()
            live.repository_changed(2, began)
            await trio.sleep(5)
            assert asker.endpoint not in branch.heard_at, "the asker's own answers are still on their way"
            assert set(branch.heard_at) == set(live.sessions) - {asker.endpoint}
            assert max(branch.heard_at.values()) - began < 1.0
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    for size in (49, 200):
        with tempfile.TemporaryDirectory() as place:
            clock = trio.testing.MockClock(autojump_threshold=0)
            mbit = trio.run(traffic, Path(place), size, 60.0, clock=clock)
            print(f"{size} PCs: {mbit:.3f} Mbit/s")  # noqa: T201 - figures

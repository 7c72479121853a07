"""`p2pdist.neighbours.service`: how often the book is looked at."""

import dataclasses
from collections.abc import Callable
from typing import Any, cast

import pytest
import trio
from structlog.testing import capture_logs

from p2pdist.neighbours.known_peer import Announcement
from p2pdist.neighbours.service import IDLE_STEP_SECONDS, LEAST_LOOK_SECONDS, STEP_SECONDS, Neighbours
from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.messages import SitePeer, SitePeers
from p2pdist.transfer.torrent_engine import PeerRefused, TransferSnapshot
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason
from p2pdist.transfer.torrent_engine.reports import Phase

OWN = Announcement(EndpointId("a" * 26), "127.0.2.30", 7691, "0" * 16, "")
SECONDS = 60.0


def snapshot(phase: Phase) -> TransferSnapshot:
    return TransferSnapshot(TorrentHash("ab" * 32), phase, 1, 0, 0, 0, 0, 0, 0.0, (), None)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Neighbours], list[float]]:
    def count(neighbours: Neighbours) -> list[float]:
        times: list[float] = []
        real = neighbours._book.connections_wanted

        def counted(torrents: Any, now: float) -> Any:
            times.append(now)
            return real(torrents, now)

        monkeypatch.setattr(neighbours._book, "connections_wanted", counted)
        return times

    return count


@pytest.mark.parametrize(("phase", "every"), [("downloading", STEP_SECONDS), ("complete", IDLE_STEP_SECONDS)])
async def test_a_pc_with_nothing_to_fetch_looks_rarely(
    looks: Any, phase: Phase, every: float, autojump_clock: trio.testing.MockClock
) -> None:
    neighbours = Neighbours(cast("Any", None), None, lambda: OWN)
    times = looks(neighbours)
    with trio.move_on_after(SECONDS):
        await neighbours.run(lambda: [snapshot(phase)])
    assert len(times) == pytest.approx(SECONDS / every, abs=1)


async def test_a_pc_with_nothing_to_fetch_does_not_even_go_through_its_torrents(
    autojump_clock: trio.testing.MockClock,
) -> None:
    neighbours = Neighbours(cast("Any", None), None, lambda: OWN)
    asked: list[float] = []

    def torrents() -> list[TransferSnapshot]:
        asked.append(trio.current_time())
        return [snapshot("complete")]

    with trio.move_on_after(SECONDS):
        await neighbours.run(torrents)
    assert len(asked) == pytest.approx(SECONDS / IDLE_STEP_SECONDS, abs=1)


async def test_a_new_hint_is_looked_at_at_once(looks: Any, autojump_clock: trio.testing.MockClock) -> None:
    neighbours = Neighbours(cast("Any", None), None, lambda: OWN)
    times = looks(neighbours)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(neighbours.run, lambda: [snapshot("complete")])
        await trio.sleep(1.5)
        peer = SitePeer(endpoint_id="b" * 26, address="127.0.2.31", port=7691)
        neighbours.server_list(SitePeers(anew=True, joined=[peer], left=[]))
        await trio.sleep(0.1)
        assert times[-1] - times[0] == pytest.approx(1.5)
        nursery.cancel_scope.cancel()


async def test_for_a_new_torrent_neighbours_are_looked_for_at_once_and_not_all_the_time(
    looks: Any, autojump_clock: trio.testing.MockClock
) -> None:
    neighbours = Neighbours(cast("Any", None), None, lambda: OWN)
    times = looks(neighbours)
    torrents = [snapshot("complete")]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(neighbours.run, lambda: torrents)
        await trio.sleep(1.5)
        torrents[:] = [snapshot("downloading")]
        for _ in range(100):  # steps of the transfers
            neighbours.look_for(torrents)
            await trio.sleep(0.005)
        assert [at for at in times if at > times[0]] == [times[0] + 1.5]
        for number in range(100):  # one after the other begins
            torrents.append(dataclasses.replace(snapshot("downloading"), torrent_hash=TorrentHash(f"{number:064x}")))
            neighbours.look_for(torrents)
            await trio.sleep(0.01)
        assert len(times) <= 2 + 1.0 / LEAST_LOOK_SECONDS + 1
        nursery.cancel_scope.cancel()


async def test_who_begins_later_with_a_patch_is_no_warning_and_a_stranger_is() -> None:
    neighbours = Neighbours(cast("Any", None), None, lambda: OWN)
    with capture_logs() as logged:
        for reason in (PeerReason.NOT_SHARED, PeerReason.STILL_CHECKING, PeerReason.CERTIFICATE_REFUSED):
            neighbours.engine_event(PeerRefused(None, "127.0.2.9", 5_000, reason))
    assert [line["reason"] for line in logged] == [str(PeerReason.CERTIFICATE_REFUSED)]

"""An enrolled PC gone bad, over real connections of the origin port: it delays nobody, and fills no log."""

import datetime as dt
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
import trio

from bandwidth.profiles.parse import parse_profile
from p2pdist.shared.identifiers import SiteName, TorrentHash
from p2pdist.shared.wire.data_messages import Piece
from p2pdist.shared.wire.messages import PieceRejected, PieceStored, Report
from seed_server.leasing.times import LedgerTimes
from seed_server.origin.data_link import DataLink
from seed_server.store.database import ServedPayload
from tests.helpers.origin_endpoint import Closed, Endpoint, Ping, frame, keep_fetching
from tests.helpers.origin_harness import TEST_LIMITS, Lab, fetch, running_lab

ONE_FETCHER = '[[site]]\nname = "branch"\nnetworks = ["127.0.8.0/24"]\nline_mbit = {}\nfetchers = 1\n'
# a turn, a lease and a doubt last a tenth of what they do at a real site, as the file does
QUICK = replace(
    TEST_LIMITS, ledger=LedgerTimes(stored_grace_seconds=0.5, confirm_seconds=lambda _: 2.0, turn_seconds=1.0)
)
LONGEST = 1.5


async def confirm_and_forget(endpoint: Endpoint, patch: ServedPayload, taken: list[int]) -> None:
    """Take each piece, confirm it, throw it away and ask again, until the connection ends."""

    async def ask() -> None:
        while True:
            await endpoint.want(patch, stalled=True)  # it never has anything
            await trio.sleep(0.1)

    async def take() -> None:
        while True:
            piece = await endpoint.data.expect(Piece)
            taken.append(piece.piece)
            await endpoint.control.send(PieceStored(torrent=piece.torrent, piece=piece.piece))

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(take)
            nursery.start_soon(answer_pings, endpoint)
    except* (Closed, trio.ClosedResourceError, trio.BrokenResourceError):
        pass


async def answer_pings(endpoint: Endpoint) -> None:
    while True:
        message = await endpoint.control.receive()
        if isinstance(message, Ping):
            await endpoint.control.echo(message)


async def honest_seconds(root: Path, *, attacked: bool) -> tuple[float, int]:
    """Return how long an honest PC takes for a file of 6.5 MB over 20 Mbit/s, and what the attacker got."""
    root.mkdir()
    taken: list[int] = []
    async with (
        running_lab(root, sites=ONE_FETCHER.format(20), limits=QUICK, lease_seconds=1.0) as lab,
        trio.open_nursery() as nursery,
    ):
        patch = await lab.publish(100)
        if attacked:
            bad = await lab.endpoint(uptime_seconds=1 << 40)
            nursery.start_soon(confirm_and_forget, bad, patch, taken)
            while not taken:  # noqa: ASYNC110 - it has the slot
                await trio.sleep(0.01)
        honest = await lab.endpoint()
        started = trio.current_time()
        await honest.want(patch)
        while honest.have != (1 << patch.piece_count) - 1:
            await fetch(lab, honest, patch, 1)
        seconds = trio.current_time() - started
        nursery.cancel_scope.cancel()
    return seconds, len(taken)


async def test_one_that_confirms_and_forgets_does_not_keep_an_honest_pc_waiting(tmp_path: Path) -> None:
    alone, _ = await honest_seconds(tmp_path / "alone", attacked=False)
    attacked, taken = await honest_seconds(tmp_path / "attacked", attacked=True)
    # half a second more for a busy machine
    assert attacked <= LONGEST * alone + 0.5, f"{alone:.2f} s alone, {attacked:.2f} s; the attacker got {taken} pieces"


class TestFlood:
    """Valid messages that mean nothing, as many as the connection takes."""

    @pytest.fixture
    def logged(self) -> Iterator[io.StringIO]:
        stream, before = io.StringIO(), structlog.get_config()
        structlog.configure(
            processors=[structlog.processors.LogfmtRenderer()],
            logger_factory=structlog.PrintLoggerFactory(stream),
            cache_logger_on_first_use=False,
        )
        yield stream
        structlog.configure(**before)

    async def test_rejections_without_a_lease_are_neither_logged_nor_wake_anybody(
        self, tmp_path: Path, logged: io.StringIO
    ) -> None:
        async with running_lab(tmp_path) as lab:
            patch = await lab.publish(2)
            other, bad = await lab.endpoint(), await lab.endpoint()
            while (link := self.link(lab, other)) is None:  # noqa: ASYNC110 - the server takes a moment
                await trio.sleep(0.01)
            await bad.want(patch, can_fetch=False)
            await trio.sleep(0.1)
            awake = link._wake  # replaced whenever the sender is woken
            await bad.control.send_raw(frame(PieceRejected(torrent=patch.torrent_hash, piece=0)) * 400)
            await bad.control.send(Report(patches=[], refuses=""))
            await trio.sleep(0.3)
            assert "rejected" not in logged.getvalue()
            assert link._wake is awake
            await lab.still_serves()

    def link(self, lab: Lab, endpoint: Endpoint) -> DataLink | None:
        found = lab.server._fleet.session(endpoint.identity.endpoint)
        return found[0].link if found else None

    @pytest.mark.parametrize("kind", [PieceStored, PieceRejected])
    async def test_more_answers_than_pieces_end_the_connection(
        self, tmp_path: Path, kind: type[PieceStored | PieceRejected], logged: io.StringIO
    ) -> None:
        async with running_lab(tmp_path) as lab:
            patch = await lab.publish(2)
            bad = await lab.endpoint()
            started = time.monotonic()
            await bad.control.send_raw(frame(kind(torrent=patch.torrent_hash, piece=0)) * 3_500)
            assert "more answers than pieces" in await bad.control.closed()
            assert len(logged.getvalue()) < 10_000 * max(1.0, time.monotonic() - started)
            await lab.still_serves()

    async def test_reconnecting_and_breaking_off_again_and_again_fills_no_log(
        self, tmp_path: Path, logged: io.StringIO
    ) -> None:
        async with running_lab(tmp_path) as lab:
            identity = lab.identity()
            for _ in range(20):
                control, _ = await lab.control(identity)
                await control.send_raw(b"\0\0\0\0")
                await control.closed()
            assert logged.getvalue().count("endpoint connected") == 1
            assert logged.getvalue().count("connection ended") == 1


BLACKOUT = 'name = "stop"\ntime_zone = "UTC"\n[[blackout]]\nname = "all day"\n'
# the controller may yield on a busy machine, whose packets come late: that a site is held up is another matter
STEADY = 'name = "steady"\ntime_zone = "UTC"\n[[boost]]\nname = "test"\nrate = "40 Mbit/s"\nuntil = {}\n'
TWO_SITES = (
    '[[site]]\nname = "a"\nnetworks = ["127.0.8.0/25"]\nline_mbit = 40\nfetchers = 4\n'
    '[[site]]\nname = "b"\nnetworks = ["127.0.8.128/25"]\nline_mbit = 800\n'
)


class TestBlackout:
    @pytest.mark.parametrize("begun", [False, True], ids=["before", "while pieces are on their way"])
    async def test_a_site_that_may_not_be_sent_to_holds_up_no_other(self, tmp_path: Path, begun: bool) -> None:
        limits = replace(TEST_LIMITS, frames_in_memory=2, site_limit_seconds=0.1)
        async with (
            running_lab(tmp_path, sites=TWO_SITES, limits=limits, deadline_seconds=30.0) as lab,
            trio.open_nursery() as nursery,
        ):
            until = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
            steady = parse_profile(STEADY.format(until), source="steady")
            blackout = {SiteName("a"): parse_profile(BLACKOUT, source="stop"), SiteName("b"): steady}
            patch = await lab.publish(200)
            if not begun:
                lab.server.replace_profiles(blackout)
            stopped = [await lab.endpoint() for _ in range(4)]
            for endpoint in stopped:
                nursery.start_soon(keep_fetching, endpoint)
                await endpoint.want(patch)
            await trio.sleep(0.3)
            lab.server.replace_profiles(blackout)
            live = lab.server._fleet._live[SiteName("a")]
            while live.link_rate != 0:  # noqa: ASYNC110 - the site's next decision
                await trio.sleep(0.01)
            ledger = live.ledger.ledger(TorrentHash(patch.torrent_hash))
            assert ledger is not None
            if not begun:
                assert ledger.leases == {}, "what may not be sent is not leased"

            other = await lab.endpoint(replace(lab.identity(), local_address="127.0.8.250"))
            assert other.welcome.site == "b"
            await other.want(patch)
            with trio.fail_after(8.0):  # the blackout lasts until it is lifted
                assert len(await fetch(lab, other, patch, 20)) == 20

            # the stopped ones go on within a frame, where they were
            stored = ledger.counters.stored
            lab.server.replace_profiles({SiteName("a"): steady, SiteName("b"): steady})
            while ledger.counters.stored < stored + 20:  # noqa: ASYNC110 - their progress
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

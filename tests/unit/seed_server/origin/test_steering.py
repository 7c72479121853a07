"""`seed_server.origin.steering`: the loop on a fake clock, with endpoints that answer or do not."""

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from bandwidth.core.states import State
from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId, SiteName, TorrentHash
from p2pdist.shared.wire.channels import decode_from_server
from p2pdist.shared.wire.frames import FRAME_HEADER_BYTES
from p2pdist.shared.wire.line_messages import LinkWatch
from p2pdist.shared.wire.messages import SitePeer, Unavailable
from p2pdist.shared.wire.pings import Echo
from seed_server.leasing.turns import FetcherRank
from seed_server.line.control_budget import CONNECTING_BYTES, LEAST_BURST_BYTES, line_bytes
from seed_server.line.lateness import Lateness
from seed_server.line.site_map import Site
from seed_server.line.site_rate import DRAINING_PART, Line, Policy, SiteRate
from seed_server.line.site_sample import LinkView
from seed_server.line.socket_look import SocketLook
from seed_server.line.unwatched import UNWATCHED_BYTES
from seed_server.origin import steering as site_controller
from seed_server.origin.data_link import DataLink
from seed_server.origin.limits import DEFAULT_LIMITS
from seed_server.origin.message_budgets import MessageBudgets, MessageLimits
from seed_server.origin.outbox import Outbox
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite
from seed_server.origin.steering import TELL_SECONDS, SiteController, Steering
from tests.helpers.origin_endpoint import hello

LINE = BytesPerSecond(1_000_000)
SHARE = BytesPerSecond(500_000)
RTT = 0.04


@dataclass(eq=False)
class FakeLink:
    """A data connection that carries what it may."""

    endpoint: str
    kernel_tells: bool = True
    rate: BytesPerSecond | None = None
    rates: list[tuple[float, int]] = field(default_factory=list)
    carried: float = 0.0
    seen_at: float = 0.0
    left: float | None = None
    """Of its last piece, in the kernel; None: it has more to send."""
    loss_blind: bool = False
    read_late_seconds: float = 0.0
    wrote: Callable[[int, float], None] = lambda _count, _now: None
    """`LineWatch.wrote`."""
    controls: list[bytes] = field(default_factory=lambda: [b"bbr"])
    """What its socket's congestion control was, in order."""

    @property
    def connection(self) -> SimpleNamespace:
        return SimpleNamespace(socket=self)

    def view(self, *, sending: bool = True) -> LinkView:
        now = trio.current_time()
        sent = (self.rate or 0) * (now - self.seen_at)
        if self.left is not None:
            sent = min(sent, self.left)
            self.left -= sent
        self.carried += sent
        self.wrote(int(sent), now)
        self.seen_at = now
        unsent = 5_000 if self.left is None else int(self.left)
        look = SocketLook(
            RTT, 0.0, RTT, int(self.carried), None, 0, 0, 0, 1_448, 10_000, None, 1, unsent, 1 << 40, 0, False, 0.0
        )
        known = look if self.kernel_tells else None
        return LinkView(
            self.endpoint, known, int(self.carried), None, self.rate, not self.kernel_tells, sending, self.loss_blind
        )

    def wake(self) -> None:
        """See `DataLink`."""

    def getsockopt(self, *_: object) -> bytes:
        return self.controls[-1]

    def setsockopt(self, _level: int, _option: int, value: bytes) -> None:
        self.controls.append(value)

    def set_rate(self, rate: BytesPerSecond) -> None:
        self.rate = rate
        self.rates.append((trio.current_time(), rate))


@dataclass
class Branch:
    """A live site whose endpoints are played here."""

    live: LiveSite
    nursery: trio.Nursery
    steering: int = 0
    message_bytes: int = 0
    """On the line, without pings."""
    told: list[EndpointId] = field(default_factory=list)
    """Who was sent news, in order."""
    report_seconds: dict[EndpointId, float | None] = field(default_factory=dict)
    """How often each was told last to report."""

    def watched(self, session: Session) -> float | None:
        """Return how often ``session`` was told to report; None: seldom."""
        return self.report_seconds.get(session.endpoint)

    def join(self, letter: str, *, answers: bool = True, delay: float = RTT, late: float = 0.0) -> Session:
        connection = SimpleNamespace(endpoint=EndpointId(letter * 26), address="10.0.0.1", least_rtt_seconds=None)
        rank = FetcherRank(connection.endpoint, wired=True, on_mains=True, uptime_seconds=1)
        peer = SitePeer(endpoint_id=connection.endpoint, address=connection.address, port=7691)
        session = Session(
            cast("Any", connection),
            Outbox(self.live.control),
            rank,
            peer,
            [],
            hello("10.0.0.1"),
            budgets=MessageBudgets(MessageLimits(), 0.0),
        )
        self.live.join(session, trio.current_time())
        self.nursery.start_soon(self.play, session, answers, delay, late)
        return session

    async def play(self, session: Session, answers: bool, delay: float, late: float) -> None:
        """``late``: from its second echo on, the endpoint reads pings so late, and says so."""

        async def echo(number: int) -> None:
            waits = late if session.pings.echoes else 0.0
            await trio.sleep(delay + waits)
            assert session.pings.echoed(Echo(number, read_late_seconds=waits), trio.current_time())

        while True:
            frame = await session.outbox.next_frame()
            if frame is None:
                number = session.pings.sent(trio.current_time())
                if answers:
                    self.nursery.start_soon(echo, number)
                continue
            self.message_bytes += line_bytes(len(frame))
            message = decode_from_server(frame[FRAME_HEADER_BYTES:])
            if isinstance(message, LinkWatch):
                self.report_seconds[session.endpoint] = message.interval_seconds
            elif isinstance(message, Unavailable):
                self.told.append(session.endpoint)

    def send(self, session: Session, **changes: Any) -> FakeLink:
        link = FakeLink(session.endpoint, wrote=self.live.watch.wrote, **changes)
        session.link = cast("DataLink", link)
        self.live.started_sending(cast("DataLink", link), trio.current_time())
        return link

    def stop(self, link: FakeLink, *, left: float = 0.0) -> None:
        """End its turn; ``left``: bytes of its last piece that the kernel still has."""
        link.view()
        link.left = left
        self.live.stopped_sending(cast("DataLink", link), trio.current_time())


QUIET_SECONDS = DEFAULT_LIMITS.quiet_seconds
Play = Callable[[Branch], Any]


async def with_branch(play: Play, line: Line = Line(LINE)) -> None:  # noqa: B008 - frozen
    async with trio.open_nursery() as nursery:
        branch: Branch

        def on_active(live: LiveSite) -> None:
            branch.steering += 1
            nursery.start_soon(SiteController(live, QUIET_SECONDS, Lateness()).run)

        rate = SiteRate(line, trio.current_time())
        site = Site(SiteName("branch"), line, None)
        live = LiveSite(site, rate, fetchers=2, lease_seconds=30.0, on_active=on_active)
        branch = Branch(live, nursery)
        await play(branch)
        nursery.cancel_scope.cancel()


async def test_reaches_the_line_and_ends_when_nothing_is_sent(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        session = branch.join("a")
        link = branch.send(session)
        await trio.sleep(10)
        assert branch.live.rate.decision.allowance == 970_000
        assert link.rate == 970_000 * 1_448 // 1_500
        assert branch.watched(session) == pytest.approx(0.05)
        branch.stop(link)
        await trio.sleep(QUIET_SECONDS + 0.2)
        assert not branch.live.steered
        assert branch.watched(session) is None
        pings = session.pings.echoes
        await trio.sleep(60)
        assert session.pings.echoes - pings <= 1, "a quiet site is left alone"
        branch.send(session)
        await trio.sleep(1)
        assert branch.steering == 2
        assert branch.live.steered

    await with_branch(play)


def lacks(branch: Branch, session: Session, size_bytes: int, have: int = 0) -> None:
    """Let ``session`` want a torrent of so many bytes, which is one piece."""
    ledger, torrent = branch.live.ledger, TorrentHash(f"{size_bytes:064x}")
    ledger.add_torrent(torrent, sequence=1, piece_count=1, piece_length_bytes=size_bytes)
    ledger.want(session.endpoint, torrent, have=have, lan_have=0, lan_stalled=False, can_fetch=True, now=0.0)


async def test_of_a_small_transfer_nobody_reports_and_nobody_is_told(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        sessions = [branch.join(letter) for letter in "ab"]
        await trio.sleep(1)
        before = branch.message_bytes
        lacks(branch, sessions[0], 16_384)
        link = branch.send(sessions[0])
        await trio.sleep(0.2)
        branch.stop(link)
        branch.live.tell_limit(trio.current_time())
        assert branch.steering == 1, "by pings, and by what the kernel says"
        await trio.sleep(QUIET_SECONDS + 0.2)
        branch.live.tell_limit(trio.current_time())
        await trio.sleep(1)
        assert not branch.live.steered
        assert branch.message_bytes == before

    await with_branch(play)


async def test_after_a_small_transfer_too_endpoints_hear_that_nothing_may_be_sent_and_that_it_may_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def play(branch: Branch) -> None:
        session = branch.join("a")
        lacks(branch, session, 16_384)
        link = branch.send(session)
        await trio.sleep(0.1)
        branch.stop(link)
        await trio.sleep(QUIET_SECONDS + 0.2)
        for blackout in (True, False):
            branch.live.rate.set_policy(Policy(blackout=blackout))
            branch.live.tell_limit(trio.current_time())
            assert session.told_limit is not None
            assert (session.told_limit.state == "blackout") is blackout

    await with_branch(play)


async def test_many_small_transfers_are_watched_as_a_large_one_is(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        session = branch.join("a")
        lacks(branch, session, 16_384)
        unwatched = 0.0
        for _ in range(40):
            link = branch.send(session)
            await trio.sleep(0.2)
            branch.stop(link)
            if branch.watched(session) is not None:
                break
            unwatched += link.carried
            await trio.sleep(QUIET_SECONDS + 0.1)
        assert UNWATCHED_BYTES / 2 < unwatched < 128_000
        await trio.sleep(QUIET_SECONDS + 0.2)
        assert branch.watched(session) is None

    await with_branch(play)


async def test_what_turns_out_to_be_much_is_watched_until_its_end(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        session = branch.join("a")
        lacks(branch, session, 10)
        link = branch.send(session)
        await trio.sleep(0.1)
        assert branch.watched(session) is None
        lacks(branch, session, UNWATCHED_BYTES + 1)
        await trio.sleep(0.2)
        assert branch.watched(session) == pytest.approx(0.05)
        lacks(branch, session, UNWATCHED_BYTES + 1, have=1)
        await trio.sleep(0.2)
        assert branch.watched(session) == pytest.approx(0.05)
        branch.stop(link)

    await with_branch(play)


PAYLOAD = 970_000 * 1_448 // 1_500


async def test_what_a_busy_pc_says_of_its_lateness_reaches_the_law(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        link = branch.send(branch.join("a", late=0.05))
        await trio.sleep(10)
        assert branch.live.rate.decision.allowance == 970_000
        assert branch.live.rate.times.yielding == 0.0
        assert link.read_late_seconds == pytest.approx(0.05)

    await with_branch(play)


async def test_what_a_link_has_left_goes_out_beside_the_next_ones_pieces(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def play(branch: Branch) -> None:
        first, second = branch.send(branch.join("a")), branch.send(branch.join("b"))
        await trio.sleep(10)
        branch.stop(first, left=40_000)
        assert first.rate == pytest.approx(PAYLOAD / DRAINING_PART, abs=1)
        assert second.rate == pytest.approx(PAYLOAD - PAYLOAD / DRAINING_PART, abs=1)
        await trio.sleep(0.7)
        first.view()
        assert first.left == 0.0
        assert second.rate == PAYLOAD
        assert branch.live.rate.times.yielding == 0.0

    await with_branch(play)


async def test_one_that_never_takes_what_it_has_left_keeps_its_part_for_five_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def play(branch: Branch) -> None:
        first, second = branch.send(branch.join("a")), branch.send(branch.join("b"))
        await trio.sleep(10)
        branch.stop(first, left=1e9)
        await trio.sleep(4.8)
        assert second.rate == pytest.approx(PAYLOAD - PAYLOAD / DRAINING_PART, abs=1)
        await trio.sleep(0.4)
        assert second.rate == PAYLOAD

    await with_branch(play)


async def test_windows_that_losses_do_not_shrink_begin_anew_every_eight_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def play(branch: Branch) -> None:
        links = [branch.send(branch.join(letter), loss_blind=True) for letter in "ab"]
        await trio.sleep(30)
        for link in links:
            renewals = link.controls[1::2]
            assert renewals == [b"cubic"] * len(renewals)
            assert 3 <= len(renewals) <= 5, "the first one at the first look"
            assert link.controls[-1] == b"bbr"

    await with_branch(play)


async def test_a_turn_that_is_handed_on_is_no_pause(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        sessions = [branch.join(letter) for letter in "ab"]
        for turn in range(20):
            link = branch.send(sessions[turn % 2])
            await trio.sleep(0.5)
            branch.stop(link, left=20_000)
            await trio.sleep(0.02)
        rate = branch.live.rate
        assert rate.decision.allowance == 970_000
        assert rate.times.sending == pytest.approx(20 * 0.52, abs=0.2), "the gaps are counted too"
        assert rate.times.yielding == 0.0

    await with_branch(play)


async def test_data_and_messages_together_keep_the_share_of_the_line(autojump_clock: trio.testing.MockClock) -> None:
    """Thirty PCs get all the news that the budget lets through, while one fetches."""

    async def play(branch: Branch) -> None:
        sessions = [branch.join(letter) for letter in "abcdefghijklmnopqrstuvwxyz234567"]
        link = branch.send(sessions[0])

        async def flood() -> None:
            for version in itertools.count():
                for session in sessions:
                    session.outbox.put("news", Unavailable(torrent=f"{version:064x}", reason="x" * 400))
                await trio.sleep(0.01)

        branch.nursery.start_soon(flood)
        await trio.sleep(20)
        link.view()
        seconds, data, messages = 30.0, link.carried, branch.message_bytes
        await trio.sleep(seconds)
        link.view()
        data, messages = (link.carried - data) * 1_500 / 1_448, branch.message_bytes - messages
        assert 0.09 * SHARE * seconds < messages < 0.11 * SHARE * seconds, "what goes is a tenth"
        assert 0.99 * SHARE * seconds < data + messages < SHARE * seconds + LEAST_BURST_BYTES
        assert branch.live.rate.decision.state is State.SCAVENGE, "our own messages are no rival"
        told = Counter(branch.told)
        assert len(told) == len(sessions)
        assert min(told.values()) > 0.85 * max(told.values()), "each in its turn"

    await with_branch(play, Line(LINE, SHARE))


async def test_who_connects_all_the_time_does_not_stop_its_site(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        session = branch.join("a")
        link = branch.send(session)

        async def connect() -> None:
            while True:
                branch.live.rate.control.count(CONNECTING_BYTES)
                await trio.sleep(0.001)

        branch.nursery.start_soon(connect)
        await trio.sleep(20)
        assert link.rate is not None
        assert link.rate == pytest.approx(SHARE * 1_448 / 1_500 / 2, rel=0.01)
        session.outbox.put("news", Unavailable(torrent="0" * 64, reason=""))
        await trio.sleep(0.1)
        assert branch.told == [session.endpoint], "and news need not wait"

    await with_branch(play, Line(LINE, SHARE))


async def test_one_task_however_often_links_begin_and_end(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        session = branch.join("a")
        for _ in range(20):
            link = branch.send(session)
            await trio.sleep(0.3)
            branch.stop(link)
            await trio.sleep(0.1)
        assert branch.steering == 1
        assert branch.live.rate.times.yielding == 0.0

    await with_branch(play)


async def test_looks_twenty_times_a_second_also_when_a_look_was_late(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        link = branch.send(branch.join("a"))
        await trio.sleep(2)
        before = len(link.rates)
        autojump_clock.jump(1.0)  # a busy machine: what was missed is not made up for
        await trio.sleep(2)
        assert 38 <= len(link.rates) - before <= 42

    await with_branch(play)


async def test_endpoint_that_answers_no_ping_is_steered_by_tcp_info(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        branch.send(branch.join("a", answers=False))
        await trio.sleep(10)
        assert branch.live.rate.decision.allowance == 970_000

    await with_branch(play)


async def test_without_tcp_info_pings_steer(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        branch.send(branch.join("a"), kernel_tells=False)
        await trio.sleep(10)
        assert branch.live.rate.decision.allowance == 970_000

    await with_branch(play)


async def test_without_any_sensor_the_line_is_left_at_the_first_rate(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        branch.send(branch.join("a", answers=False), kernel_tells=False)
        await trio.sleep(10)
        assert 1 <= branch.live.rate.decision.allowance <= 64_000

    await with_branch(play)


async def test_endpoint_that_goes_with_a_ping_on_its_way(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        gone, stays = branch.join("a"), branch.join("b")
        links = [branch.send(gone), branch.send(stays)]
        await trio.sleep(5)
        branch.stop(links[0])
        gone.link = None
        branch.live.leave(gone, trio.current_time())
        await trio.sleep(5)
        assert branch.live.rate.decision.state in (State.RAMP, State.SCAVENGE)
        assert links[1].rate == 970_000 * 1_448 // 1_500

    await with_branch(play)


async def test_slow_line_is_looked_at_less_often(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        link = branch.send(branch.join("a"))
        await trio.sleep(2)
        before = len(link.rates)
        await trio.sleep(2)
        assert 19 <= len(link.rates) - before <= 21

    await with_branch(play, Line(BytesPerSecond(125_000)))


async def test_bug_in_one_step_costs_one_step(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(branch: Branch) -> None:
        branch.send(branch.join("a"))
        await trio.sleep(2)
        decide = branch.live.rate.decide
        failures = iter([1])

        def broken(*arguments: Any, **named: Any) -> Any:
            for _ in failures:
                raise RuntimeError("a bug")
            return decide(*arguments, **named)

        monkeypatch.setattr(branch.live.rate, "decide", broken)
        with capture_logs() as logged:
            await trio.sleep(5)
        assert [entry["event"] for entry in logged] == ["steering a site failed"]
        assert branch.live.rate.decision.allowance == 970_000

    await with_branch(play)


async def test_pings_few_of_many(autojump_clock: trio.testing.MockClock) -> None:
    async def play(branch: Branch) -> None:
        sessions = [branch.join(letter) for letter in "abcdefgh"]
        for session in sessions:
            branch.send(session)
        await trio.sleep(1)
        assert sum(session.pings.echoes > 0 for session in sessions) == site_controller.MAX_PINGED

    await with_branch(play)


async def test_the_debug_log_tells_how_late_the_controllers_were(autojump_clock: trio.testing.MockClock) -> None:
    steering = Steering(QUIET_SECONDS)
    live = LiveSite(
        Site(SiteName("branch"), Line(LINE), None),
        SiteRate(Line(LINE), trio.current_time()),
        fetchers=2,
        lease_seconds=30.0,
        on_active=steering.start,
    )
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(steering.run)
            await trio.testing.wait_all_tasks_blocked()
            branch = Branch(live, nursery)
            branch.send(branch.join("a"))
            await trio.sleep(TELL_SECONDS + 0.01)
            nursery.cancel_scope.cancel()
    (line,) = [line for line in logs if line["event"] == "how late the controllers were"]
    assert line["steps"] == pytest.approx(TELL_SECONDS / 0.05, abs=2)
    assert (line["p99"], line["worst"], line["classes"]) == ("0.0 ms", "0.0 ms", f"0:{line['steps']}")

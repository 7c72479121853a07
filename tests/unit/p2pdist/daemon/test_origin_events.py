"""`p2pdist.daemon.origin_events`: which part gets which message of the server."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import structlog.testing
import trio
import trio.testing
from msgspec import structs

from bandwidth.core.states import Reason
from p2pdist.daemon.origin_events import CONNECTED_LOG_SECONDS, Asking, OriginEvents, Remembers
from p2pdist.daemon.state import DaemonState
from p2pdist.daemon.wakeups import WakeUp, WakeUps
from p2pdist.origin.connection import Disconnected
from p2pdist.pc.last_site import load_site
from p2pdist.shared.wire.features import AUDIT_WITNESS, INVENTORY, PARCELS
from p2pdist.shared.wire.fields import Features
from p2pdist.shared.wire.inventory import InventoryWanted
from p2pdist.shared.wire.line_messages import LinkWatch, SiteLimit
from p2pdist.shared.wire.messages import (
    OtherPc,
    Pace,
    RepositoryChanged,
    SharedIdentity,
    SitePeers,
    Unavailable,
    Welcome,
)
from p2pdist.shared.wire.parcel import Parcels
from p2pdist.shared.wire.signed_files import SignedWanted
from p2pdist.shared.wire.witness import Consistency
from p2pdist.status.report_pace import ReportPace
from tests.helpers.daemon_states import made_up_state
from tests.helpers.fake_clock import FakeClock

WELCOME = Welcome(
    server_name="hq",
    site="oslo",
    timestamp_version=1,
    packet_bytes=1_500,
    large_packets_lost=False,
    at=FakeClock.wall,
)
LIMIT = SiteLimit(
    rate=1,
    capacity=None,
    configured=False,
    state="yield",
    reason="",
    seconds={},
    yield_seconds=0.0,
    learned_seconds=None,
)


class Parts:
    """Stands in for transfers, neighbours, reports and diagnoser, and notes their calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.pace = ReportPace(0.0)

    def server_list(self, peers: object) -> None:
        self.calls.append("peers")

    def origin_unavailable(self, torrent: str, reason: str) -> None:
        self.calls.append(reason)

    def forget_wants(self, *, takes_holdings: bool, takes_bases: bool) -> None:
        self.calls.append("holdings" if takes_holdings else "wants")

    def welcomed(self, *, has_parcels: bool) -> None:
        self.has_parcels = has_parcels

    def told(self, _message: Parcels) -> None:
        self.calls.append("parcels")

    def forget(self, recorded: int, connection: int) -> None:
        self.calls.append("reports")
        self.recorded = recorded, connection

    def reconnected(self) -> None:
        self.calls.append("diagnosis")

    async def announce(self) -> None:
        self.calls.append("announce")


@dataclass
class FollowsLog:
    """Stands in for the witness of the audit log."""

    calls: list[Any]

    def welcomed(self, features: Features) -> None:
        self.calls += ["proofs"] if AUDIT_WITNESS in features else []

    def heard(self, _answer: Consistency) -> None:
        self.calls.append("proof")

    def disconnected(self) -> None:
        self.calls.append("no proofs")


@dataclass
class Presents:
    """Stands in for what hands signed files to the server."""

    calls: list[Any]

    def welcomed(self, _features: Features) -> None:
        """It has its own test."""

    def disconnected(self) -> None:
        """Likewise."""

    def heard(self, question: SignedWanted) -> None:
        self.calls.append(question.path)


@dataclass
class TellsInventory:
    """Stands in for what tells the server of this PC's facts and packages."""

    calls: list[Any]

    def welcomed(self, features: Features) -> None:
        if INVENTORY in features:
            self.calls.append("inventory")

    def disconnected(self) -> None:
        """It has its own test."""

    def heard(self, wanted: InventoryWanted) -> None:
        self.calls.append(wanted.most_bytes)


def made_up_events(state: DaemonState, parts: Any, directory: Path, wakeups: WakeUps | None = None) -> OriginEvents:
    return OriginEvents(
        state,
        wakeups or WakeUps(),
        Asking(
            (parts,),
            parts,
            cast("Any", FollowsLog(parts.calls)),
            cast("Any", Presents(parts.calls)),
            parts,
            cast("Any", TellsInventory(parts.calls)),
        ),
        parts,
        parts,
        parts,
        Remembers(directory / "site", directory / "server"),
        watched=lambda: None,
    )


async def rung(wakeup: WakeUp) -> bool:
    began = trio.current_time()
    await wakeup.wait(1.0)
    return trio.current_time() == began


async def test_each_message_reaches_its_part(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    parts: Any = Parts()
    state, wakeups = made_up_state(), WakeUps()
    events = made_up_events(state, parts, tmp_path, wakeups)
    welcome = WELCOME
    await events.handle(welcome)
    assert parts.calls == ["announce", "wants", "reports", "diagnosis"]
    assert (state.site, load_site(tmp_path / "site")) == ("oslo", "oslo")
    assert (await rung(wakeups.trust), await rung(wakeups.transfers)) == (True, True)
    assert state.clock_trust.problem == ""
    await events.handle(structs.replace(welcome, at=FakeClock.wall - 3_600))
    assert "ahead of the seed server's" in state.clock_trust.problem
    assert state.welcomes == 2
    assert parts.calls[4:] == ["wants", "reports", "diagnosis"], "the site is the same"
    assert await rung(wakeups.trust)
    await events.handle(RepositoryChanged(timestamp_version=2))
    assert await rung(wakeups.trust)
    assert state.newest == RepositoryChanged(timestamp_version=2)
    await events.handle(SitePeers(anew=True, joined=[], left=[]))
    await events.handle(Unavailable(torrent="1" * 64, reason="its disk is broken"))
    assert parts.calls[7:] == ["peers", "its disk is broken"]
    assert not parts.has_parcels
    await events.handle(structs.replace(welcome, features=(PARCELS,)))
    await rung(wakeups.transfers)
    await events.handle(Parcels(parcels=[]))
    assert parts.has_parcels
    assert parts.calls[-1] == "parcels"
    assert await rung(wakeups.transfers), "patches wait for it"


async def test_the_witness_of_the_audit_log_hears_what_it_needs(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    parts: Any = Parts()
    events = made_up_events(made_up_state(), parts, tmp_path)
    await events.handle(structs.replace(WELCOME, features=(AUDIT_WITNESS,)))
    assert "proofs" in parts.calls
    await events.handle(Consistency(1, 2, b""))
    await events.handle(Disconnected("gone"))
    assert parts.calls[-2:] == ["proof", "no proofs"]


async def test_what_the_server_wants_to_know_of_this_pc_reaches_who_tells_it(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    parts: Any = Parts()
    events = made_up_events(made_up_state(), parts, tmp_path)
    await events.handle(structs.replace(WELCOME, features=(INVENTORY,)))
    assert "inventory" in parts.calls
    await events.handle(InventoryWanted(b"b" * 32, 2_048))
    assert parts.calls[-1] == 2_048


async def test_since_when_the_server_is_lost_is_known_until_it_is_back(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    parts: Any = Parts()
    state = made_up_state()
    events = made_up_events(state, parts, tmp_path)
    seen = []
    for event in (
        Disconnected("no answer"),  # there was no connection yet
        WELCOME,
        Disconnected("gone"),
        Disconnected("no answer"),
        WELCOME,
    ):
        await trio.sleep(60)
        await events.handle(event)
        seen.append(state.lost_at and trio.current_time() - state.lost_at)
    assert seen == [None, None, 0.0, 60.0, None]


async def test_who_is_to_report_on_its_network_looks_at_it_at_once(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    parts: Any = Parts()
    woken: list[str] = []
    state = made_up_state()
    events = OriginEvents(
        state,
        WakeUps(),
        Asking(
            (parts,),
            parts,
            cast("Any", FollowsLog(parts.calls)),
            cast("Any", Presents(parts.calls)),
            parts,
            cast("Any", TellsInventory(parts.calls)),
        ),
        parts,
        parts,
        parts,
        Remembers(tmp_path / "site", tmp_path / "server"),
        watched=lambda: woken.append("once"),
    )
    for interval in (None, 0.1, 0.2, None, 1.0):
        await events.handle(LinkWatch(interval_seconds=interval))
    assert woken == ["once", "once"], "when it begins, not at each change"


async def test_what_is_known_of_the_line_ends_with_the_connection(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    parts: Any = Parts()
    state, wakeups = made_up_state(), WakeUps()
    events = made_up_events(state, parts, tmp_path, wakeups)
    await events.handle(LIMIT)
    assert not state.line_yields, "nobody asks: nothing is sent"
    await events.handle(LinkWatch(interval_seconds=1.0))
    assert (state.reports_link, state.line_yields) == (True, True)
    await events.handle(Disconnected("gone"))
    assert (state.reports_link, state.line_yields, state.site_limit) == (False, False, None)
    assert await rung(wakeups.renewal)


async def test_what_the_server_says_of_a_pause_holds_though_it_wants_no_reports(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    parts: Any = Parts()
    state = made_up_state()
    events = made_up_events(state, parts, tmp_path)
    await events.handle(LIMIT)
    assert state.line_spared == ""
    reason = f"{Reason.HARM_PAUSE.value}: connections of others were slowed down while we sent; again in 9 min"
    await events.handle(structs.replace(LIMIT, reason=reason, rate=0))
    assert state.server_says.line_spared == "connections of others were slowed down while we sent; again in 9 min"
    await events.handle(Disconnected("gone"))
    assert state.line_spared == ""


async def test_a_welcome_without_end_does_not_fill_the_log(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """The network part says it, and may have been taken over."""
    parts: Any = Parts()
    events = made_up_events(made_up_state(), parts, tmp_path)
    with structlog.testing.capture_logs() as logs:
        for _ in range(100):
            await events.handle(WELCOME)
        await trio.sleep(CONNECTED_LOG_SECONDS)
        await events.handle(WELCOME)
    assert [line["left_out"] for line in logs] == [0, 99]


async def test_other_pcs_with_this_identity_are_said_with_the_cure_until_the_server_knows_of_none(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    state = made_up_state()
    events = made_up_events(state, Parts(), tmp_path)
    other = OtherPc(hostname="pc-2", address="10.0.0.2")
    refused = Disconnected("one at a time", "shared_identity", (other,))
    assert state.copies_words == ""
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await events.handle(refused)
    assert [line["event"] for line in logs] == ["other PCs show this PC's identity"]
    for words in ("pc-2 (10.0.0.2)", "not this one", "p2pdist enrol --home /nowhere --force --new-key"):
        assert words in state.copies_words
    await events.handle(Disconnected("gone"))
    assert state.copies.refused, "nothing has been said about it"
    await events.handle(WELCOME)
    assert state.copies_words == ""
    await events.handle(SharedIdentity(others=[other]))
    assert "now this one" in state.copies_words
    await events.handle(SharedIdentity(others=[]))
    assert state.copies_words == ""


async def test_reports_keep_the_pace_that_this_connection_was_told(tmp_path: Path) -> None:
    parts: Any = Parts()
    events = made_up_events(made_up_state(), parts, tmp_path)
    await events.handle(structs.replace(WELCOME, pace=Pace(report_seconds=8.0), recorded=3, connection=4))
    assert parts.recorded == (3, 4)
    assert parts.pace.seconds == 8.0
    await events.handle(Pace(report_seconds=16.0))
    assert parts.pace.seconds == 16.0
    await events.handle(WELCOME)
    assert parts.pace.is_usual


async def test_what_is_known_already_wakes_nobody(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    state, wakeups = made_up_state(site="oslo"), WakeUps()
    events = made_up_events(state, Parts(), tmp_path, wakeups)
    state.accepted_timestamp = WELCOME.timestamp_version
    await events.handle(WELCOME)
    await events.handle(RepositoryChanged(timestamp_version=WELCOME.timestamp_version))
    assert not await rung(wakeups.trust)
    await events.handle(structs.replace(WELCOME, site="bergen"))
    assert await rung(wakeups.trust), "another site may have a throttle profile"
    await events.handle(Disconnected("gone"))
    assert state.newest is None


async def test_a_question_for_signed_files_goes_to_who_has_them(tmp_path: Path) -> None:
    parts = Parts()
    await made_up_events(made_up_state(), parts, tmp_path).handle(SignedWanted("metadata/2.root.json"))
    assert parts.calls == ["metadata/2.root.json"]

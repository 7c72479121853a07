"""`p2pdist.daemon.trust_refresh`: what a failed refresh leaves behind, and when the next one comes."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import trio
import trio.testing
from structlog.testing import capture_logs

from p2pdist.daemon.state import DaemonState
from p2pdist.daemon.trust_refresh import TrustRefresh
from p2pdist.daemon.wakeups import WakeUps
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import RolloutEntry
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.servers import ServerList
from p2pdist.shared.server_address import ServerAddress
from p2pdist.shared.wire.messages import RepositoryChanged
from p2pdist.trust.catalogue import Catalogue, NotYet
from p2pdist.trust.errors import TrustError
from p2pdist.trust.ring_rules import RingMember, RingReason, RingWait
from p2pdist.trust.store import ServerWord, TrustStore
from tests.helpers.daemon_states import made_up_state
from tests.helpers.fake_clock import FakeClock
from tests.helpers.patch_views import manifest, payload


class Store:
    """Knows nothing at first, then fails, then answers."""

    def __init__(self) -> None:
        self.asked_at: list[float] = []
        self.said: list[ServerWord | None] = []
        self.expires_at = math.inf
        self.passed_at = 0.0
        self.site: str | None = None
        self.asked_where: list[str] = []
        self.use_server = self.asked_where.append
        self.fails = True
        self.why: UserError = UserError("The server is away.")

        self.not_yet: tuple[NotYet, ...] = ()
        self.cached: Catalogue | None = None
        self.member: RingMember | None = None
        self.spare: list[tuple[float, str]] = []
        self.spare_seconds = 0.0

    async def keep_spare(self) -> None:
        self.spare.append((trio.current_time(), "begun"))
        await trio.sleep(self.spare_seconds)
        self.spare.append((trio.current_time(), "kept"))

    async def load_cached(self, now: float) -> Catalogue | None:
        return self.cached

    async def refresh(self, now: float, said: ServerWord | None = None) -> Catalogue:
        self.asked_at.append(trio.current_time())
        self.said.append(said)
        if self.fails:
            raise self.why
        return Catalogue(
            timestamp_version=1,
            patches=(),
            refused=(),
            stale="too old",
            not_applicable=(),
            not_yet=self.not_yet,
            passed_at=self.passed_at,
            expires_at=self.expires_at,
            checkpoint=b"signed now",
        )


class Following:
    """Stands in for the transfers and for installing."""

    def __init__(self) -> None:
        self.catalogues: list[Catalogue] = []

    def held(self) -> frozenset[Any]:
        return frozenset()

    async def may_go_back(self) -> frozenset[PatchRef]:
        return frozenset()

    async def reconcile(self, catalogue: Catalogue) -> None:
        self.catalogues.append(catalogue)

    def follow_catalogue(self, catalogue: Catalogue) -> None:
        self.catalogues.append(catalogue)


PC = cast("Any", SimpleNamespace(chooser=lambda: None, for_rings=Facts()))


async def test_trust_that_cannot_be_read_at_start_is_a_problem_in_words(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    blocked = tmp_path / "trust"
    blocked.write_bytes(b"")
    store = TrustStore(blocked, base_url="https://127.0.2.20:1", root=b"", http=cast("Any", None))
    state, follows = made_up_state(), cast("Any", Following())
    refresh = TrustRefresh(state, WakeUps(), FakeClock(), store, PC, follows, follows, refresh_seconds=60.0)
    with trio.move_on_after(5):
        await refresh.run()
    assert "cannot be read or written" in state.trust_problem


async def test_it_is_tried_again_soon_then_regularly_and_at_once_when_rung(
    autojump_clock: trio.testing.MockClock,
) -> None:
    state, wakeups, store, follows = made_up_state(site="oslo"), WakeUps(), Store(), Following()
    both = cast("Any", follows)
    refresh = TrustRefresh(state, wakeups, FakeClock(), cast("Any", store), PC, both, both, refresh_seconds=1_000.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(refresh.run)
        await trio.sleep(20)
        assert len(store.asked_at) >= 3
        assert (state.trust_problem, store.site) == ("The server is away.", "oslo")
        store.fails = False
        await trio.sleep(60)
        assert (state.trust_problem, state.stale_problem) == ("", "too old")
        assert len(follows.catalogues) == 2
        asked = len(store.asked_at)
        await trio.sleep(400)
        assert len(store.asked_at) == asked
        wakeups.trust.ring()
        await trio.sleep(1)
        assert len(store.asked_at) == asked + 1
        await trio.sleep(1_500)
        assert len(store.asked_at) >= asked + 2
        nursery.cancel_scope.cancel()


async def test_what_is_kept_for_others_comes_right_after_the_catalogue_and_gives_way_to_news(
    autojump_clock: trio.testing.MockClock,
) -> None:
    state, wakeups, both = made_up_state(), WakeUps(), cast("Any", Following())
    acted_on: list[tuple[int, int | None]] = []

    class Keeper(Store):
        async def keep_spare(self) -> None:
            acted_on.append((len(both.catalogues), state.accepted_timestamp))
            await super().keep_spare()

    store = Keeper()
    store.fails, store.spare_seconds = False, 30.0
    refresh = TrustRefresh(state, wakeups, FakeClock(), cast("Any", store), PC, both, both, refresh_seconds=1_000.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(refresh.run)
        await trio.sleep(10)
        assert acted_on == [(2, 1)], "by transfers and installing"
        assert store.spare == [(store.asked_at[0], "begun")], "a server that is lost now gets it back"
        wakeups.trust.ring()
        rung_at = trio.current_time()
        await trio.sleep(1)
        assert store.asked_at[-1] == rung_at
        await trio.sleep(30)
        assert [word for _, word in store.spare] == ["begun", "begun", "kept"]
        nursery.cancel_scope.cancel()


async def test_all_addresses_of_the_server_are_tried_before_it_waits(
    autojump_clock: trio.testing.MockClock,
) -> None:
    state, both = made_up_state(), cast("Any", Following())
    turns = state.servers.web
    turns.use([turns.current, *(ServerAddress(f"192.0.2.{number}", 1, 2) for number in (1, 2))], turns.current)

    class Away(Store):
        async def refresh(self, now: float, said: ServerWord | None = None) -> Catalogue:
            turns.failed(turns.current, "no answer")
            return await super().refresh(now, said)

    store = Away()
    refresh = TrustRefresh(state, WakeUps(), FakeClock(), cast("Any", store), PC, both, both, refresh_seconds=600.0)
    with trio.move_on_after(300):
        await refresh.run()
    times = store.asked_at
    assert len(times) >= 9
    assert all(times[at] == times[at + 1] == times[at + 2] for at in (0, 3, 6))
    assert times[0] < times[3] < times[6]


async def test_what_a_refresh_says_of_this_pc_s_clock_is_remembered_and_logged(
    autojump_clock: trio.testing.MockClock,
) -> None:
    state, store, both = made_up_state(), Store(), cast("Any", Following())
    refresh = TrustRefresh(state, WakeUps(), FakeClock(), cast("Any", store), PC, both, both, refresh_seconds=60.0)
    store.why = TrustError("certificate_time", "The certificate has expired.")
    with capture_logs() as logged:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refresh.run)
            await trio.sleep(10)
            assert "certificate is not valid" in state.clock_trust.problem
            store.why = UserError("The server is away.")
            await trio.sleep(300)
            assert "certificate is not valid" in state.clock_trust.problem, "whoever is away says nothing of the time"
            store.fails = False
            await trio.sleep(300)
            assert state.clock_trust.problem == ""
            store.passed_at = FakeClock.wall + 86_400
            await trio.sleep(300)
            assert "signed something later" in state.clock_trust.problem
            nursery.cancel_scope.cancel()
    said = [line["event"] for line in logged if "the clock is" in line["event"]]
    assert said == ["the clock is not believed", "the clock is believed again", "the clock is not believed"]


async def test_only_what_is_refused_is_told_to_the_server(autojump_clock: trio.testing.MockClock) -> None:
    state, store, wakeups, both = made_up_state(), Store(), WakeUps(), cast("Any", Following())
    refresh = TrustRefresh(state, wakeups, FakeClock(), cast("Any", store), PC, both, both, refresh_seconds=60.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(refresh.run)
        await trio.sleep(10)
        assert state.refuses == "", "a server that cannot be reached has said nothing that could be refused"
        store.why = TrustError("expired", "The signed metadata has expired.")
        await trio.sleep(300)
        assert state.refuses == "The signed metadata has expired."
        store.why = TrustError("certificate_time", "The certificate is not yet valid.")
        await trio.sleep(300)
        assert state.refuses == "The certificate is not yet valid."
        store.why = UserError("The server is away.")
        await trio.sleep(300)
        assert state.refuses == "The certificate is not yet valid.", "nothing has been accepted since"
        store.fails = False
        await trio.sleep(300)
        assert state.refuses == ""
        nursery.cancel_scope.cancel()


LIFE_SECONDS = 86_400.0


@asynccontextmanager
async def refreshing() -> AsyncIterator[tuple[Store, DaemonState, WakeUps]]:
    """Run a refresh whose store answers: timestamps of a day's life, and a poll each minute where nothing is said."""
    state, store, wakeups, both = made_up_state(), Store(), WakeUps(), cast("Any", Following())
    store.fails, store.expires_at = False, LIFE_SECONDS
    refresh = TrustRefresh(state, wakeups, FakeClock(), cast("Any", store), PC, both, both, refresh_seconds=60.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(refresh.run)
        await trio.sleep(1)
        yield store, state, wakeups
        nursery.cancel_scope.cancel()


async def test_a_connected_pc_polls_a_few_times_in_the_life_of_a_timestamp_and_a_lonely_one_every_few_minutes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with refreshing() as (store, state, _):
        state.newest = RepositoryChanged(timestamp_version=1)
        await trio.sleep(LIFE_SECONDS / 8 - 10)
        assert len(store.asked_at) == 1
        await trio.sleep(LIFE_SECONDS)
        assert 3 <= len(store.asked_at) <= 10
        assert set(store.said) == {None}
        asked, state.newest = len(store.asked_at), None
        await trio.sleep(600)
        assert 6 <= len(store.asked_at) - asked <= 21


async def test_what_the_server_has_said_on_this_connection_is_not_asked_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with refreshing() as (store, state, wakeups):
        for newest, said in (
            (RepositoryChanged(timestamp_version=1), ServerWord()),
            (RepositoryChanged(timestamp_version=2, timestamp=b"2", root_version=3), ServerWord(b"2", 3)),
            (RepositoryChanged(timestamp_version=2), None),
            (None, None),
        ):
            state.newest = newest
            wakeups.trust.ring()
            await trio.sleep(1)
            assert store.said[-1] == said
        assert len(store.said) == 5


async def test_new_facts_of_this_pc_put_off_no_look_at_the_server(autojump_clock: trio.testing.MockClock) -> None:
    async with refreshing() as (store, state, wakeups):
        state.newest = RepositoryChanged(timestamp_version=1)
        for _ in range(24 * 6):
            wakeups.trust.ring()
            await trio.sleep(600)
        assert store.said.count(ServerWord()) >= 100
        assert store.said.count(None) >= 3


async def test_after_a_failure_the_server_is_asked_whatever_it_has_said(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with refreshing() as (store, state, wakeups):
        state.newest = RepositoryChanged(timestamp_version=1)
        store.fails = True
        wakeups.trust.ring()
        await trio.sleep(0.1)
        assert (store.said[-1], state.accepted_timestamp) == (ServerWord(), None)
        await trio.sleep(20)
        assert store.said[-1] is None


class GoingClock(FakeClock):
    """Goes with trio's time."""

    def now(self) -> float:
        return self.wall + trio.current_time()

    def monotonic(self) -> float:
        return self.now()


def waits_until(at: float) -> NotYet:
    made = manifest(PatchRef("acme", "1"), payload())
    return NotYet(RolloutEntry("acme", "1", 1), made, RingWait(RingReason.HELD, "", at))


async def test_what_waits_for_time_alone_is_looked_at_when_it_has_passed_and_nothing_is_asked_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    state, store, both, clock = made_up_state(), Store(), cast("Any", Following()), GoingClock()
    refresh = TrustRefresh(state, WakeUps(), clock, cast("Any", store), PC, both, both, refresh_seconds=60.0)
    store.fails, store.expires_at = False, FakeClock.wall + 8_640_000.0
    store.not_yet = (waits_until(clock.now() + 1_000.0),)
    state.newest = RepositoryChanged(timestamp_version=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(refresh.run)
        await trio.sleep(900)
        assert [one.wait.reason for one in state.not_yet] == [RingReason.HELD]
        asked = len(store.said)
        store.not_yet = ()
        await trio.sleep(150)
        assert store.said[asked:] == [ServerWord()]
        assert state.not_yet == []
        await trio.sleep(3_000)
        assert len(store.said) == asked + 1, "it was looked at once"
        nursery.cancel_scope.cancel()


async def test_without_its_server_a_pc_reads_again_what_it_has_when_the_time_comes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    state, store, both, clock = made_up_state(), Store(), cast("Any", Following()), GoingClock()
    refresh = TrustRefresh(state, WakeUps(), clock, cast("Any", store), PC, both, both, refresh_seconds=60.0)
    store.cached = Catalogue(1, (), (), "", not_yet=(waits_until(clock.now() + 1_000.0),), confirmed=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(refresh.run)
        await trio.sleep(900)
        assert state.not_yet
        store.cached = Catalogue(1, (), (), "", confirmed=False)
        await trio.sleep(250)
        assert state.not_yet == []
        nursery.cancel_scope.cancel()


async def test_a_clock_that_is_not_believed_opens_nothing(autojump_clock: trio.testing.MockClock) -> None:
    state, store, both, clock = made_up_state(), Store(), cast("Any", Following()), GoingClock()
    refresh = TrustRefresh(state, WakeUps(), clock, cast("Any", store), PC, both, both, refresh_seconds=60.0)
    store.fails = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(refresh.run)
        await trio.sleep(10)
        assert store.member is not None
        assert store.member.now > 0.0
        state.clock_trust.server_says(clock.now() - 86_400.0)
        await trio.sleep(200)
        assert store.member.now == 0.0
        nursery.cancel_scope.cancel()


async def test_the_checkpoint_that_the_server_sends_is_passed_on_and_not_that_on_disk(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What is on the disk may be older than what this PC has seen: that would be an alarm."""
    state, store, both = made_up_state(), Store(), cast("Any", Following())
    refresh = TrustRefresh(state, WakeUps(), FakeClock(), cast("Any", store), PC, both, both, refresh_seconds=60.0)
    store.cached = Catalogue(1, (), (), "", confirmed=False, checkpoint=b"signed before")
    told: list[bytes] = []
    refresh.on_checkpoint = lambda note, _: told.append(note)
    with trio.move_on_after(30):
        await refresh.run()
    assert told == []
    store.fails = False
    with trio.move_on_after(30):
        await refresh.run()
    assert told == [b"signed now"]


async def test_every_other_list_of_addresses_is_followed_whatever_its_number(
    autojump_clock: trio.testing.MockClock,
) -> None:
    state, store, both = made_up_state(), Store(), cast("Any", Following())
    refresh = TrustRefresh(state, WakeUps(), FakeClock(), cast("Any", store), PC, both, both, refresh_seconds=60.0)
    here, there = (ServerAddress(f"192.0.2.{number}", 1, 2) for number in (1, 2))
    told: list[bool] = []
    refresh.on_servers = told.append
    for servers in ((here,), (there,), (there,)):
        store.cached = Catalogue(1, (), (), "", confirmed=False, servers=ServerList(1, 7, servers))
        refresh._anything_known = False
        with trio.move_on_after(5):
            await refresh.run()
    assert state.servers.origin.order[0] == there
    assert len(told) == 2

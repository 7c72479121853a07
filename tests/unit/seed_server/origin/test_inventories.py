"""`seed_server.origin.inventories`: PCs are asked in their turn, what they tell is recorded, and lies gain nothing."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.manifest.facts import MAX_PACKAGES
from p2pdist.shared.manifest.inventory import NOTHING, Changes, InventoryDigest, difference, digest_of
from p2pdist.shared.wire.inventory import MAX_PART_BYTES, InventoryPart, packed
from seed_server.origin.inventories import MOST_RECORDED_ITEMS, REST_FACTOR
from seed_server.origin.inventory_turns import (
    FIRST_BACKOFF_SECONDS,
    LONGEST_TURN_SECONDS,
    MOST_TURNS,
    SILENT_TURN_SECONDS,
    TURN_PACE,
    InventoryTurns,
)
from seed_server.store.inventory import InventoryTold
from tests.helpers.inventory_pc import DEB, EMPTY_DIGEST, HostilePc, Pc, Server, Store, has, inline, told

PACE = 1_800.0
SOFTWARE = {f"package-{n}": f"1.{n * n}-{n % 7}" for n in range(800)}


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trio.to_thread.run_sync", inline)


@asynccontextmanager
async def running(*, rate: int = 100_000) -> AsyncIterator[tuple[Server, trio.Nursery]]:
    server = Server(Store(), pace_seconds=PACE, rate=rate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.inventories.run)
        yield server, nursery
        nursery.cancel_scope.cancel()


async def test_a_pc_that_connects_tells_all_once(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    async with running() as (server, nursery):
        pc = Pc("a", tmp_path, has(SOFTWARE, arch="amd64"))
        nursery.start_soon(pc.news.run)
        pc.connect(server)
        await trio.sleep(10)
        assert server.store.kept == {"a": told(SOFTWARE, arch="amd64")}
        assert [one.base for one in server.store.told] == [None]
        pc.connect(server)
        await trio.sleep(10)
        assert len(server.store.told) == 1
        assert server.store.confirmed["a"][0] == digest_of(server.store.kept["a"])


async def test_a_change_is_told_as_such_and_not_before_its_time(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async with running() as (server, nursery):
        pc = Pc("a", tmp_path, has(SOFTWARE))
        nursery.start_soon(pc.news.run)
        pc.connect(server)
        await trio.sleep(100)
        for version in ("2", "3", "4"):
            pc.change(has(SOFTWARE | {"openssl": version}))
            await trio.sleep(100)
        assert len(server.store.told) == 1
        await trio.sleep(1.3 * PACE)
        assert server.store.kept["a"] == told(SOFTWARE | {"openssl": "4"})
        assert [len(one.changes) for one in server.store.told] == [801, 1]


async def test_one_pc_of_a_site_is_asked_at_a_time_and_many_of_all_sites(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async with running() as (server, _):
        silent = [HostilePc(f"pc{n}", tmp_path, []) for n in range(MOST_TURNS + 50)]
        for number, pc in enumerate(silent):
            pc.site = f"site-{number // 2}"
            pc.connect(server)
            pc.say(b"x" * 32)
        await trio.sleep(1)
        asked = [pc for pc in silent if pc.connection and pc.connection.asked]
        assert len(asked) == (MOST_TURNS + 50) // 2
        assert len({pc.site for pc in asked}) == len(asked)
        await trio.sleep(SILENT_TURN_SECONDS + 1)
        assert all(pc.connection and pc.connection.asked for pc in silent), "those that do not answer lose their turn"


async def test_parts_are_as_small_as_the_line_is_slow(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    for rate, most in ((4_000, 2_000), (100, 1_024), (10_000_000, MAX_PART_BYTES)):
        async with running(rate=rate) as (server, nursery):
            pc = Pc(f"pc{rate}", tmp_path, has(SOFTWARE))
            nursery.start_soon(pc.news.run)
            connection = pc.connect(server)
            await trio.sleep(100)
            assert {wanted.most_bytes for wanted in connection.asked} == {most}
            assert server.store.kept


async def test_what_pcs_tell_uses_up_what_messages_may_take_of_the_line(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async with running(rate=4_000) as (server, nursery):
        pc = Pc("a", tmp_path, has(SOFTWARE))
        nursery.start_soon(pc.news.run)
        pc.connect(server)
        await trio.sleep(2)
        told_bytes = sum(len(one.data) for one in pc.sent if isinstance(one, InventoryPart))
        counted = server.line("oslo")._budget.collect(most=1e9, now=trio.current_time())
        assert 1.05 * told_bytes < counted < 1.2 * told_bytes


def part_of(base: bytes, digest: bytes, data: bytes, offset: int = 0, total: int | None = None) -> InventoryPart:
    return InventoryPart(base, digest, offset, len(data) if total is None else total, data)


VIM = told({"vim": "1"})
RIGHT = packed(difference(NOTHING, VIM))
HONEST = part_of(EMPTY_DIGEST, digest_of(VIM), RIGHT)
OTHER = InventoryDigest(b"?" * 32)


@pytest.mark.parametrize(
    "lie",
    [
        part_of(EMPTY_DIGEST, digest_of(VIM), b"garbage"),
        part_of(EMPTY_DIGEST, digest_of(VIM), RIGHT, total=5),
        part_of(EMPTY_DIGEST, digest_of(VIM), RIGHT, offset=7, total=1_000),
        part_of(EMPTY_DIGEST, digest_of(VIM), b"", total=100),
        part_of(EMPTY_DIGEST, digest_of(VIM), b"", total=0),
        part_of(EMPTY_DIGEST, OTHER, RIGHT),
        part_of(OTHER, digest_of(VIM), RIGHT),
    ],
)
async def test_what_is_wrong_changes_nothing_and_all_is_asked_for_later(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, lie: InventoryPart
) -> None:
    async with running() as (server, _):
        pc = HostilePc("a", tmp_path, [lie, HONEST])
        connection = pc.connect(server)
        pc.say(digest_of(VIM))
        await trio.sleep(FIRST_BACKOFF_SECONDS / 2)
        assert server.store.kept == {}
        assert len(connection.asked) == 1
        await trio.sleep(FIRST_BACKOFF_SECONDS)
        assert server.store.kept == {"a": VIM}
        assert connection.asked[-1].base == EMPTY_DIGEST


async def test_changes_of_something_else_are_not_taken_and_all_is_asked_for(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async with running() as (server, _):
        server.store.kept["a"] = told({"vim": "0"})
        before = digest_of(server.store.kept["a"])
        changes = packed(Changes(packages={(DEB, "vim"): "2"}))  # which do not make what it says
        pc = HostilePc("a", tmp_path, [part_of(before, digest_of(VIM), changes), HONEST])
        connection = pc.connect(server)
        pc.say(digest_of(VIM))
        await trio.sleep(2 * FIRST_BACKOFF_SECONDS)
        assert [wanted.base for wanted in connection.asked] == [before, EMPTY_DIGEST]
        assert server.store.kept == {"a": VIM}


async def test_a_liar_is_asked_less_and_less(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    async with running() as (server, _):
        pc = HostilePc("a", tmp_path, [part_of(EMPTY_DIGEST, OTHER, RIGHT)] * 10_000)
        connection = pc.connect(server)
        pc.say(OTHER)
        await trio.sleep(20_000)
        assert len(connection.asked) <= 9
        pc.connect(server)
        pc.say(OTHER)
        await trio.sleep(60)
        assert pc.connection is not None
        assert pc.connection.asked == [], "a new connection changes nothing about that"


async def test_a_pc_tells_so_much_in_a_day_and_no_more(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    big = part_of(EMPTY_DIGEST, OTHER, b"x" * MAX_PART_BYTES, total=1 << 20)
    async with running() as (server, _):
        pc = HostilePc("a", tmp_path, [big] * 10_000)
        for _ in range(200):
            pc.connect(server)
            pc.say(OTHER)
            await trio.sleep(1)
        asked_and_told = 10_000 - sum(1 for _ in pc.answers)
        assert asked_and_told <= 6


async def test_what_nobody_waits_for_does_no_harm(autojump_clock: trio.testing.MockClock, tmp_path: Path) -> None:
    async with running() as (server, _):
        pc = HostilePc("a", tmp_path, [])
        connection = pc.connect(server)
        connection.say(HONEST)
        await trio.sleep(5)
        assert server.store.told == []


async def test_a_database_that_cannot_be_written_is_tried_again(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running() as (server, nursery):
        broken = True
        real = server.store.store_inventories, server.store.digests_of

        def store(*args: object) -> object:
            if broken:
                raise UserError("the disk is full")
            return real[0](*args)  # type: ignore[arg-type]

        def digests(*args: object) -> object:
            if broken:
                raise UserError("the disk is broken")
            return real[1](*args)  # type: ignore[arg-type]

        monkeypatch.setattr(server.store, "digests_of", digests)
        pc = Pc("a", tmp_path, has(SOFTWARE))
        nursery.start_soon(pc.news.run)
        pc.connect(server)
        await trio.sleep(20)
        monkeypatch.setattr(server.store, "digests_of", real[1])
        monkeypatch.setattr(server.store, "store_inventories", store)
        await trio.sleep(20)
        assert server.store.kept == {}
        broken = False
        await trio.sleep(3 * FIRST_BACKOFF_SECONDS)
        assert server.store.kept == {"a": told(SOFTWARE)}


async def test_a_pc_that_connects_again_in_the_middle_is_asked_again_at_once(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async with running(rate=100) as (server, nursery):
        pc = Pc("a", tmp_path, has(SOFTWARE))
        nursery.start_soon(pc.news.run)
        first = pc.connect(server)
        await trio.sleep(0.2)
        first.lost = True  # which nobody notices at first
        await trio.sleep(1)
        assert first.asked
        second = pc.connect(server)
        server.inventories.left(first)  # the end of the older connection may be noticed later
        await trio.sleep(30)
        assert second.asked
        assert server.store.kept == {"a": told(SOFTWARE)}


async def test_a_pc_without_the_feature_is_not_listened_to(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async with running() as (server, _):
        pc = HostilePc("a", tmp_path, [HONEST])
        connection = pc.connect(server)
        connection.features = ()
        pc.say(digest_of(VIM))
        await trio.sleep(5)
        assert connection.asked == []


async def test_recording_rests_three_times_as_long_as_it_works(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr("seed_server.origin.inventories.time.thread_time", lambda: float(next(clock)))
    times: list[float] = []
    async with running() as (server, nursery):
        real = server.store.store_inventories

        def store(told: Sequence[InventoryTold]) -> dict[str, bool]:
            times.append(trio.current_time())
            return real(told)

        monkeypatch.setattr(server.store, "store_inventories", store)
        for number in range(5):
            pc = Pc(f"pc{number}", tmp_path, has(SOFTWARE))
            nursery.start_soon(pc.news.run)
            pc.connect(server)
        await trio.sleep(60)
    assert len(times) == 5
    assert min(later - sooner for sooner, later in itertools.pairwise(times)) >= REST_FACTOR


async def test_who_is_asked_for_all_and_tells_changes_is_not_listened_to(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async with running() as (server, _):
        server.store.kept["a"] = VIM
        more = told({"vim": "1", "made-up": "1"})
        lie = part_of(digest_of(VIM), digest_of(more), packed(difference(VIM, more)))
        pc = HostilePc("a", tmp_path, [part_of(OTHER, OTHER, RIGHT), lie])
        connection = pc.connect(server)
        pc.say(digest_of(more))
        await trio.sleep(2 * FIRST_BACKOFF_SECONDS)
        assert [wanted.base for wanted in connection.asked] == [digest_of(VIM), EMPTY_DIGEST]
        assert server.store.kept == {"a": VIM}


async def test_what_nobody_asked_for_uses_up_nothing_that_messages_may_take_of_the_line(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async with running(rate=4_000) as (server, _):
        pc = HostilePc("a", tmp_path, [])
        connection = pc.connect(server)
        for _ in range(1_000):
            connection.say(part_of(EMPTY_DIGEST, OTHER, b"x" * MAX_PART_BYTES))
        pc.say(OTHER)
        await trio.sleep(1)
        for _ in range(1_000):  # asked for once, and told again and again
            connection.say(part_of(EMPTY_DIGEST, OTHER, b"x" * MAX_PART_BYTES, total=1 << 20))
        assert server.line("oslo")._budget.collect(most=1e9, now=trio.current_time()) < 5 * MAX_PART_BYTES


async def test_a_pc_that_tells_a_little_at_a_time_does_not_hold_up_its_site(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    async with running() as (server, nursery):
        trickle = HostilePc("a", tmp_path, [])
        connection = trickle.connect(server)
        trickle.say(OTHER)

        async def tell() -> None:
            for offset in itertools.count():
                await trio.sleep(SILENT_TURN_SECONDS / 2)
                connection.say(part_of(EMPTY_DIGEST, OTHER, b"x" * 1_024, offset=1_024 * offset, total=1 << 20))

        nursery.start_soon(tell)
        await trio.sleep(1)
        honest = Pc("b", tmp_path, has(SOFTWARE))
        nursery.start_soon(honest.news.run)
        honest.connect(server)
        await trio.sleep(LONGEST_TURN_SECONDS + 10)
        assert server.store.kept == {"b": told(SOFTWARE)}


async def test_of_what_is_small_only_when_it_is_packed_some_is_recorded_at_a_time(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = told({f"{n}{'x' * 90}": "1" for n in range(MAX_PACKAGES)})
    data = packed(difference(NOTHING, many))
    at_once: list[int] = []
    async with running() as (server, _):
        real = server.store.store_inventories

        def store(told: Sequence[InventoryTold]) -> dict[str, bool]:
            at_once.append(sum(len(one.changes) for one in told))
            return real(told)

        monkeypatch.setattr(server.store, "store_inventories", store)
        pieces = [data[start : start + MAX_PART_BYTES] for start in range(0, len(data), MAX_PART_BYTES)]
        for number in range(9):
            parts = [
                part_of(EMPTY_DIGEST, digest_of(many), piece, offset=place * MAX_PART_BYTES, total=len(data))
                for place, piece in enumerate(pieces)
            ]
            pc = HostilePc(f"pc{number}", tmp_path, parts)
            pc.site = f"site-{number}"
            pc.connect(server)
            pc.say(digest_of(many))
        await trio.sleep(1_000)
        assert len(server.store.kept) == 9
    assert max(at_once) <= MOST_RECORDED_ITEMS + MAX_PACKAGES


def test_a_pc_that_is_again_as_it_was_while_that_is_recorded_is_looked_up_no_more() -> None:
    turns, pc = InventoryTurns(PACE, lambda: 0.0), EndpointId("a")
    before = digest_of(VIM)
    turns.said(pc, "oslo", OTHER)
    turns.to_look_up(10)
    for at in (0.0, 1.0):
        turns.looked_up(pc, before, at)
        turns.said(pc, "oslo", before)
    turns.looked_up(pc, before, 2.0)
    assert turns.to_look_up(10) == {}


def test_a_pc_that_is_again_as_it_was_confirms_that() -> None:
    turns, pc = InventoryTurns(PACE, lambda: 0.0), EndpointId("a")
    before = digest_of(VIM)
    turns.said(pc, "oslo", OTHER)
    turns.to_look_up(10)
    turns.looked_up(pc, before, 0.0)
    turns.said(pc, "oslo", before)
    assert turns.to_look_up(10) == {pc: before}
    turns.looked_up(pc, before, 0.0)
    assert turns.waiting == 0
    assert turns.begin(0.0) == []


def test_a_fleet_that_tells_everything_does_so_at_a_pace() -> None:
    """After the server was rebuilt, all of it has everything to tell, and the processor has other things to do."""
    turns = InventoryTurns(PACE, lambda: 0.5)
    digest = InventoryDigest(b"x" * 32)
    for number in range(3_000):
        endpoint = EndpointId(f"pc{number}")
        turns.said(endpoint, f"site-{number % 500}", digest)
        turns.looked_up(endpoint, None, 0.0)
    begun = []
    for step in range(100 * 4):
        now = step / 4
        for turn in turns.begin(now):
            begun.append(now)
            turns.recorded(turn, taken=True, items=800, now=now)
    assert len([at for at in begun if at < 1]) <= MOST_TURNS + TURN_PACE.per_second
    assert len([at for at in begun if 50 <= at < 60]) == pytest.approx(10 * TURN_PACE.per_second, abs=2)

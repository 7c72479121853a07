"""`p2pdist.daemon.disk_keeper`: over the quota it asks the server, and gives up what the server lets go and no more."""

import dataclasses
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from p2pdist.daemon.disk_keeper import MB, SPARE_ANSWER_SECONDS, DiskKeeper
from p2pdist.install.kept_files import keep_payload
from p2pdist.install.lifecycle import KeptFile
from p2pdist.settings import DaemonSettings
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import FromEndpoint
from p2pdist.shared.wire.spare_copies import SpareCopies, SpareWanted
from p2pdist.transfer.eviction import FileUse
from p2pdist.transfer.transfer import Transfer
from p2pdist.trust.catalogue import Catalogue, CataloguePatch
from seed_server.origin.message_budgets import MESSAGES, Purse
from tests.helpers.daemon_states import made_up_state
from tests.unit.p2pdist.transfer.test_bases import version
from tests.unit.p2pdist.transfer.test_manager import Running, running


@dataclass
class PlayedInstalls:
    uses: dict[PatchRef, FileUse] = field(default_factory=dict)
    back: set[PatchRef] = field(default_factory=set)
    given_up: list[PatchRef] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None
    """Happens while an installation is waited for."""

    def file_uses(self) -> dict[PatchRef, FileUse]:
        return self.uses

    def kept_for_way_back(self) -> set[PatchRef]:
        return self.back

    async def give_up_way_back(self, ref: PatchRef) -> None:
        self.given_up.append(ref)
        self.meanwhile()


@dataclass
class Lab:
    run: Running
    keeper: DiskKeeper
    installs: PlayedInstalls
    state: Any
    sent: list[FromEndpoint]

    def use(self, n: int, use: FileUse) -> Transfer:
        one = self.run.one(n)
        self.installs.uses[one.ref] = use
        return one

    def questions(self) -> list[list[str]]:
        """Return what the server was asked since the last call."""
        asked = [message.torrents for message in self.sent if isinstance(message, SpareWanted)]
        self.sent.clear()
        return [[each[at : at + 32].hex() for at in range(0, len(each), 32)] for each in asked]

    def asked(self) -> list[str]:
        """Return for which torrents the server was asked since the last call."""
        return list(itertools.chain.from_iterable(self.questions()))

    async def answer(self, *transfers: Transfer) -> None:
        self.keeper.told(SpareCopies(b"".join(bytes.fromhex(each.torrent_hash) for each in transfers)))
        await self.keeper.look()


def larger(transfer: Transfer, length_bytes: int) -> tuple[CataloguePatch, ...]:
    (patch,) = transfer.patches
    return (dataclasses.replace(patch, payload=replace(patch.payload, length_bytes=length_bytes)),)


@asynccontextmanager
async def lab(root: Path, count: int) -> AsyncIterator[Lab]:
    """A PC with ``count`` proven payloads, and a quota for none of them."""
    async with running(root, count) as run:
        await run.prove(*range(count))
        sent: list[FromEndpoint] = []

        async def send(message: FromEndpoint) -> None:
            sent.append(message)

        installs, state = PlayedInstalls(), made_up_state()
        state.takes_spares = True
        settings = DaemonSettings(cache_free_percent=1e-9)
        keeper = DiskKeeper(run.home, settings, state, run.transfers, cast("Any", installs), send, trio.Lock())
        yield Lab(run, keeper, installs, state, sent)


async def test_it_asks_in_turn_and_gives_up_what_the_server_lets_go(tmp_path: Path) -> None:
    async with lab(tmp_path / "home", 4) as pc:
        back, installed, others, needed = (
            pc.use(n, use)
            for n, use in enumerate((FileUse.WAY_BACK, FileUse.INSTALLED, FileUse.OTHERS, FileUse.NEEDED))
        )
        assert await pc.keeper.look()
        assert pc.asked()[0] == others.torrent_hash
        await pc.answer(others, needed)
        assert [each.is_here for each in (back, installed, others, needed)] == [True, True, False, True]
        assert pc.installs.given_up == [others.ref]
        assert needed.torrent_hash not in pc.asked()


async def test_an_old_server_or_none_is_not_asked_and_nothing_leaves(tmp_path: Path) -> None:
    async with lab(tmp_path / "home", 2) as pc:
        pc.use(0, FileUse.OTHERS)
        pc.use(1, FileUse.INSTALLED)
        pc.state.takes_spares = False
        assert await pc.keeper.look(), "it is over its quota all the same"
        assert pc.asked() == []
        await pc.answer(pc.run.one(0))
        assert all(each.is_here for each in pc.run.transfers.everything()), "nobody was asked: this is no answer"


async def test_what_was_refused_is_not_asked_for_again_at_once_and_a_lost_question_is(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with lab(tmp_path / "home", 2) as pc:
        first, second = pc.use(0, FileUse.INSTALLED), pc.use(1, FileUse.INSTALLED)
        await pc.keeper.look()
        assert set(pc.asked()) <= {first.torrent_hash, second.torrent_hash}
        await pc.keeper.look()
        assert pc.asked() == [], "it waits for the answer"
        await trio.sleep(SPARE_ANSWER_SECONDS)
        await pc.keeper.look()
        assert pc.asked(), "the answer was lost"
        pc.state.welcomes += 1
        await pc.keeper.look()
        asked = pc.asked()
        assert asked, "another connection has not heard the question"
        await pc.answer()
        assert set(pc.asked()).isdisjoint(asked)


async def test_a_kept_name_that_a_way_back_needs_keeps_the_file_and_one_that_may_go_goes_with_it(
    tmp_path: Path,
) -> None:
    async with lab(tmp_path / "home", 2) as pc:
        tied, free = pc.use(0, FileUse.INSTALLED), pc.use(1, FileUse.INSTALLED)
        for each, ref in ((tied, PatchRef("other", "1")), (free, free.ref)):
            kept = KeptFile(version=ref.version, file_name="f", sha256=each.sha256)
            path = pc.run.home.cache / each.sha256
            pc.run.transfers.names_changed(await keep_payload(path, pc.run.home.kept / ref.patch_id, kept))
        await pc.keeper.look()
        assert pc.asked() == [free.torrent_hash], "removing the other one would free nothing"
        pc.installs.back.add(free.ref)
        pc.state.welcomes += 1
        await pc.keeper.look()
        assert pc.asked() == []


async def test_what_is_needed_again_is_fetched_again_once_that_is_known(tmp_path: Path) -> None:
    async with lab(tmp_path / "home", 1) as pc:
        gone = pc.use(0, FileUse.INSTALLED)
        await pc.keeper.look()
        await pc.answer(gone)
        assert not gone.is_here
        pc.installs.uses.clear()  # as after a start, before the journal is read
        await pc.keeper.look()
        assert gone.record.spared
        pc.use(0, FileUse.NEEDED)
        await pc.keeper.look()
        assert (gone.state, gone.record.spared) == ("waiting", False)


async def test_what_is_needed_meanwhile_stays_though_the_server_lets_it_go(tmp_path: Path) -> None:
    async with lab(tmp_path / "home", 1) as pc:
        one = pc.use(0, FileUse.INSTALLED)
        await pc.keeper.look()
        pc.use(0, FileUse.NEEDED)
        await pc.answer(one)
        assert one.is_here
        assert one.wanted is None, "the server is told again that it is here"


async def test_it_says_who_uses_what(tmp_path: Path) -> None:
    async with lab(tmp_path / "home", 2) as pc:
        pc.use(0, FileUse.INSTALLED)
        await pc.keeper.look()
        status = pc.keeper.status
        assert status is not None
        parts = (status.to_install_bytes, status.shared_bytes, status.kept_bytes, status.other_bytes)
        assert sum(parts) == status.used_bytes > 0
        assert parts[0] == parts[1] == status.used_bytes / 2
        assert (parts[2], parts[3]) == (0, 0)


async def test_former_payloads_leave_before_anything_that_somebody_may_want(tmp_path: Path) -> None:
    async with lab(tmp_path / "home", 2) as pc:
        former, stays = pc.use(0, FileUse.OTHERS), pc.use(1, FileUse.OTHERS)
        newer = version(3, former.patch, "10")
        catalogue = Catalogue(2, patches=(newer, stays.patch), refused=(), stale="")
        await pc.run.transfers.reconcile(catalogue)
        cached = pc.run.home.cache / former.sha256
        assert cached.exists()
        assert await pc.keeper.look()
        assert not cached.exists()
        assert pc.asked() == [stays.torrent_hash], "it is still too much"


async def test_an_answer_that_outlived_its_connection_lets_nothing_go(tmp_path: Path) -> None:
    async with lab(tmp_path / "home", 1) as pc:
        one = pc.use(0, FileUse.INSTALLED)
        await pc.keeper.look()
        pc.state.welcomes += 1  # the server was told again that it is here: others count on it
        await pc.answer(one)
        assert one.is_here
        assert pc.asked() == [one.torrent_hash] * 2, "it is asked anew"


@pytest.mark.parametrize("cause", ["it is needed", "others count on it"])
async def test_nothing_goes_where_something_came_in_between_while_an_installation_was_waited_for(
    tmp_path: Path, cause: str
) -> None:
    async with lab(tmp_path / "home", 1) as pc:
        one = pc.use(0, FileUse.INSTALLED)

        def meanwhile() -> None:
            if cause == "it is needed":
                pc.use(0, FileUse.NEEDED)
            else:
                pc.state.welcomes += 1

        await pc.keeper.look()
        pc.installs.meanwhile = meanwhile
        await pc.answer(one)
        assert pc.installs.given_up == [one.ref]
        assert one.is_here


async def test_half_a_file_from_before_a_start_counts_once(tmp_path: Path) -> None:
    async with lab(tmp_path / "home", 2) as pc:
        half = pc.use(0, FileUse.NEEDED)
        pc.use(1, FileUse.NEEDED)
        half.state, half.record, half.admitted = "waiting", replace(half.record, verified_mtime_ns=None), False
        pc.keeper._settings = DaemonSettings(cache_mb=10, cache_free_percent=100.0)
        await pc.keeper.look()
        quota, now = pc.run.transfers.room.quota, trio.current_time()
        quota.moves(now)
        assert quota.admits(10 * MB - 1, 1, now), "what a transfer is of is counted by its length, once it begins"
        assert not quota.admits(10 * MB, 1, now)


async def test_what_once_lacked_room_frees_nothing_for_others_that_wait_for_something_else(tmp_path: Path) -> None:
    async with lab(tmp_path / "home", 2) as pc:
        pc.keeper._settings = DaemonSettings(cache_mb=10, cache_free_percent=100.0)
        pc.use(0, FileUse.INSTALLED)
        waits = pc.use(1, FileUse.NEEDED)
        quota = pc.run.transfers.room.quota
        quota.set(0, 0)
        quota.moves(trio.current_time())
        assert not quota.admits(1_000, 0, trio.current_time())
        await pc.keeper.look()
        await pc.answer()
        pc.sent.clear()
        waits.state, waits.room_wait = "waiting", "The disk is too full."
        await pc.keeper.look()
        assert pc.asked() == []


@pytest.mark.parametrize("spared", [None, -1])
async def test_however_much_a_site_cannot_spare_it_asks_no_more_than_a_server_hears_and_finds_what_can_leave(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, spared: int | None
) -> None:
    async with lab(tmp_path / "home", 100) as pc:
        one = [pc.use(n, FileUse.INSTALLED) for n in range(100)]
        for n, each in enumerate(one):
            each.record = replace(each.record, verified_at=float(n))
        # a quota for all but one of them
        pc.keeper._settings = DaemonSettings(cache_mb=10, cache_free_percent=100.0)
        pc.run.transfers.everything()[0].patches = larger(pc.run.transfers.everything()[0], 10 * MB - 98)
        can = set() if spared is None else {one[spared].torrent_hash}
        purse, began = Purse(MESSAGES[SpareWanted], trio.current_time()), trio.current_time()
        found_after = 0.0

        async def server() -> None:
            nonlocal found_after
            while True:
                await trio.sleep(0.1)
                for torrents in pc.questions():
                    assert purse.spend(1, trio.current_time()), "the server ends the connection"
                    told = can & set(torrents)
                    found_after = found_after or (trio.current_time() - began if told else 0.0)
                    pc.keeper.told(SpareCopies(b"".join(map(bytes.fromhex, told))))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pc.keeper.run)
            nursery.start_soon(server)
            await trio.sleep(1_800)
            nursery.cancel_scope.cancel()
        assert [each.is_here for each in one].count(False) == len(can)
        assert found_after < 30.0

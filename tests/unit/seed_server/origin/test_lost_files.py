"""`seed_server.origin.lost_files`: a server that knows less than its PCs asks them, and hostile ones gain nothing."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from p2pdist.shared.identifiers import EndpointId, SiteName
from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.features import GIVES_SIGNED
from p2pdist.shared.wire.fields import Features
from p2pdist.shared.wire.signed_files import (
    MAX_SIGNED_PART_BYTES,
    SignedFilePart,
    SignedWanted,
    TrustTold,
    TrustWanted,
    versions_digest,
)
from seed_server.origin.donors import FIRST_BACKOFF_SECONDS, FIRST_PATIENCE_SECONDS
from seed_server.origin.lost_files import (
    KEEPER_LOOK_SECONDS,
    MAX_KEEPERS,
    MAX_KEEPERS_AT_SITE,
    PART_SECONDS,
    LostFiles,
    TrustProgress,
)
from seed_server.origin.message_budgets import MessageBudgets, MessageLimits
from seed_server.origin.outside_log import OutsideLog
from seed_server.settings.home import ServerHome
from seed_server.signing.handing_in import HandedIn
from tests.helpers.fake_clock import FakeClock
from tests.unit.seed_server.signing.test_adoption import RESTORED, Lost


class Pc:
    """A connected PC, which is its own outbox."""

    def __init__(self, server: "Server", name: str, files: dict[str, bytes], *, features: Features = (GIVES_SIGNED,)):
        self.endpoint = EndpointId(name * 26)
        self.features = features
        self.outbox = self
        self.server = server
        self.files = files
        self.keeps = False
        self.asked: list[str] = []
        self.versions = server.lost_versions
        self.answer: Callable[[SignedWanted], SignedFilePart | None] = self.honest
        self.deaf = False

    def put(self, _key: str, news: Message) -> None:
        if isinstance(news, TrustWanted):
            self.keeps |= news.keep
            if news.versions and not self.deaf:
                self.server.lost_files.told(self, self.told(with_roles=True))
        elif isinstance(news, SignedWanted):
            self.asked.append(news.path)
            if (part := self.answer(news)) is not None:
                self.server.lost_files.part(self, part)

    def told(self, *, with_roles: bool = False) -> TrustTold:
        root, timestamp, snapshot, roles = self.versions
        return TrustTold(root, timestamp, snapshot, versions_digest(root, roles), roles=roles if with_roles else {})

    def honest(self, wanted: SignedWanted) -> SignedFilePart:
        data = self.files.get(wanted.path, b"")
        part = data[wanted.offset : wanted.offset + MAX_SIGNED_PART_BYTES]
        return SignedFilePart(wanted.path, wanted.offset, len(data), part)


class Server:
    """The origin port's part of it, with the web part's adoption at once."""

    def __init__(self, lost: Lost) -> None:
        self.lost = lost
        current = lost.bench.repository._files.load()
        roles = {name: metadata.signed.version for name, metadata in current.targets.items()}
        signed = (current.timestamp.signed.version, current.snapshot.signed.version)
        self.lost_versions = (current.root.signed.version, *signed, roles)
        self.files = dict(lost.files())
        self.progress: list[TrustProgress] = []
        self.adopted = 0
        handed = HandedIn(ServerHome(lost.home.root), FakeClock(RESTORED))
        self.lost_files = LostFiles(handed, OutsideLog(), whole=self.whole, progress=self.progress.append)
        self.nursery: trio.Nursery | None = None

    def whole(self) -> None:
        self.adopted += self.lost.repository.adopt_presented(RESTORED) is not None
        assert self.nursery is not None
        self.nursery.start_soon(self.lost_files.look)

    def pc(self, name: str, *but: str) -> Pc:
        files = {path: data for path, data in self.files.items() if not any(one in path for one in but)}
        return Pc(self, name, files)

    def is_whole(self) -> bool:
        return {one.patch_id for one in self.lost.repository.manifests()} == {"office", "browser"}


@pytest.fixture(scope="module")
def gone_on(tmp_path_factory: pytest.TempPathFactory) -> Lost:
    lost = Lost(tmp_path_factory.mktemp("lost"))
    lost.go_on()
    return lost


@pytest.fixture
def lost(gone_on: Lost, tmp_path: Path) -> Lost:
    return gone_on.restored_at(tmp_path)


@asynccontextmanager
async def running(lost: Lost) -> AsyncIterator[Server]:
    server = Server(lost)
    await server.lost_files.look()
    async with trio.open_nursery() as nursery:
        server.nursery = nursery
        nursery.start_soon(server.lost_files.run)
        yield server
        nursery.cancel_scope.cancel()


async def test_what_is_lost_comes_back_from_one_pc(lost: Lost, autojump_clock: trio.testing.MockClock) -> None:
    async with running(lost) as server:
        pc = server.pc("a", "metadata/1.root.json")
        server.lost_files.told(pc, pc.told())
        await trio.sleep(30)
        assert server.adopted == 1
        assert server.is_whole()
        server.lost_files.told(pc, pc.told())
        await trio.sleep(FIRST_BACKOFF_SECONDS)
        assert server.progress[-1] == TrustProgress(told=1, newer=0)


async def test_roles_that_are_not_known_here_are_not_asked_for(
    lost: Lost, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(lost) as server:
        pc = server.pc("a")
        root, timestamp, snapshot, roles = pc.versions
        pc.versions = (root, timestamp, snapshot, {**roles, "of-a-newer-release": 7, "../x": 8})
        server.lost_files.told(pc, pc.told())
        await trio.sleep(30)
        assert server.is_whole()
        assert not any("newer-release" in path or "../x" in path for path in pc.asked)


async def test_a_document_comes_from_another_pc(lost: Lost, autojump_clock: trio.testing.MockClock) -> None:
    async with running(lost) as server:
        first, second = server.pc("a", "@1.manifest"), server.pc("b", ".json")
        second.deaf = True  # it trusts the older state
        server.lost_files.told(second, second.told())
        server.lost_files.told(first, first.told())
        await trio.sleep(30)
        assert server.is_whole()
        assert all(path.startswith("targets/") for path in second.asked)


@pytest.mark.parametrize(
    "rubbish",
    [
        lambda wanted: SignedFilePart(wanted.path, wanted.offset, 9, b"{" * 9),
        lambda wanted: SignedFilePart(wanted.path, wanted.offset, 5 << 20, b"x" * MAX_SIGNED_PART_BYTES),
        lambda wanted: SignedFilePart(wanted.path, wanted.offset, 100, b""),
        lambda wanted: SignedFilePart(wanted.path, wanted.offset, 10, b"x" * 20),
        lambda wanted: SignedFilePart(wanted.path, wanted.offset, 0),
        lambda wanted: SignedFilePart("metadata/9.patches.json", wanted.offset, 1, b"x"),
        lambda _: None,
    ],
    ids=["no metadata", "endless", "empty parts", "too much", "nothing", "something else", "silence"],
)
async def test_a_hostile_pc_hands_in_nothing_and_another_one_is_asked(
    lost: Lost, autojump_clock: trio.testing.MockClock, rubbish: Callable[[SignedWanted], SignedFilePart | None]
) -> None:
    async with running(lost) as server:
        evil, good = server.pc("e"), server.pc("a")
        evil.answer = rubbish
        server.lost_files.told(evil, evil.told())
        await trio.sleep(1)
        server.lost_files.told(good, good.told())
        await trio.sleep(600)
        assert server.is_whole()
        assert server.adopted == 1
        assert not lost.home.presented.exists()


def slow(pc: Pc) -> Callable[[SignedWanted], SignedFilePart | None]:
    """Return an answer that is always the next part of a large file, just before it is too late for it."""

    def later(wanted: SignedWanted) -> None:
        async def answer() -> None:
            await trio.sleep(PART_SECONDS - 1)
            part = SignedFilePart(wanted.path, wanted.offset, 60_000, b"x" * 10)
            pc.server.lost_files.part(pc, part)

        assert pc.server.nursery is not None
        pc.server.nursery.start_soon(answer)

    return later


@pytest.mark.parametrize("liars", [1, 3])
async def test_pcs_that_draw_out_their_answers_do_not_outlast_the_time_in_which_the_server_learns(
    lost: Lost, autojump_clock: trio.testing.MockClock, liars: int
) -> None:
    """The one that was denied after the backup would hold the list of denials off in that way, for good."""
    async with running(lost) as server:
        evil, good = [server.pc(name) for name in "efg"[:liars]], server.pc("a")
        for pc in evil:
            pc.answer = slow(pc)
            server.lost_files.told(pc, pc.told())
        await trio.sleep(1)
        server.lost_files.told(good, good.told())
        await trio.sleep(sum(2 + FIRST_PATIENCE_SECONDS * 2**k for k in range(liars)) + 10)
        assert server.is_whole()


async def test_where_all_lines_are_slow_one_pc_comes_to_the_end(
    lost: Lost, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(lost) as server:

        def after(pc: Pc, seconds: float) -> Callable[[SignedWanted], SignedFilePart | None]:
            async def answer(wanted: SignedWanted) -> None:
                await trio.sleep(seconds)
                server.lost_files.part(pc, pc.honest(wanted))

            def later(wanted: SignedWanted) -> None:
                assert server.nursery is not None
                server.nursery.start_soon(answer, wanted)

            return later

        pcs = [server.pc(name) for name in "abcdefghij"]
        for pc in pcs:
            pc.answer = after(pc, 0.8)  # a minute for all files
            server.lost_files.told(pc, pc.told())
        await trio.sleep(300)
        assert server.is_whole()


async def test_a_pc_with_thousands_of_documents_is_not_asked_faster_than_it_may_answer(
    lost: Lost, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(lost) as server:
        pc, budgets = server.pc("a"), MessageBudgets(MessageLimits(), trio.current_time())
        pc.answer = lambda wanted: SignedFilePart(wanted.path, wanted.offset, 1 << 20, b"x")
        refused: list[str | None] = []

        def counted(wanted: SignedWanted) -> SignedFilePart:
            part = SignedFilePart(wanted.path, wanted.offset, 1 << 20, b"x" * 100)
            refused.append(budgets.message(part, trio.current_time()))
            return part

        pc.answer = counted
        server.lost_files.told(pc, pc.told())
        await trio.sleep(300)
        assert len(refused) > 5_000
        assert not any(refused)


async def test_a_pc_that_claims_what_nobody_signed_is_asked_less_and_less_often(
    lost: Lost, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(lost) as server:
        evil = server.pc("e")
        evil.files = {}
        root, timestamp, snapshot, roles = evil.versions
        evil.versions = (root, timestamp, snapshot, {**roles, "patches": 1 << 61})
        server.lost_files.told(evil, evil.told())
        await trio.sleep(1)
        first = len(evil.asked)
        assert first > 0
        await trio.sleep(2 * 3_600)
        assert len(evil.asked) <= first * 7  # after 1, 2, 4, … minutes, and once an hour in the end
        assert server.adopted == 0
        assert not lost.home.presented.exists()
        assert server.progress[-1] == TrustProgress(told=1, newer=1)


async def test_a_pc_that_contradicts_itself_or_gives_nothing_is_not_asked(
    lost: Lost, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(lost) as server:
        liar, old = server.pc("e"), Pc(server, "o", {}, features=())
        told = liar.told(with_roles=True)
        server.lost_files.told(liar, TrustTold(9, 9, 9, told.digest, roles=told.roles))
        server.lost_files.told(old, old.told(with_roles=True))
        await trio.sleep(60)
        assert liar.asked == old.asked == []


async def test_one_pc_that_leaves_amid_its_answers_holds_nothing_up(
    lost: Lost, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(lost) as server:
        gone, good = server.pc("e"), server.pc("a")
        gone.answer = lambda _: server.lost_files.left(gone)
        server.lost_files.told(gone, gone.told())
        server.lost_files.told(good, good.told())
        await trio.sleep(60)
        assert server.is_whole()


async def test_who_keeps_everything_is_at_as_many_sites_as_there_are(
    lost: Lost, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(lost) as server:
        pcs = [server.pc(name) for name in "abcdefghijklmnop"]
        sites = [SiteName("north")] * 13 + [SiteName("south")] * 2 + [SiteName("west")]
        for pc, site in zip(pcs, sites, strict=True):
            pc.deaf = True
            server.lost_files.heard(pc, site, pc.told())
        await trio.sleep(KEEPER_LOOK_SECONDS + 1)
        assert [pc.keeps for pc in pcs] == [True] * MAX_KEEPERS_AT_SITE + [False] * 10 + [True] * 3


async def test_a_few_pcs_are_asked_to_keep_everything(lost: Lost, autojump_clock: trio.testing.MockClock) -> None:
    async with running(lost) as server:
        pcs = [server.pc(name) for name in "abcdefghijklmnop"]
        for pc in pcs:
            pc.deaf = True
            server.lost_files.heard(pc, SiteName(pc.endpoint), pc.told())
        assert not any(pc.keeps for pc in pcs)  # a fleet that returns has other things to do first
        await trio.sleep(KEEPER_LOOK_SECONDS + 1)
        assert sum(pc.keeps for pc in pcs) == MAX_KEEPERS
        for pc in pcs[:-1]:
            server.lost_files.left(pc)
        await trio.sleep(KEEPER_LOOK_SECONDS)
        assert pcs[-1].keeps

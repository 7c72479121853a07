"""`p2pdist.daemon.presenter`: what a PC tells its server of the signed files that it trusts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing
from msgspec.structs import replace

from p2pdist.daemon.presenter import MAX_WAITING_QUESTIONS, Presenter
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.features import CUSTODY, TRUST
from p2pdist.shared.wire.messages import FromEndpoint
from p2pdist.shared.wire.signed_files import MAX_SIGNED_PART_BYTES, SignedFilePart, SignedWanted, TrustTold, TrustWanted

TOLD = TrustTold(1, 5, 5, b"d" * 16)
PATH = "metadata/7.patches.json"


class Store:
    """Stands in for the trust store."""

    def __init__(self) -> None:
        self.keeps_all = False
        self.files = {PATH: b"x" * (2 * MAX_SIGNED_PART_BYTES + 1)}
        self.reads = 0
        self.broken = False

    async def told(self, *, with_roles: bool = False) -> TrustTold | None:
        if self.broken:
            raise UserError("the disk is broken", FaultKind.STORAGE)
        return TrustTold(1, 5, 5, b"d" * 16, roles={"patches": 7}) if with_roles else TOLD

    async def signed_file(self, path: str) -> bytes | None:
        self.reads += 1
        return self.files.get(path)


class Pc:
    def __init__(self) -> None:
        self.store = Store()
        self.sent: list[FromEndpoint] = []
        self.refreshes = 0
        self.presenter = Presenter(self.store, self.send, keep_all=self.refresh)

    async def send(self, message: FromEndpoint) -> None:
        self.sent.append(message)

    def refresh(self) -> None:
        self.refreshes += 1

    async def heard(self, *questions: TrustWanted | SignedWanted) -> list[FromEndpoint]:
        self.sent.clear()
        for question in questions:
            self.presenter.heard(question)
        await trio.testing.wait_all_tasks_blocked()
        return self.sent


@asynccontextmanager
async def running() -> AsyncIterator[Pc]:
    pc = Pc()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.presenter.run)
        yield pc
        nursery.cancel_scope.cancel()


async def test_a_server_that_takes_it_is_told_and_another_one_is_not() -> None:
    async with running() as pc:
        pc.presenter.welcomed((CUSTODY,))
        assert await pc.heard() == []
        pc.presenter.welcomed((TRUST,))
        assert await pc.heard() == [TOLD]
        (told,) = await pc.heard(TrustWanted(versions=True))
        assert isinstance(told, TrustTold)
        assert told.roles == {"patches": 7}
        pc.presenter.disconnected()
        assert await pc.heard(SignedWanted(PATH)) == []


async def test_a_file_is_handed_in_part_by_part_and_read_once() -> None:
    async with running() as pc:
        pc.presenter.welcomed((TRUST,))
        await pc.heard()
        data, total = b"", 1
        while len(data) < total:
            (part,) = await pc.heard(SignedWanted(PATH, len(data)))
            assert isinstance(part, SignedFilePart)
            data, total = data + part.data, part.total
        assert data == pc.store.files[PATH]
        assert pc.store.reads == 1
        assert await pc.heard(SignedWanted("metadata/8.patches.json")) == [
            SignedFilePart("metadata/8.patches.json", 0, 0)
        ]
        assert await pc.heard(SignedWanted(PATH, 5 << 20)) == [SignedFilePart(PATH, len(data), len(data))]


async def test_a_pc_that_is_to_keep_everything_fetches_it_once() -> None:
    async with running() as pc:
        pc.presenter.welcomed((TRUST,))
        assert await pc.heard(TrustWanted(keep=True), TrustWanted(keep=True)) == [TOLD]
        assert pc.store.keeps_all
        assert pc.refreshes == 1


async def test_a_server_that_asks_without_end_fills_nothing_and_a_broken_disk_ends_nothing() -> None:
    async with running() as pc:
        pc.presenter.welcomed((TRUST,))
        await pc.heard()
        assert len(await pc.heard(*[SignedWanted(PATH)] * 100)) <= MAX_WAITING_QUESTIONS + 1
        pc.store.broken = True
        assert await pc.heard(TrustWanted(versions=True)) == []
        pc.store.broken = False
        assert len(await pc.heard(TrustWanted(versions=True))) == 1


async def test_the_server_hears_which_list_of_its_addresses_is_in_force_also_when_that_changes() -> None:
    async with running() as pc:
        pc.presenter._servers = lambda: 3
        pc.presenter.welcomed((TRUST,))
        assert await pc.heard() == [replace(TOLD, servers=3)]
        pc.presenter._servers = lambda: 4
        pc.presenter.tell()
        assert await pc.heard() == [replace(TOLD, servers=4)]
        pc.presenter.disconnected()
        pc.presenter.tell()
        assert await pc.heard() == []

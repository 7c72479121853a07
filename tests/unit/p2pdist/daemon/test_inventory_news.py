"""`p2pdist.daemon.inventory_news`: what a PC says of its facts and packages, and when."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from p2pdist.daemon.inventory_news import INVENTORY_LOOK_SECONDS, SAID_AGAIN_SECONDS, SAID_SECONDS, InventoryNews
from p2pdist.daemon.wakeups import WakeUp
from p2pdist.pc.kept_inventories import ToldInventories
from p2pdist.shared.manifest.facts import Facts, Packages
from p2pdist.shared.manifest.inventory import (
    EMPTY_DIGEST,
    NOTHING,
    PACKAGES_TOLD,
    Inventory,
    InventoryDigest,
    applied,
    digest_of,
)
from p2pdist.shared.manifest.versions import Ecosystem
from p2pdist.shared.wire.features import INVENTORY
from p2pdist.shared.wire.inventory import (
    LEAST_PART_BYTES,
    MAX_PART_BYTES,
    InventoryPart,
    InventoryStated,
    InventoryWanted,
    unpacked,
)
from p2pdist.shared.wire.messages import FromEndpoint
from tests.helpers.inventory_pc import inline

DEB = Ecosystem.DEB


def has(**packages: str) -> Facts:
    return Facts({"os.id": "debian"}, Packages({DEB: packages}, complete=True))


def told(**packages: str) -> Inventory:
    return Inventory({"os.id": "debian", PACKAGES_TOLD: "all"}, {(DEB, name): v for name, v in packages.items()})


class Pc:
    def __init__(self, path: Path, *, tell_packages: bool = True) -> None:
        self.facts = has(vim="1")
        self.sent: list[FromEndpoint] = []
        self.wakeup = WakeUp()
        self.news = InventoryNews(
            lambda: self.facts, ToldInventories(path), self.send, self.wakeup, tell_packages=tell_packages
        )

    async def send(self, message: FromEndpoint) -> None:
        self.sent.append(message)

    async def said(self) -> list[FromEndpoint]:
        """What it says until it waits, with one look after this."""
        self.wakeup.ring()
        await trio.testing.wait_all_tasks_blocked()
        said, self.sent = self.sent, []
        return said

    async def changed(self, facts: Facts) -> list[FromEndpoint]:
        self.facts = facts
        return await self.said()

    async def part(self, base: bytes = EMPTY_DIGEST, most: int = MAX_PART_BYTES, offset: int = 0) -> InventoryPart:
        self.news.heard(InventoryWanted(base, most, offset))
        return next(each for each in await self.said() if isinstance(each, InventoryPart))


@asynccontextmanager
async def running(path: Path, *, tell_packages: bool = True) -> AsyncIterator[Pc]:
    pc = Pc(path, tell_packages=tell_packages)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pc.news.run)
        yield pc
        nursery.cancel_scope.cancel()


@pytest.fixture(autouse=True)
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trio.to_thread.run_sync", inline)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inventory"


async def test_each_connection_hears_the_digest_once(autojump_clock: trio.testing.MockClock, path: Path) -> None:
    async with running(path) as pc:
        assert await pc.said() == []
        for _ in range(2):
            pc.news.welcomed((INVENTORY,))
            assert await pc.said() == [InventoryStated(digest_of(told(vim="1")))]
            assert await pc.said() == []
            pc.news.disconnected()
            assert await pc.changed(has(vim="1")) == []


async def test_a_server_that_does_not_take_it_hears_nothing(autojump_clock: trio.testing.MockClock, path: Path) -> None:
    async with running(path) as pc:
        pc.news.welcomed(())
        assert await pc.said() == []
        assert await pc.changed(has(vim="2")) == []


async def test_a_change_is_said_once_a_minute_at_most_and_what_has_not_changed_once_a_day(
    autojump_clock: trio.testing.MockClock, path: Path
) -> None:
    async with running(path) as pc:
        pc.news.welcomed((INVENTORY,))
        await pc.said()
        assert await pc.changed(has(vim="2")) == []
        assert await pc.changed(has(vim="3")) == []
        await trio.sleep(SAID_SECONDS)
        assert await pc.said() == [InventoryStated(digest_of(told(vim="3")))]
        await trio.sleep(SAID_AGAIN_SECONDS - 1)
        assert await pc.said() == []
        await trio.sleep(INVENTORY_LOOK_SECONDS)
        assert await pc.said() == [InventoryStated(digest_of(told(vim="3")))]
    assert SAID_AGAIN_SECONDS + 2 * INVENTORY_LOOK_SECONDS < 86_400, "`inventory --max-age 1` counts a connected PC"


async def test_all_is_told_in_parts_of_the_size_that_the_server_wants(
    autojump_clock: trio.testing.MockClock, path: Path
) -> None:
    packages = {f"package-{n}": f"1.{n * n}-{n % 7}" for n in range(800)}
    async with running(path) as pc:
        pc.facts = has(**packages)
        pc.news.welcomed((INVENTORY,))
        await pc.said()
        data, total = b"", 1
        while len(data) < total:
            part = await pc.part(most=LEAST_PART_BYTES, offset=len(data))
            assert (part.offset, part.base, part.digest) == (len(data), EMPTY_DIGEST, digest_of(told(**packages)))
            assert 0 < len(part.data) <= LEAST_PART_BYTES
            data, total = data + part.data, part.total
        assert applied(NOTHING, unpacked(data)) == told(**packages)
        assert await pc.said() == []  # that digest came with the parts


async def test_later_only_what_has_changed_is_told(autojump_clock: trio.testing.MockClock, path: Path) -> None:
    async with running(path) as pc:
        pc.news.welcomed((INVENTORY,))
        first = await pc.part()
        pc.facts = has(vim="1", bash="5")
        part = await pc.part(first.digest)
        assert part.base == first.digest
        assert dict(unpacked(part.data).packages) == {(DEB, "bash"): "5"}


async def test_a_pc_that_has_begun_anew_begins_at_the_beginning(
    autojump_clock: trio.testing.MockClock, path: Path
) -> None:
    async with running(path) as pc:
        pc.news.welcomed((INVENTORY,))
        part = await pc.part(offset=5)
        assert part.offset == 0
        assert len(part.data) == part.total
        unknown = InventoryDigest(b"?" * 32)
        assert (await pc.part(unknown)).base == EMPTY_DIGEST


async def test_packages_are_withheld_where_the_settings_say_so(
    autojump_clock: trio.testing.MockClock, path: Path
) -> None:
    async with running(path, tell_packages=False) as pc:
        pc.news.welcomed((INVENTORY,))
        part = await pc.part()
        assert applied(NOTHING, unpacked(part.data)) == Inventory({"os.id": "debian", PACKAGES_TOLD: "withheld"})

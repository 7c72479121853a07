"""`p2pdist.transfer.manager` with a played engine: what a step costs where nothing has changed, and what is not missed.

With a real engine and real files: `tests/swarm/test_transfers.py`.
"""

import dataclasses
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.messages import FromEndpoint, Want
from p2pdist.transfer import files
from p2pdist.transfer.manager import Transfers
from p2pdist.transfer.records import MOVED_SAVE_SECONDS, SAVE_SECONDS
from p2pdist.transfer.states import TransferRecord
from p2pdist.transfer.torrent_engine import TransferSnapshot
from p2pdist.transfer.transfer import Transfer
from p2pdist.trust.catalogue import Catalogue, CataloguePatch
from tests.helpers.patch_views import transfer

MANY = 20


@dataclass
class PlayedEngine:
    """Has each torrent at once; its snapshots stay the same objects until something is told of them."""

    cache: Path
    snapshots: dict[TorrentHash, TransferSnapshot] = field(default_factory=dict)

    async def refresh(self) -> None:
        """Nothing comes by itself."""

    def snapshot(self, torrent_hash: TorrentHash) -> TransferSnapshot:
        return self.snapshots[torrent_hash]

    async def add(self, _torrent: bytes, *, expected_hash: TorrentHash, assume_complete: bool) -> None:
        self.snapshots[expected_hash] = TransferSnapshot(
            torrent_hash=expected_hash, phase="complete" if assume_complete else "downloading", piece_count=1,
            have=0, lan_have=0, bytes_from_peers=0, bytes_to_peers=0, bytes_wasted=0, progress=0.0, peers=(),
            fault=None,
        )  # fmt: skip

    def change(self, torrent_hash: TorrentHash, **fields: Any) -> None:
        self.snapshots[torrent_hash] = dataclasses.replace(self.snapshots[torrent_hash], **fields)

    def complete(self, patch: CataloguePatch) -> None:
        (self.cache / patch.payload.sha256).write_bytes(data_of(patch.entry.sequence))
        self.change(TorrentHash(patch.payload.torrent_hash), phase="complete", have=1, bytes_from_peers=1, progress=1.0)


def data_of(n: int) -> bytes:
    return bytes([n])


def patch_of(n: int) -> CataloguePatch:
    patch = transfer(n).patch
    payload = replace(patch.payload, sha256=hashlib.sha256(data_of(n)).hexdigest())
    return dataclasses.replace(patch, payload=payload)


@dataclass
class Running:
    transfers: Transfers
    engine: PlayedEngine
    home: EndpointHome
    patches: list[CataloguePatch]
    sent: list[FromEndpoint] = field(default_factory=list)

    def one(self, n: int = 0) -> Transfer:
        return self.transfers.everything()[n]

    def wants(self) -> list[str]:
        """Return the torrents that the server was told of since the last call."""
        told = [message.torrent for message in self.sent if isinstance(message, Want)]
        self.sent.clear()
        return told

    async def prove(self, *numbers: int) -> None:
        """Let the files of these patches come, and be proven."""
        for n in numbers:
            self.engine.complete(self.patches[n])
        await self.transfers.step()
        with trio.fail_after(10):
            while any(self.one(n).state != "verified" for n in numbers):
                await trio.testing.wait_all_tasks_blocked(0.001)

    async def recorded(self) -> list[TransferRecord]:
        return await files.load_records(self.home.records)


@asynccontextmanager
async def running(root: Path, count: int = MANY) -> AsyncIterator[Running]:
    home = EndpointHome(root)
    for directory in (home.cache, home.patches):
        directory.mkdir(parents=True, exist_ok=True)
    engine, patches = PlayedEngine(home.cache), [patch_of(n) for n in range(1, count + 1)]
    async with trio.open_nursery() as nursery:
        sent: list[FromEndpoint] = []

        async def send(message: FromEndpoint) -> None:
            sent.append(message)

        transfers = Transfers(home, cast("Any", engine), nursery, send, SystemClock(), can_fetch=lambda: True)
        run = Running(transfers, engine, home, patches, sent)
        await transfers.load()
        await transfers.reconcile(Catalogue(1, patches=tuple(patches), refused=(), stale=""))
        while any(each.state not in ("fetching", "verified") for each in transfers.everything()):
            await transfers.step()
        yield run
        nursery.cancel_scope.cancel()


@pytest.fixture
def wants_made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The torrents of which a `Want` was put together."""
    made: list[str] = []
    real = Transfer.want

    def want(self: Transfer, *args: Any, **kwargs: Any) -> Want:
        made.append(self.torrent_hash)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Transfer, "want", want)
    return made


async def test_a_step_looks_through_what_is_under_way_and_not_through_what_is_proven(
    tmp_path: Path, wants_made: list[str]
) -> None:
    async with running(tmp_path / "home") as run:
        await run.prove(*range(1, MANY))
        await run.transfers.step()
        wants_made.clear()
        await run.transfers.step()
        assert wants_made == [run.one(0).torrent_hash]


async def test_what_comes_of_a_proven_file_is_counted_and_told(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 2) as run:
        await run.prove(0, 1)
        await run.transfers.step()
        run.wants()
        proven, other = run.one(0), run.one(1)
        run.engine.change(proven.torrent_hash, bytes_from_peers=5, bytes_wasted=4)
        await run.transfers.step()
        assert (proven.record.bytes_from_peers, proven.record.bytes_wasted) == (5, 4)
        assert other.record.bytes_from_peers == 1
        assert run.wants() == [], "that concerns no lease"
        run.engine.change(proven.torrent_hash, have=0)
        await run.transfers.step()
        assert run.wants() == [proven.torrent_hash]


async def test_a_new_server_is_told_of_what_is_proven_too(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 2) as run:
        await run.prove(0)
        await run.transfers.step()
        run.wants()
        run.transfers.forget_wants()
        await run.transfers.step()
        assert run.wants() == [each.torrent_hash for each in run.transfers.everything()]


async def test_files_that_are_proven_within_a_second_are_recorded_together(
    tmp_path: Path, mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    real = files.save_records

    async def save_records(path: Path, records: list[TransferRecord]) -> None:
        written.append(sum(record.verified_at is not None for record in records))
        await real(path, records)

    monkeypatch.setattr(files, "save_records", save_records)
    async with running(tmp_path / "home") as run:
        mock_clock.jump(SAVE_SECONDS)
        await run.transfers.step()
        written.clear()
        for n in range(MANY):
            await run.prove(n)
        assert not written
        assert run.transfers.step_seconds <= MOVED_SAVE_SECONDS, "else a PC that has all would write it much later"
        mock_clock.jump(MOVED_SAVE_SECONDS)
        await run.transfers.step()
        assert written == [MANY]
        assert run.transfers.step_seconds > MOVED_SAVE_SECONDS
        mock_clock.jump(MOVED_SAVE_SECONDS)
        await run.transfers.step()
        assert len(written) == 1, "nothing has changed"


async def test_that_a_file_is_damaged_is_recorded_at_once(tmp_path: Path, mock_clock: trio.testing.MockClock) -> None:
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        mock_clock.jump(SAVE_SECONDS)
        await run.transfers.step()
        assert [record.verified_at is None for record in await run.recorded()] == [False]
        await run.transfers.damaged(run.one().torrent_hash)
        await run.transfers.step()
        assert [record.verified_at for record in await run.recorded()] == [None]


async def test_a_name_that_a_power_cut_has_taken_is_made_again_at_the_start(
    tmp_path: Path, mock_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        await run.transfers.save()
        (record,), place = await run.recorded(), Path(run.one().verified_path(run.home.patches))
        place.unlink()
        place.parent.rmdir()
        place.parent.parent.rmdir()
        # unlike a power cut, removing a name is a change of the file
        changed = (run.home.cache / record.sha256).stat().st_ctime_ns
        await files.save_records(run.home.records, [replace(record, verified_ctime_ns=changed)])
    async with running(tmp_path / "home", 1) as run:
        assert run.one().state == "verified", "without a look at the bytes"
        assert place.read_bytes() == data_of(1)


async def test_a_new_patch_is_recorded_at_once(tmp_path: Path, mock_clock: trio.testing.MockClock) -> None:
    async with running(tmp_path / "home", 1) as run:
        more = (*run.patches, patch_of(7))
        await run.transfers.reconcile(Catalogue(2, patches=more, refused=(), stale=""))
        assert len(await run.recorded()) == 2

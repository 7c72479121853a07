"""`p2pdist.transfer.manager` with a played engine: what a step costs where nothing has changed, and what is not missed.

With a real engine and real files: `tests/swarm/test_transfers.py`.
"""

import dataclasses
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
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
from p2pdist.shared.wire.fields import HELD_BYTES
from p2pdist.shared.wire.messages import FromEndpoint, Holdings, Want
from p2pdist.transfer import files
from p2pdist.transfer.cache import Cache
from p2pdist.transfer.manager import Transfers
from p2pdist.transfer.names import give_name, take_name
from p2pdist.transfer.records import MOVED_SAVE_SECONDS, SAVE_SECONDS
from p2pdist.transfer.states import Place, TransferRecord, giving_up
from p2pdist.transfer.torrent_engine import TransferSnapshot
from p2pdist.transfer.transfer import Transfer
from p2pdist.trust.catalogue import Catalogue, CataloguePatch, NotApplicable, RefusedPatch
from tests.helpers.patch_views import transfer

MANY = 20


@dataclass
class PlayedEngine:
    """Has each torrent at once; its snapshots stay the same objects until something is told of them."""

    cache: Path
    found: bool = False
    snapshots: dict[TorrentHash, TransferSnapshot] = field(default_factory=dict)
    kept_files: list[TorrentHash] = field(default_factory=list)
    """The torrents that were removed without their files."""

    async def refresh(self) -> None:
        """Nothing comes by itself."""

    def snapshot(self, torrent_hash: TorrentHash) -> TransferSnapshot:
        return self.snapshots[torrent_hash]

    async def remove(self, torrent_hash: TorrentHash, *, delete_files: bool) -> None:
        del self.snapshots[torrent_hash]
        if not delete_files:
            self.kept_files.append(torrent_hash)

    async def add(self, _torrent: bytes, *, expected_hash: TorrentHash, assume_complete: bool) -> None:
        whole = assume_complete or self.found
        self.snapshots[expected_hash] = TransferSnapshot(
            torrent_hash=expected_hash, phase="complete" if whole else "downloading", piece_count=1,
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
    proofs: list[int] = field(default_factory=list)

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
        await self.verified(*numbers)

    async def verified(self, *numbers: int) -> None:
        """Wait until their proofs have ended."""
        with trio.fail_after(10):
            while any(self.one(n).state != "verified" for n in numbers):
                await trio.testing.wait_all_tasks_blocked(0.001)

    async def recorded(self) -> list[TransferRecord]:
        return await files.load_records(self.home.records)


@asynccontextmanager
async def running(
    root: Path, count: int = MANY, *, found: bool = False, offered: Sequence[CataloguePatch] = ()
) -> AsyncIterator[Running]:
    """``found``: the check of what is on disk finds every piece. ``offered``: other patches than the usual ones."""
    home = EndpointHome(root)
    for directory in (home.cache, home.patches):
        directory.mkdir(parents=True, exist_ok=True)
    engine, patches = PlayedEngine(home.cache, found=found), [*offered, *(patch_of(n) for n in range(1, count + 1))]
    async with trio.open_nursery() as nursery:
        sent: list[FromEndpoint] = []

        async def send(message: FromEndpoint) -> None:
            sent.append(message)

        proofs: list[int] = []
        transfers = Transfers(
            home,
            cast("Any", engine),
            nursery,
            send,
            SystemClock(),
            can_fetch=lambda: True,
            proven=lambda: proofs.append(len(sent)),
        )
        transfers.parcels.welcomed(has_parcels=False)
        run = Running(transfers, engine, home, patches, sent, proofs)
        await transfers.load()
        await transfers.step()  # as a daemon does that has no catalogue yet
        await transfers.reconcile(Catalogue(1, patches=tuple(patches), refused=(), stale=""))
        while any(each.state not in ("fetching", "verifying", "verified") for each in transfers.everything()):
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
        run.transfers.forget_wants(takes_holdings=False)
        await run.transfers.step()
        assert run.wants() == [each.torrent_hash for each in run.transfers.everything()]


async def test_that_a_small_file_is_here_is_said_once_when_it_is_proven_and_then_at_once(tmp_path: Path) -> None:
    """So it leaves together with the report that it is proven, and whoever sends both is woken for it."""
    async with running(tmp_path / "home", 1) as run:
        run.transfers.forget_wants(takes_holdings=True)
        await run.transfers.step()
        run.sent.clear()
        run.engine.complete(run.patches[0])
        await run.transfers.step()
        assert run.one(0).state == "verifying"
        assert run.sent == []
        await run.verified(0)
        await trio.testing.wait_all_tasks_blocked(0.001)
        assert run.proofs == [0]
        for _ in range(3):
            await run.transfers.step()
        assert run.sent == [Holdings(torrents=bytes.fromhex(run.one(0).torrent_hash)[:HELD_BYTES])]


async def test_a_server_that_takes_it_is_told_in_one_message_of_all_that_is_complete(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 4) as run:
        await run.prove(0, 1)
        await run.transfers.step()
        run.sent.clear()
        run.transfers.forget_wants(takes_holdings=True)
        await run.transfers.step()
        held = b"".join(bytes.fromhex(run.one(n).torrent_hash)[:HELD_BYTES] for n in (0, 1))
        halves = held[:HELD_BYTES], held[HELD_BYTES:]
        held = b"".join(sorted(halves))
        assert run.sent[0] == Holdings(torrents=held)
        assert run.wants() == [run.one(n).torrent_hash for n in (2, 3)], "of what it lacks it asks for leases"
        await run.prove(2)
        await run.transfers.step()
        assert run.sent == [Holdings(torrents=bytes.fromhex(run.one(2).torrent_hash)[:HELD_BYTES])]
        run.wants()
        run.engine.change(run.one(2).torrent_hash, have=0)
        await run.transfers.step()
        assert run.wants() == [run.one(2).torrent_hash]


@pytest.mark.parametrize("withdrawn", [False, True])
async def test_the_server_hears_what_is_no_longer_for_this_pc_unless_it_has_withdrawn_it(
    tmp_path: Path, withdrawn: bool
) -> None:
    async with running(tmp_path / "home", 2) as run:
        first, second = run.patches
        gone, stays = run.one(0).torrent_hash, run.one(1).torrent_hash
        run.wants()
        skipped = () if withdrawn else (NotApplicable(first.entry, first.manifest, "not for this PC"),)
        without = Catalogue(2, patches=(second,), refused=(), stale="", not_applicable=skipped)
        await run.transfers.reconcile(without)
        told = [message for message in run.sent if isinstance(message, Want) and message.torrent == gone]
        assert told == ([] if withdrawn else [giving_up(gone)])
        run.wants()
        await run.transfers.reconcile(without)
        assert run.wants() in ([], [stays]), "it is said once"


async def test_what_neighbours_have_of_a_complete_file_is_no_news(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 2) as run:
        await run.prove(0)
        await run.transfers.step()
        run.wants()
        for n in (0, 1):
            run.engine.change(run.one(n).torrent_hash, lan_have=1)
        await run.transfers.step()
        assert run.wants() == [run.one(1).torrent_hash]


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


async def proofs_begun(root: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Start again with one patch, all of which is found; return how often it was read as a whole."""
    begun: list[Path] = []
    real = files.hash_file

    async def hash_file(path: Path, *args: Any, **kwargs: Any) -> files.Proof:
        begun.append(path)
        return await real(path, *args, **kwargs)

    monkeypatch.setattr(files, "hash_file", hash_file)
    async with running(root, 1, found=True) as run:
        await run.verified(0)
        await run.transfers.save()
    return len(begun)


async def test_a_restart_after_an_installation_that_was_tried_proves_nothing_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is kept for a rollback and let go again: two names that the daemon itself gives and takes."""
    kept = tmp_path / "kept"
    kept.mkdir()
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        place = Path(run.one().verified_path(run.home.patches))
        for change in (give_name(place, kept / "file"), take_name(kept / "file")):
            assert change is not None
            run.transfers.names_changed(change)
        await run.transfers.save()
        (record,) = await run.recorded()
    assert await proofs_begun(tmp_path / "home", monkeypatch) == 0
    (again,) = await files.load_records(EndpointHome(tmp_path / "home").records)
    assert again.verified_at == record.verified_at


async def test_what_another_has_done_with_the_file_meanwhile_is_noticed_though_the_daemon_gave_it_a_name(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        place = Path(run.one().verified_path(run.home.patches))
        status = place.stat()
        place.write_bytes(data_of(9))
        os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
        run.transfers.names_changed(give_name(place, tmp_path / "kept"))
        await run.transfers.save()
        (record,) = await run.recorded()
        assert not await Cache(run.home.cache, None).is_proven(record, len(data_of(1)))


async def test_bytes_that_one_patch_less_has_after_a_restart_are_not_proven_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = EndpointHome(tmp_path / "home")
    async with running(home.root, 1) as run:
        await run.prove(0)
        second = Place("second", "1", "file")
        run.one().record = replace(run.one().record, places=(*run.one().record.places, second))
        place = home.patches.joinpath(second.patch_id, second.version, second.file_name)
        place.parent.mkdir(parents=True)
        run.transfers.names_changed(give_name(Path(run.one().verified_path(home.patches)), place))
        await run.transfers.save()
    assert await proofs_begun(home.root, monkeypatch) == 0
    assert not place.exists()


@pytest.mark.parametrize("damaged", [False, True])
async def test_when_it_was_verified_does_not_change_when_it_is_proven_anew_and_was_whole_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    """As after a backup, which gives each file a name, or a change of its mode."""
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        await run.transfers.save()
        (record,) = await run.recorded()
        cached = run.home.cache / record.sha256
        cached.chmod(0o600)
    async with running(tmp_path / "home", 1, found=not damaged) as run:
        if damaged:
            await run.prove(0)
        await run.verified(0)
        assert (run.one().record.verified_at == record.verified_at) is not damaged


async def test_a_new_patch_is_recorded_at_once(tmp_path: Path, mock_clock: trio.testing.MockClock) -> None:
    async with running(tmp_path / "home", 1) as run:
        more = (*run.patches, patch_of(7))
        await run.transfers.reconcile(Catalogue(2, patches=more, refused=(), stale=""))
        assert len(await run.recorded()) == 2


async def test_what_no_transfer_is_of_goes_once_the_server_has_said_what_belongs_here(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 2) as run:
        await run.prove(0)
        left = run.home.cache / ("f" * 64)
        left.write_bytes(b"half of a patch that is gone")
        for unsure in (
            Catalogue(1, patches=tuple(run.patches), refused=(), stale="", confirmed=False),
            Catalogue(1, tuple(run.patches), (RefusedPatch(run.patches[0].entry, "unreadable"),), stale=""),
        ):
            await run.transfers.reconcile(unsure)
            assert not await run.transfers.remove_unclaimed()
            assert left.exists()
        await run.transfers.reconcile(Catalogue(1, patches=tuple(run.patches), refused=(), stale=""))
        assert await run.transfers.remove_unclaimed()
        assert not left.exists()
        assert await Cache(run.home.cache, None).is_proven(run.one(0).record, 1)

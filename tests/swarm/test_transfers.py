"""`p2pdist.transfer.manager` with a real engine and real files; the test plays the origin."""

import dataclasses
import math
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from p2pdist.local_api.delivery_answers import StatusPatch
from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.identifiers import PatchRef, PieceIndex, TorrentHash
from p2pdist.shared.manifest.documents import Manifest, Payload, RolloutEntry
from p2pdist.shared.manifest.recipe import ScheduleRules
from p2pdist.shared.wire.bitfield import unpack
from p2pdist.shared.wire.data_messages import Piece
from p2pdist.shared.wire.messages import FromEndpoint, PieceRejected, PieceStored, Want
from p2pdist.status.patches import file_view, views_of
from p2pdist.status.projections import status_patches
from p2pdist.status.reports import Reports
from p2pdist.status.view import FileView, PatchView
from p2pdist.transfer import files
from p2pdist.transfer.cached_files import Writer
from p2pdist.transfer.manager import Transfers
from p2pdist.transfer.states import MAX_FAILED_PROOFS
from p2pdist.transfer.torrent_engine import EngineError, PieceOutcome, TorrentDamaged
from p2pdist.transfer.transfer import Transfer
from p2pdist.transfer.turns import MAX_LARGE_AT_A_TIME, SMALL_BYTES
from p2pdist.trust.catalogue import Catalogue, CataloguePatch, NotApplicable, RefusedPatch

SIZE_BYTES = 1_000_003
DEADLINE_SECONDS = 20


def catalogue(*payloads: Any) -> Catalogue:
    return catalogue_of(*(patch_of(n, payload) for n, payload in enumerate(payloads, 1)))


def catalogue_of(*patches: CataloguePatch, not_applicable: tuple[NotApplicable, ...] = ()) -> Catalogue:
    return Catalogue(timestamp_version=1, patches=patches, refused=(), stale="", not_applicable=not_applicable)


def patch_of(n: int, *variants: Any) -> CataloguePatch:
    """Patch ``n``, of which this PC takes the first variant."""
    payloads = [
        Payload(
            file_name="file.bin",
            length_bytes=len(variant.data),
            sha256=variant.name,
            torrent_hash=variant.torrent_hash,
        )
        for variant in variants
    ]
    return CataloguePatch(
        entry=RolloutEntry(patch_id=f"patch{n}", version="1", sequence=n),
        manifest=Manifest(
            format=1,
            patch_id=f"patch{n}",
            version="1",
            title="",
            severity="low",
            cvss=None,
            published_at=0,
            payloads=payloads,
        ),
        payload=payloads[0],
        torrent=variants[0].torrent,
    )


def no_longer(patch: CataloguePatch, *, shared: bool) -> NotApplicable:
    return NotApplicable(patch.entry, patch.manifest, "not applicable: x 2 ≥ 2", shared=patch if shared else None)


@dataclass
class Running:
    """Transfers at work, and what they told the origin."""

    transfers: Transfers
    engine: Any
    home: EndpointHome
    sent: list[FromEndpoint] = field(default_factory=list)

    @property
    def rows(self) -> list[StatusPatch]:
        """What `p2pdist status` shows."""
        return status_patches(self.views)

    @property
    def row(self) -> StatusPatch:
        (row,) = self.rows
        return row

    @property
    def path(self) -> Path:
        """Where the proven file is."""
        assert self.row.path is not None
        return Path(self.row.path)

    @property
    def views(self) -> list[PatchView]:
        def file_of(transfer: Transfer, patch: CataloguePatch) -> FileView:
            path = transfer.verified_path(self.home.patches, patch)
            return file_view(transfer, patch, path, trio.current_time(), time.time())

        return views_of(self.transfers.everything(), [], [], file_of=file_of)

    def last(self, kind: type[Any]) -> Any:
        return [message for message in self.sent if isinstance(message, kind)][-1]

    async def step_until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(DEADLINE_SECONDS):
            while not condition():
                await self.transfers.step()
                await trio.sleep(0.01)

    async def begin(self, payload: Any) -> None:
        """Take the patch up, until its pieces are asked for."""
        await self.transfers.reconcile(catalogue(payload))
        await self.step_until(lambda: self.row.state == "fetching")

    async def finish(self, payload: Any) -> None:
        """Give all pieces, until the file is proven."""
        await self.give_all(payload)
        await self.step_until(lambda: self.row.state == "verified")

    async def accept_piece(self, piece: Piece) -> None:
        """Store a piece and count it, as the network part and the daemon do."""
        torrent, index = TorrentHash(piece.torrent), PieceIndex(piece.piece)
        try:
            outcome: PieceOutcome = await self.engine.add_piece(torrent, index, piece.data)
        except EngineError:
            outcome = "not_stored"
        await self.transfers.piece_arrived(torrent, index, len(piece.data), outcome)

    async def give_all(self, payload: Any) -> None:
        for index in range(payload.count):
            await self.accept_piece(Piece(torrent=payload.torrent_hash, piece=index, data=payload.piece(index)))


@asynccontextmanager
async def running(open_endpoint: Any, root: Path) -> AsyncIterator[Running]:
    home = EndpointHome(root)
    home.cache.mkdir(parents=True, exist_ok=True)
    async with open_endpoint(directory=home.cache) as endpoint, trio.open_nursery() as nursery:
        sent: list[FromEndpoint] = []

        async def send(message: FromEndpoint) -> None:
            sent.append(message)

        transfers = Transfers(home, endpoint.engine, nursery, send, SystemClock(), can_fetch=lambda: True)
        transfers.parcels.welcomed(has_parcels=False)
        await transfers.load()
        yield Running(transfers, endpoint.engine, home, sent)
        await transfers.save()
        nursery.cancel_scope.cancel()


async def test_pieces_of_the_origin_become_a_proven_file(open_endpoint: Any, payload_of: Any, tmp_path: Path) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.begin(payload)
        want = run.last(Want)
        assert want.can_fetch
        assert unpack(want.have, payload.count) == 0
        await run.give_all(payload)
        assert [m.piece for m in run.sent if isinstance(m, PieceStored)] == list(range(payload.count))
        await run.step_until(lambda: run.row.state == "verified")
        assert run.row.bytes_from_origin == SIZE_BYTES
        assert run.row.bytes_from_peers == run.row.bytes_wasted == 0
        assert run.path.read_bytes() == payload.data
        await run.step_until(lambda: not run.last(Want).can_fetch)
        (report,) = Reports().news(run.views, 0.0)
        assert report.patches[-1].state == "verified"


async def test_bad_piece_of_the_origin_is_rejected_and_counted_as_waste(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.begin(payload)
        bad = b"\0" + payload.piece(0)[1:]
        await run.accept_piece(Piece(torrent=payload.torrent_hash, piece=0, data=bad))
        assert run.last(PieceRejected).piece == 0
        assert run.row.bytes_wasted == len(bad)
        await run.accept_piece(Piece(torrent="0" * 64, piece=0, data=b"x"))
        assert run.last(PieceRejected).torrent == payload.torrent_hash, "no verdict on a torrent that is not here"
        await run.finish(payload)


async def test_restart_keeps_what_is_verified_and_the_counts(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.begin(payload)
        await run.finish(payload)
        before = run.row
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.transfers.reconcile(catalogue(payload))
        assert run.row == before, "verified at once, without a look at the bytes"


async def test_restart_in_the_middle_keeps_the_pieces_on_disk(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.begin(payload)
        for index in (0, 2):
            await run.accept_piece(Piece(torrent=payload.torrent_hash, piece=index, data=payload.piece(index)))
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.begin(payload)
        assert unpack(run.last(Want).have, payload.count) == 0b101
        assert run.row.bytes_from_origin == 2 * len(payload.piece(0))


def write_and_hide(cached: Path) -> None:
    """Change the bytes, and give the file the times that it had."""
    before = cached.stat()
    with cached.open("r+b") as file:
        file.write(b"evil")
    os.utime(cached, ns=(before.st_atime_ns, before.st_mtime_ns))


def write_openly(cached: Path) -> None:
    """Change the bytes, and the time."""
    write_and_hide(cached)
    os.utime(cached, ns=(1, 1))


def replace_and_hide(cached: Path) -> None:
    """Put another file with the same length and times in its place."""
    shutil.copy2(cached, other := cached.with_name("other"))
    write_and_hide(other)
    other.rename(cached)


@pytest.mark.parametrize("change", [write_openly, write_and_hide, replace_and_hide])
async def test_bytes_changed_on_disk_while_stopped_are_fetched_again(
    open_endpoint: Any, payload_of: Any, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.begin(payload)
        await run.finish(payload)
    change(tmp_path / "home" / "cache" / payload.name)
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.begin(payload)
        assert not run.row.path
        await run.accept_piece(Piece(torrent=payload.torrent_hash, piece=0, data=payload.piece(0)))
        await run.step_until(lambda: run.row.state == "verified")
        assert run.path.read_bytes() == payload.data


async def test_damage_that_a_neighbour_ran_into_takes_the_verified_file_back(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.begin(payload)
        await run.finish(payload)
        verified = run.path
        await run.engine.recheck(payload.torrent_hash)
        await run.transfers.damaged(TorrentDamaged(payload.torrent_hash).torrent_hash)
        assert not verified.exists()
        await run.step_until(lambda: run.row.state == "verified")
        assert verified.read_bytes() == payload.data


async def test_withdrawn_patch_leaves_nothing(open_endpoint: Any, payload_of: Any, tmp_path: Path) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.begin(payload)
        await run.finish(payload)
        await run.transfers.reconcile(catalogue())
        assert run.rows == []
        assert list(run.home.cache.iterdir()) == list(run.home.patches.iterdir()) == []


async def test_file_whose_pieces_are_right_and_whose_hash_is_wrong_fails_with_a_reason(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    (right,) = catalogue(payload).patches
    wrong = replace(right.payload, length_bytes=SIZE_BYTES + 1)
    patch = CataloguePatch(right.entry, replace(right.manifest, payloads=[wrong]), wrong, right.torrent)
    contradiction = catalogue_of(patch)
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.transfers.reconcile(contradiction)
        await run.step_until(lambda: run.row.state == "fetching")
        await run.give_all(payload)
        await run.step_until(lambda: run.row.state == "failed")
        assert f"wrong {MAX_FAILED_PROOFS} times" in str(run.row.error)
        assert run.row.path is None
        assert not list(run.home.patches.rglob("file.bin"))


async def verified(run: Running, payload: Any) -> None:
    await run.transfers.reconcile(catalogue(payload))
    await run.step_until(lambda: run.row.state == "fetching")
    await run.give_all(payload)
    await run.step_until(lambda: run.row.state == "verified")


async def test_patch_that_cannot_be_read_now_keeps_its_bytes(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    unreadable = RefusedPatch(RolloutEntry(patch_id="patch1", version="1", sequence=1), "its manifest is damaged")
    refusing = Catalogue(timestamp_version=2, patches=(), refused=(unreadable,), stale="")
    async with running(open_endpoint, tmp_path / "home") as run:
        await verified(run, payload)
        await run.transfers.reconcile(refusing)
        assert run.path.read_bytes() == payload.data
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.transfers.reconcile(refusing)
        await run.transfers.reconcile(catalogue(payload))
        assert run.row.state == "verified"


async def test_patch_withdrawn_while_the_daemon_was_stopped_leaves_nothing(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    async with running(open_endpoint, tmp_path / "home") as run:
        await verified(run, payload_of(SIZE_BYTES))
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.transfers.reconcile(catalogue())
        assert list(run.home.cache.iterdir()) == list(run.home.patches.iterdir()) == []
        await run.transfers.save()
        assert await files.load_records(run.home.records) == []


@pytest.fixture
def held_proof(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], tuple[trio.Event, trio.Event]]:
    """Let a proof end only when told to: as if what happens meanwhile had come in its very last moment."""

    def hold(right: bool) -> tuple[trio.Event, trio.Event]:
        hashed, go = trio.Event(), trio.Event()
        real = files.hash_file

        async def hash_file(path: Path, writer: Writer | None, *, max_bytes: int | None) -> files.Proof:
            proof = await real(path, writer, max_bytes=max_bytes)
            hashed.set()
            with trio.CancelScope(shield=True):
                await go.wait()
            return proof if right else dataclasses.replace(proof, length_bytes=0)

        monkeypatch.setattr(files, "hash_file", hash_file)
        return hashed, go

    return hold


@pytest.mark.parametrize("right", [True, False])
async def test_patch_withdrawn_while_it_is_proven_leaves_nothing(
    open_endpoint: Any, payload_of: Any, tmp_path: Path, held_proof: Any, right: bool
) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        hashed, go = held_proof(right)
        await run.begin(payload)
        await run.give_all(payload)
        await run.step_until(hashed.is_set)
        await run.transfers.reconcile(catalogue())
        go.set()
        await trio.testing.wait_all_tasks_blocked()
        await run.transfers.step()
        assert list(run.home.cache.iterdir()) == list(run.home.patches.rglob("*")) == []


async def test_damage_that_is_found_while_the_file_is_proven_counts(
    open_endpoint: Any, payload_of: Any, tmp_path: Path, held_proof: Any
) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        hashed, go = held_proof(True)
        await run.begin(payload)
        await run.give_all(payload)
        await run.step_until(hashed.is_set)
        await run.engine.recheck(payload.torrent_hash)
        await run.transfers.damaged(payload.torrent_hash)
        assert run.row.state == "checking"
        go.set()
        await run.step_until(lambda: run.row.state == "verified")


async def test_cache_that_is_gone_fails_with_a_reason_and_ends_nothing(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    async with running(open_endpoint, tmp_path / "home") as run:
        run.home.cache.rmdir()
        await run.transfers.reconcile(catalogue(payload_of(SIZE_BYTES)))
        assert run.row.state == "failed"
        assert "cannot be read: No such file" in str(run.row.error)


async def test_verified_file_that_cannot_be_removed_ends_nothing(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        await verified(run, payload)
        place = run.path
        place.unlink()
        place.mkdir()
        await run.transfers.reconcile(catalogue())
        assert run.rows == []


async def test_patches_that_nobody_has_do_not_hold_up_the_next(
    open_endpoint: Any, payload_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payloads = [payload_of(SMALL_BYTES + 1 + n) for n in range(MAX_LARGE_AT_A_TIME + 1)]
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.transfers.reconcile(catalogue(*payloads))
        await run.step_until(lambda: sum(r.state == "fetching" for r in run.rows) == len(payloads) - 1)
        await run.transfers.step()
        assert run.rows[-1].state == "waiting"
        for transfer in run.transfers.everything():  # nothing has come for as long as a stall takes
            transfer.activity = dataclasses.replace(transfer.activity, changed_at=-math.inf)
        await run.step_until(lambda: run.rows[-1].state == "fetching")


async def test_same_bytes_under_a_new_version_are_not_fetched_again(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    (old,) = catalogue(payload).patches
    new = CataloguePatch(
        entry=replace(old.entry, version="2", sequence=2),
        manifest=replace(old.manifest, version="2"),
        payload=old.payload,
        torrent=old.torrent,
    )
    async with running(open_endpoint, tmp_path / "home") as run:
        await verified(run, payload)
        before = run.path
        await run.transfers.reconcile(Catalogue(timestamp_version=2, patches=(new,), refused=(), stale=""))
        assert (run.row.version, run.row.state, run.row.bytes_from_origin) == ("2", "verified", 0)
        assert run.path.read_bytes() == payload.data
        assert not before.exists()


async def test_a_refresh_without_news_tells_the_server_nothing(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        await verified(run, payload)
        await run.transfers.step()
        run.sent.clear()
        await run.transfers.reconcile(catalogue(payload))
        assert run.sent == []


async def test_patch_that_applies_no_longer_is_kept_and_shared_also_after_a_restart(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    patch = patch_of(1, payload)
    installed = catalogue_of(not_applicable=(no_longer(patch, shared=True),))
    async with running(open_endpoint, tmp_path / "home") as run:
        assert run.transfers.held() == frozenset()
        await verified(run, payload)
        assert run.transfers.held() == {(PatchRef("patch1", "1"), payload.torrent_hash)}
        await run.transfers.reconcile(installed)
        assert run.path.read_bytes() == payload.data
        (active,) = run.transfers.active_torrents()
        assert active.progress == 1.0
    async with running(open_endpoint, tmp_path / "home") as run:
        assert run.transfers.held() == {(PatchRef("patch1", "1"), payload.torrent_hash)}
        await run.transfers.reconcile(installed)
        assert run.row.state == "verified"
        assert len(run.transfers.active_torrents()) == 1


@pytest.mark.parametrize("superseded", [True, False])
async def test_patch_that_applies_no_longer_leaves_nothing_once_it_is_withdrawn_or_superseded(
    open_endpoint: Any, payload_of: Any, tmp_path: Path, superseded: bool
) -> None:
    payload = payload_of(SIZE_BYTES)
    patch = patch_of(1, payload)
    async with running(open_endpoint, tmp_path / "home") as run:
        await verified(run, payload)
        await run.transfers.reconcile(catalogue_of(not_applicable=(no_longer(patch, shared=True),)))
        without = (no_longer(patch, shared=False),) if superseded else ()
        await run.transfers.reconcile(catalogue_of(not_applicable=without))
        assert run.rows == []
        assert run.transfers.held() == frozenset()
        assert list(run.home.cache.iterdir()) == list(run.home.patches.iterdir()) == []


async def test_patch_that_never_applied_is_not_fetched(open_endpoint: Any, payload_of: Any, tmp_path: Path) -> None:
    patch = patch_of(1, payload_of(SIZE_BYTES))
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.transfers.reconcile(catalogue_of(not_applicable=(no_longer(patch, shared=False),)))
        assert not run.rows
        assert not run.transfers.active_torrents()
        assert not run.sent


async def test_another_variant_of_the_patch_takes_the_place_of_the_first(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    japanese, english = payload_of(SIZE_BYTES), payload_of(SIZE_BYTES + 1)
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.transfers.reconcile(catalogue_of(patch_of(1, japanese, english)))
        await run.step_until(lambda: run.row.state == "fetching")
        await run.finish(japanese)
        await run.transfers.reconcile(catalogue_of(patch_of(1, english, japanese)))
        assert run.row.length_bytes == SIZE_BYTES + 1
        await run.step_until(lambda: run.row.state == "fetching")
        await run.finish(english)
        assert run.path.read_bytes() == english.data
        await run.transfers.step()  # until the other one was here, pieces of it could be built of this one
        assert [path.name for path in run.home.cache.iterdir()] == [english.name]
        assert run.transfers.held() == {(PatchRef("patch1", "1"), english.torrent_hash)}


async def test_of_two_patches_with_the_same_bytes_the_one_that_applies_names_them(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        await verified(run, payload)
        old, new = patch_of(1, payload), patch_of(2, payload)
        await run.transfers.reconcile(catalogue_of(new, not_applicable=(no_longer(old, shared=True),)))
        assert (run.row.id, run.row.state) == ("patch2", "verified")


def renamed(patch: CataloguePatch, patch_id: str, version: str = "1", *, emergency: bool = False) -> CataloguePatch:
    """Return a patch with the same bytes under another name."""
    schedule = ScheduleRules(emergency=emergency)
    manifest = replace(patch.manifest, patch_id=patch_id, version=version, schedule=schedule)
    entry = RolloutEntry(patch_id=patch_id, version=version, sequence=patch.entry.sequence + 1)
    return dataclasses.replace(patch, manifest=manifest, entry=entry)


def places(run: Running) -> list[str]:
    return sorted(str(path.relative_to(run.home.patches)) for path in run.home.patches.rglob("file.bin"))


async def test_the_same_bytes_under_a_second_id_are_here_at_once_under_both(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    first = patch_of(1, payload)
    second = renamed(first, "second")
    async with running(open_endpoint, tmp_path / "home") as run:
        await verified(run, payload)
        before = len(run.sent)
        await run.transfers.reconcile(catalogue_of(first, second))
        assert [(row.id, row.state, row.bytes_from_origin) for row in run.rows] == [
            ("patch1", "verified", SIZE_BYTES),
            ("second", "verified", 0),
        ]
        assert places(run) == ["patch1/1/file.bin", "second/1/file.bin"]
        assert not any(isinstance(message, Want) and message.can_fetch for message in run.sent[before:])
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.transfers.reconcile(catalogue_of(second, first))
        await run.step_until(lambda: {row.state for row in run.rows} == {"verified"})
        await run.transfers.reconcile(catalogue_of(second))
        assert (places(run), run.row.id, run.row.state) == (["second/1/file.bin"], "second", "verified")
        await run.transfers.reconcile(catalogue())
        assert list(run.home.cache.iterdir()) == list(run.home.patches.iterdir()) == []


async def test_a_second_name_that_was_withdrawn_while_the_daemon_was_stopped_is_gone(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    first = patch_of(1, payload)
    second = renamed(first, "second")
    async with running(open_endpoint, tmp_path / "home") as run:
        await verified(run, payload)
        await run.transfers.reconcile(catalogue_of(first, second))
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.transfers.reconcile(catalogue_of(first))
        await run.step_until(lambda: run.row.state == "verified")
        assert places(run) == ["patch1/1/file.bin"]
        assert run.transfers.removed == set()


async def test_the_same_bytes_as_a_higher_version_are_not_fetched(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    first = patch_of(1, payload)
    async with running(open_endpoint, tmp_path / "home") as run:
        await verified(run, payload)
        await run.transfers.reconcile(catalogue_of(renamed(first, "patch1", "2")))
        assert (run.row.version, run.row.state, run.row.bytes_from_origin) == ("2", "verified", 0)
        assert places(run) == ["patch1/2/file.bin"]
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.transfers.reconcile(catalogue_of(renamed(first, "patch1", "3")))
        await run.step_until(lambda: run.row.state == "verified")
        assert places(run) == ["patch1/3/file.bin"]


async def test_what_is_offered_again_at_once_is_asked_for_again(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    """The server has forgotten who wants it; the PC has not seen that it was gone."""
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.begin(payload)
        wants = sum(isinstance(message, Want) for message in run.sent)
        await run.transfers.reconcile(catalogue(payload))
        assert sum(isinstance(message, Want) for message in run.sent) == wants + 1


async def test_an_emergency_starts_though_as_many_as_may_are_under_way(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payloads = [payload_of(SMALL_BYTES + 1 + n) for n in range(MAX_LARGE_AT_A_TIME + 3)]
    *low, urgent = [patch_of(n, payload) for n, payload in enumerate(payloads, 1)]
    async with running(open_endpoint, tmp_path / "home") as run:
        await run.transfers.reconcile(catalogue_of(*low))
        await run.step_until(lambda: sum(row.state == "fetching" for row in run.rows) == MAX_LARGE_AT_A_TIME)
        under_way = {row.id for row in run.rows if row.state == "fetching"}
        await run.transfers.reconcile(catalogue_of(*low, renamed(urgent, "urgent", emergency=True)))
        await run.step_until(lambda: run.rows[-1].state == "fetching")
        assert run.rows[-1].id == "urgent"
        assert under_way < {row.id for row in run.rows if row.state == "fetching"}, "what is under way goes on"
        assert sum(row.state == "waiting" for row in run.rows) == 2


async def test_bytes_that_are_kept_for_a_rollback_are_not_fetched_again(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    """The usual way back: the older file was superseded, and lies among those that are kept."""
    payload, other = payload_of(SIZE_BYTES), payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        for name, data in (("0", bytes(SIZE_BYTES)), ("1", payload.data), ("2", b"short")):
            place = run.home.kept / "patch1" / name / "file.bin"
            place.parent.mkdir(parents=True)
            place.write_bytes(data)
        await run.transfers.reconcile(catalogue(payload))
        await run.step_until(lambda: run.row.state == "verified")
        assert (run.row.bytes_from_origin, run.row.bytes_from_peers) == (0, 0)
        assert run.path.read_bytes() == payload.data
        kept = run.home.kept / "patch1" / "1" / "file.bin"
        assert kept.stat().st_ino != run.path.stat().st_ino, "what the network part may write to is a copy"
        await run.transfers.reconcile(catalogue(other))
        await run.step_until(lambda: run.row.state == "fetching")
        assert run.row.progress == 0.0, "of other files with this length, nothing is left"


async def test_a_patch_that_is_withdrawn_while_a_kept_file_is_taken_leaves_nothing(
    open_endpoint: Any, payload_of: Any, tmp_path: Path
) -> None:
    payload = payload_of(SIZE_BYTES)
    async with running(open_endpoint, tmp_path / "home") as run:
        place = run.home.kept / "patch1" / "1" / "file.bin"
        place.parent.mkdir(parents=True)
        place.write_bytes(payload.data)
        await run.transfers.reconcile(catalogue(payload))
        await run.transfers.reconcile(catalogue())
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert list(run.home.cache.iterdir()) == list(run.home.patches.rglob("*")) == []
        assert place.read_bytes() == payload.data

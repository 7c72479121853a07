"""`p2pdist.transfer.room` with a played engine: files leave and come back, and what does not fit waits in words."""

import dataclasses
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from p2pdist.shared.identifiers import PatchRef, Sha256Hex
from p2pdist.transfer.cache import ROOM_RETRY_SECONDS, Cache
from p2pdist.transfer.quota import QUOTA_WORDS
from p2pdist.transfer.states import giving_up
from p2pdist.trust.catalogue import Catalogue, CataloguePatch
from tests.helpers.patch_views import manifest
from tests.unit.p2pdist.transfer.test_manager import patch_of, running


async def test_what_is_spared_leaves_the_disk_and_is_known_to_have_been_here_also_after_a_restart(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "home", 2) as run:
        await run.prove(0, 1)
        gone, stays = run.one(0), run.one(1)
        await run.transfers.step()
        run.sent.clear()
        await run.transfers.room.spare([gone.torrent_hash, "f" * 64])  # type: ignore[list-item] # unknown by now
        assert [path.name for path in run.home.cache.iterdir()] == [stays.sha256]
        assert not Path(gone.verified_path(run.home.patches)).exists()
        assert (gone.state, gone.is_here, gone.takes_room, stays.is_here) == ("verified", False, False, True)
        await run.transfers.step()
        assert giving_up(gone.torrent_hash) in run.sent
        await run.transfers.save()
    async with running(tmp_path / "home", 2) as run:
        assert [each.is_here for each in run.transfers.everything()] == [False, True]
        assert len(run.engine.snapshots) == 1
        await run.transfers.room.fetch_again([run.one(0).torrent_hash])
        assert run.one(0).state == "waiting"
        await run.transfers.step()
        assert run.one(0).state == "fetching"


async def test_what_does_not_fit_waits_and_begins_once_there_is_room(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 2) as run:
        quota = run.transfers.room.quota
        quota.set(2, 0)
        quota.moves(trio.current_time())
        emergency = patch_of(4)
        rules = replace(emergency.manifest.schedule, emergency=True)
        emergency = dataclasses.replace(emergency, manifest=replace(emergency.manifest, schedule=rules))
        patches = (*run.patches, patch_of(3), emergency)
        await run.transfers.reconcile(Catalogue(1, patches=patches, refused=(), stale=""))
        await run.transfers.step()
        states = {each.patch.entry.sequence: (each.state, each.room_wait) for each in run.transfers.everything()}
        assert states[3] == ("waiting", QUOTA_WORDS)
        assert states[4][0] in ("checking", "fetching"), "it waits for no quota"
        assert run.transfers.room.short.is_set()
        quota.set(4, 0)
        await run.transfers.step()
        assert all(each.state != "waiting" and not each.room_wait for each in run.transfers.everything())


async def test_one_that_finds_the_disk_full_says_it_for_all(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 1) as run:
        room, now = run.transfers.room, trio.current_time()
        room.found_full("The disk is too full.", now)
        waits = dataclasses.replace(run.one(0), state="waiting", admitted=False)
        assert not room.admit(waits, now)
        assert waits.room_wait == "The disk is too full."
        room.found_room(now)
        assert room.full, "it was another one that fits"
        assert room.admit(waits, now + ROOM_RETRY_SECONDS)
        room.found_room(now + ROOM_RETRY_SECONDS)
        assert (room.full, waits.room_wait) == ("", "")


def also(patch: CataloguePatch, patch_id: str) -> CataloguePatch:
    """Return another patch with the same bytes."""
    ref = PatchRef(patch_id, "1")
    entry = replace(patch.entry, patch_id=ref.patch_id, version=ref.version, sequence=patch.entry.sequence + 100)
    return dataclasses.replace(patch, entry=entry, manifest=manifest(ref, patch.payload))


def catalogue(*patches: CataloguePatch) -> Catalogue:
    return Catalogue(1, patches=patches, refused=(), stale="")


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_has_left_stays_so_when_its_bytes_belong_to_another_patch_alone(
    tmp_path: Path, *, restarted: bool
) -> None:
    async with running(tmp_path / "home", 1) as run:
        first, second = run.patches[0], also(run.patches[0], "second")
        await run.transfers.reconcile(catalogue(first, second))
        await run.prove(0)
        verified_at = run.one().record.verified_at
        await run.transfers.room.spare([run.one().torrent_hash])
        if not restarted:
            await run.transfers.reconcile(catalogue(second))
        await run.transfers.save()
    async with running(tmp_path / "home", 1) as run:
        await run.transfers.reconcile(catalogue(second))
        one = run.one()
        assert (one.ref.patch_id, one.state, one.record.spared) == ("second", "verified", True)
        assert (one.fault, one.record.verified_at) == (None, verified_at)


async def test_what_is_fetched_again_because_it_was_missed_is_here_and_may_leave_again(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        one = run.one()
        await run.transfers.room.spare([one.torrent_hash])
        await run.transfers.damaged(one.torrent_hash)  # somebody was about to read it
        assert (one.state, one.record.spared) == ("waiting", False)
        await run.transfers.step()
        await run.prove(0)
        assert one.is_here


async def test_that_a_file_leaves_is_on_disk_before_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is killed in between has it left over; else it would be fetched again, to leave again."""
    async with running(tmp_path / "home", 2) as run:
        await run.prove(0, 1)
        recorded: list[list[bool]] = []
        real = Cache.remove

        async def remove(cache: Cache, name: Sha256Hex) -> None:
            recorded.append([record.spared for record in await run.recorded()])
            await real(cache, name)

        monkeypatch.setattr(Cache, "remove", remove)
        await run.transfers.room.spare([run.one(0).torrent_hash, run.one(1).torrent_hash])
        assert recorded == [[True, True]] * 2


async def test_where_that_cannot_be_written_the_file_goes_all_the_same(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        await run.transfers.step()
        run.home.records.unlink()
        run.home.records.mkdir()  # as where the disk is full
        await run.transfers.room.spare([run.one().torrent_hash])
        assert list(run.home.cache.iterdir()) == []
        assert run.transfers.memory.problem
        run.home.records.rmdir()
        await run.transfers.save()
        assert [record.spared for record in await run.recorded()] == [True]

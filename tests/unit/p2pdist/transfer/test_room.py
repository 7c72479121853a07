"""`p2pdist.transfer.room` with a played engine: files leave and come back, and what does not fit waits in words."""

import dataclasses
from pathlib import Path

import trio
from msgspec.structs import replace

from p2pdist.transfer.cache import ROOM_RETRY_SECONDS
from p2pdist.transfer.quota import QUOTA_WORDS
from p2pdist.transfer.states import giving_up
from p2pdist.trust.catalogue import Catalogue
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

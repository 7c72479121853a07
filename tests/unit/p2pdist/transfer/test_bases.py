"""`p2pdist.transfer.bases` with a played engine and real files: what stays at hand for how long, and what is said."""

import dataclasses
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import trio
import trio.testing
from msgspec.structs import replace

from p2pdist.settings import EndpointHome
from p2pdist.shared.identifiers import PatchRef, PieceIndex, TorrentHash
from p2pdist.shared.wire.fields import HELD_BYTES
from p2pdist.shared.wire.messages import Bases, PieceRejected, PieceStored, PieceUndecoded, Want
from p2pdist.transfer.base_choice import Base
from p2pdist.transfer.bases import BASES_LOOK_SECONDS, SHRINKING_SECONDS, FormerPayloads
from p2pdist.transfer.cache import Cache
from p2pdist.transfer.records import TransferMemory
from p2pdist.transfer.transfer import Transfer
from p2pdist.trust.catalogue import Catalogue, CataloguePatch
from tests.helpers.patch_views import manifest, transfer
from tests.unit.p2pdist.transfer.test_manager import Running, data_of, patch_of, running

PIECE = PieceIndex(0)


def version(n: int, of: CataloguePatch, number: str) -> CataloguePatch:
    """Return another version of the patch ``of``, with the bytes of patch ``n``."""
    patch, ref = patch_of(n), PatchRef(of.ref.patch_id, number)
    entry = replace(patch.entry, patch_id=ref.patch_id, version=ref.version)
    return dataclasses.replace(patch, entry=entry, manifest=manifest(ref, patch.payload), payload=patch.payload)


def held(*patches: CataloguePatch) -> bytes:
    return b"".join(sorted(bytes.fromhex(patch.payload.sha256)[:HELD_BYTES] for patch in patches))


def told(run: Running) -> list[bytes]:
    """Return what the server was told of bases since the last call."""
    said = [message.payloads for message in run.sent if isinstance(message, Bases)]
    run.sent.clear()
    return said


def cached(run: Running) -> set[str]:
    return {path.name for path in run.home.cache.iterdir()}


async def offer(run: Running, *patches: CataloguePatch, replaced: tuple[CataloguePatch, ...] = ()) -> None:
    await run.transfers.reconcile(
        Catalogue(2, patches=patches, refused=(), stale="", replaced=tuple(patch.ref for patch in replaced))
    )
    while any(each.state not in ("fetching", "verifying", "verified") for each in run.transfers.everything()):
        await run.transfers.step()


async def prove(run: Running, patch: CataloguePatch) -> None:
    run.engine.complete(patch)
    await run.transfers.step()
    one = next(each for each in run.transfers.everything() if each.ref == patch.ref)
    with trio.fail_after(10):
        while one.state != "verified":
            await trio.testing.wait_all_tasks_blocked(0.001)
    run.transfers.bases.welcomed(takes=True)  # it looks again, whatever the time is
    await run.transfers.step()


async def test_a_file_that_is_replaced_stays_until_the_newer_one_is_proven(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        await run.transfers.step()
        assert told(run) == [], "nothing newer is on its way"
        (old,) = run.patches
        new = version(2, old, "10")
        await offer(run, new, replaced=(old,))
        assert (run.home.cache / old.payload.sha256).read_bytes() == data_of(1)
        assert not list(run.home.patches.rglob("f")), "it is in its place no more"
        assert run.engine.kept_files == [TorrentHash(old.payload.torrent_hash)]
        assert run.transfers.removed == {old.ref}, "for everybody else it is gone"
        said = [message for message in run.sent if isinstance(message, Bases | Want)]
        of_new = [n for n, one in enumerate(said) if isinstance(one, Want) and one.torrent == new.payload.torrent_hash]
        assert said.index(Bases(payloads=held(old))) < of_new[0], "before it asks for pieces"
        assert told(run) == [held(old)]
        await run.transfers.step()
        assert told(run) == [], "it is said once"
        await prove(run, new)
        assert cached(run) == {new.payload.sha256}
        assert run.transfers.memory.records.keys() == {new.payload.torrent_hash}


async def test_it_is_told_before_anything_else_is_done(tmp_path: Path) -> None:
    """Else the server would send the first pieces to others of the site, who have no former version."""
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        (old,) = run.patches
        new = version(2, old, "10")
        at_removal: list[list[bytes]] = []
        remove = run.engine.remove

        async def removed(torrent_hash: TorrentHash, *, delete_files: bool) -> None:
            at_removal.append([message.payloads for message in run.sent if isinstance(message, Bases)])
            await remove(torrent_hash, delete_files=delete_files)

        run.engine.remove = removed  # type: ignore[method-assign]
        await offer(run, new)
        assert at_removal == [[held(old)]]
        assert told(run) == [held(old)], "once"


async def test_what_is_withdrawn_or_half_here_does_not_stay(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 2) as run:
        await run.prove(0)
        (whole, half), other = run.patches, patch_of(3)
        (run.home.cache / half.payload.sha256).write_bytes(b"h")
        await offer(run, other, version(4, half, "10"))
        assert not cached(run) & {whole.payload.sha256, half.payload.sha256}
        assert run.engine.kept_files == []


async def test_it_goes_when_the_newer_one_is_withdrawn_and_serves_at_once_when_it_is_offered_again(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        (old,) = run.patches
        new = version(2, old, "10")
        await offer(run, new)
        await offer(run, old)
        one = run.one(0)
        with trio.fail_after(10):
            while one.state != "verified":
                await run.transfers.step()
        assert (one.is_here, one.record.base) == (True, False)
        assert Path(one.verified_path(run.home.patches)).read_bytes() == data_of(1)
        await offer(run, new)
        await offer(run)
        run.transfers.bases.welcomed(takes=True)
        await run.transfers.step()
        assert cached(run) == set()


async def test_a_start_finds_it_again_also_where_the_newer_one_came_while_it_was_off(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with running(home, 1) as run:
        await run.prove(0)
        (old,) = run.patches
        await run.transfers.save()  # killed here, the PC is off while the next one is published
    new = version(2, old, "10")
    for _ in range(2):
        async with running(home, 0, offered=(new,)) as run:
            run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
            await run.transfers.step()
            assert old.payload.sha256 in cached(run)
            assert told(run) == [held(old)]
            run.transfers.room.known_all = True
            assert await run.transfers.remove_unclaimed()
            assert old.payload.sha256 in cached(run), "a sweep leaves it"
            await run.transfers.save()
    (home / "cache" / old.payload.sha256).write_bytes(b"x")
    async with running(home, 0, offered=(new,)) as run:
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        await run.transfers.step()
        assert told(run) == [], "it has changed: it is none any more"
        run.transfers.room.known_all = True
        assert await run.transfers.remove_unclaimed()
        assert old.payload.sha256 not in cached(run)


async def test_a_kill_before_its_record_was_written_loses_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with running(home, 1) as run:
        await run.prove(0)
        (old,) = run.patches
        await run.transfers.save()
        records = run.home.records.read_bytes()
    new = version(2, old, "10")
    async with running(home, 0, offered=(new,)) as run:
        assert old.payload.sha256 in cached(run), "it has lost its name among the patches, and its ctime is another one"
    run.home.records.write_bytes(records)
    for _ in range(2):
        async with running(home, 0, offered=(new,)) as run:
            run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
            await run.transfers.step()
            assert told(run) == [held(old)]
            await run.transfers.save()


async def test_it_is_the_first_to_go_where_room_is_short(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 2) as run:
        await run.prove(0, 1)
        first, second = run.patches
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        await offer(run, version(3, first, "10"), version(4, second, "10"))
        assert told(run) == [held(first, second)]
        oldest, newest = sorted((first, second), key=lambda each: run.transfers.memory.records[
            TorrentHash(each.payload.torrent_hash)].verified_at or 0.0)  # fmt: skip
        assert await run.transfers.bases.make_room(1)
        assert cached(run) & {first.payload.sha256, second.payload.sha256} == {newest.payload.sha256}
        await run.transfers.step()
        assert told(run) == [held(newest)], "at once: else what is coded by it would come in vain"
        os.link(run.home.cache / newest.payload.sha256, tmp_path / "kept")
        assert not await run.transfers.bases.make_room(), "it is kept for a way back: nothing would be free"
        (tmp_path / "kept").unlink()
        assert await run.transfers.bases.make_room()
        assert not await run.transfers.bases.make_room()
        await run.transfers.step()
        assert told(run) == [b""], "an empty one says that there is none any more"
        assert oldest.payload.sha256 not in cached(run)


async def test_a_file_that_is_kept_for_a_way_back_has_a_second_name_meanwhile(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 1) as run:
        (new,) = run.patches
        old = version(2, new, "1")
        kept = tmp_path / "kept"
        kept.write_bytes(data_of(2))
        asked: list[set[str]] = []

        def kept_of(patch_ids: Collection[str]) -> list[Base]:
            asked.append(set(patch_ids))
            gone = Base("f" * 64, new.ref.patch_id, "0", 0.5, str(tmp_path / "gone"))
            return [Base(old.payload.sha256, new.ref.patch_id, "1", 1.0, str(kept)), gone]

        run.transfers.bases.kept = kept_of
        await run.transfers.step()
        assert not asked, "no server would use it"
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        await run.transfers.step()
        place = run.home.cache / old.payload.sha256
        assert place.samefile(kept)
        assert told(run) == [held(old)]
        assert asked == [{new.ref.patch_id}]
        run.transfers.room.known_all = True
        assert await run.transfers.remove_unclaimed()
        assert place.exists()
        await prove(run, new)
        assert not place.exists()
        assert kept.read_bytes() == data_of(2)
        assert run.transfers.bases.linked == frozenset()
        assert told(run) == []


async def test_what_is_rolled_out_again_is_copied_from_the_kept_file_and_stays(tmp_path: Path) -> None:
    """A bad release is withdrawn, and the former one, which is linked into the cache, takes its place at once."""
    kept = EndpointHome(tmp_path / "home").kept / "acme" / "1" / "file"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(data_of(2))
    async with running(tmp_path / "home", 1) as run:
        (new,) = run.patches
        old = version(2, new, "1")
        place = run.home.cache / old.payload.sha256
        run.transfers.bases.kept = lambda ids: (
            [Base(old.payload.sha256, new.ref.patch_id, "1", 1.0, str(kept))] if new.ref.patch_id in ids else []
        )
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        await run.transfers.step()
        assert place.samefile(kept)
        await offer(run, old)
        assert place.read_bytes() == data_of(2), "it need not come over the line"
        assert not place.samefile(kept), "the network part may write there"
        assert kept.stat().st_nlink == 1
        run.transfers.bases.welcomed(takes=True)  # it looks again, whatever the time is
        await run.transfers.step()
        assert place.read_bytes() == data_of(2), "it is the transfer's own"
        assert run.transfers.bases.linked == frozenset()
        assert kept.read_bytes() == data_of(2)


async def test_no_name_of_a_transfer_is_given_or_taken(tmp_path: Path) -> None:
    """Whatever the order: a name that a transfer has is its own, and what lies there."""
    home = EndpointHome(tmp_path / "home")
    home.cache.mkdir(parents=True)
    kept, fetched = tmp_path / "kept", transfer(1)
    kept.write_bytes(b"whole")
    place = home.cache / fetched.sha256
    transfers: dict[TorrentHash, Transfer] = {}
    bases = FormerPayloads(
        Cache(home.cache, None), TransferMemory(home), transfers, trio.Lock(), names_changed=lambda _change: None
    )
    lacking = transfer(2, PatchRef("p", "10"))
    bases.kept = lambda _ids: [Base(fetched.sha256, "p", "1", 1.0, str(kept))]
    bases.welcomed(takes=True)
    bases.lacking({})
    await bases.step([lacking], 0.0)
    assert bases.linked == {fetched.sha256}
    transfers[fetched.torrent_hash] = fetched
    place.unlink()
    place.write_bytes(b"half")
    await bases.step([lacking, fetched], BASES_LOOK_SECONDS)
    assert place.read_bytes() == b"half"
    assert bases.linked == frozenset()
    fetched.state = "verified"
    await bases.step([lacking], 2 * BASES_LOOK_SECONDS)
    assert place.read_bytes() == b"half", "no kept file takes its place"


async def test_what_a_killed_daemon_has_left_in_its_place_is_replaced(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 1) as run:
        (new,) = run.patches
        old = version(2, new, "1")
        kept, place = tmp_path / "kept", run.home.cache / old.payload.sha256
        kept.write_bytes(data_of(2))
        run.transfers.bases.kept = lambda _ids: [Base(old.payload.sha256, new.ref.patch_id, "1", 1.0, str(kept))]
        for left in (lambda: os.link(kept, place), lambda: place.write_bytes(b"x"), lambda: place.symlink_to(kept)):
            left()
            run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
            await run.transfers.step()
            assert place.samefile(kept)
            assert not place.is_symlink()
            assert told(run) == [held(old)]
            run.transfers.bases.welcomed(takes=False)  # to one that takes none, nothing is linked
            await run.transfers.step()
            assert not place.exists()
        place.mkdir()
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        await run.transfers.step()
        assert told(run) == [], "it is not at hand"


async def test_no_kept_file_gets_the_name_of_one_that_is_being_fetched(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 1) as run:
        (new,) = run.patches
        kept = tmp_path / "kept"
        kept.write_bytes(b"the same, by its name")
        run.transfers.bases.kept = lambda _ids: [Base(new.payload.sha256, new.ref.patch_id, "1", 1.0, str(kept))]
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        await run.transfers.step()
        assert not (run.home.cache / new.payload.sha256).exists()
        assert told(run) == []


async def test_one_by_which_a_piece_could_not_be_decoded_is_used_no_more_with_this_server_and_stays(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        (old,) = run.patches
        new = version(2, old, "10")
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        await offer(run, new)
        told(run)
        torrent, base = TorrentHash(new.payload.torrent_hash), old.payload.sha256
        await run.transfers.piece_arrived(torrent, PIECE, 10, "undecoded", base="e" * 64, problem="of another")
        assert run.sent == [PieceUndecoded(torrent=torrent, piece=PIECE, base="e" * 64)]
        await run.transfers.step()
        assert told(run) == [], "it is none that was told of"
        await run.transfers.piece_arrived(torrent, PIECE, 10, "undecoded", base=base, problem="it is shorter")
        assert run.sent == [PieceUndecoded(torrent=torrent, piece=PIECE, base=base)]
        await trio.sleep(SHRINKING_SECONDS)
        await run.transfers.step()
        assert told(run) == [b""]
        assert base in cached(run), "the server's copy may be the damaged one"
        record = run.one(0).record
        assert (record.bytes_from_origin, record.bytes_wasted, record.bytes_built, record.built_of) == (20, 20, 0, "")
        await run.transfers.piece_arrived(torrent, PIECE, 10, "undecoded", problem="of none")
        assert run.sent == [PieceUndecoded(torrent=torrent, piece=PIECE)]
        run.sent.clear()
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        await run.transfers.step()
        assert told(run) == [held(old)], "with the next connection it is tried again"
        await run.transfers.piece_arrived(torrent, PIECE, 10, "undecoded", base=base, problem="it is shorter")
        newest = version(3, old, "11")
        await offer(run, newest)
        assert base in cached(run), "also where something newer still is on its way"
        await prove(run, newest)
        assert cached(run) == {newest.payload.sha256}


async def test_nothing_is_kept_for_a_server_that_takes_none(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        (old,) = run.patches
        run.transfers.forget_wants(takes_holdings=False, takes_bases=False)
        await offer(run, version(2, old, "10"))
        assert old.payload.sha256 not in cached(run)
        assert not run.transfers.memory.records.get(TorrentHash(old.payload.torrent_hash))


async def test_what_was_kept_leaves_where_the_next_server_takes_none(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        (old,) = run.patches
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        await offer(run, version(2, old, "10"))
        assert old.payload.sha256 in cached(run)
        run.transfers.forget_wants(takes_holdings=False, takes_bases=False)
        await run.transfers.step()
        assert old.payload.sha256 not in cached(run)


async def test_what_was_built_is_counted_with_the_version_that_it_was_built_of(tmp_path: Path) -> None:
    async with running(tmp_path / "home", 1) as run:
        await run.prove(0)
        (old,) = run.patches
        new = version(2, old, "10")
        run.transfers.forget_wants(takes_holdings=False, takes_bases=True)
        await offer(run, new)
        run.sent.clear()
        torrent = TorrentHash(new.payload.torrent_hash)
        verdicts: list[tuple[Any, Any]] = [
            ("stored", PieceStored(torrent=torrent, piece=PIECE)),
            ("had_already", PieceStored(torrent=torrent, piece=PIECE)),
            ("rejected", PieceRejected(torrent=torrent, piece=PIECE)),
            ("not_stored", None),
        ]
        for outcome, answer in verdicts:
            built = 90 if outcome == "stored" else 0
            await run.transfers.piece_arrived(
                torrent, PIECE, 10, outcome, built=built, base=old.payload.sha256 if built else ""
            )
            assert run.sent == ([] if answer is None else [answer])
            run.sent.clear()
        record = run.one(0).record
        assert (record.bytes_from_origin, record.bytes_wasted) == (40, 20)
        assert (record.bytes_built, record.built_of) == (90, old.ref.version)

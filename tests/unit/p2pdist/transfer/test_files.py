"""`p2pdist.transfer.files`: proofs, publication and records on a real disk."""

import errno
import hashlib
import os
from functools import partial
from pathlib import Path

import pytest
import trio

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import FILE_NAME_MAX_BYTES
from p2pdist.shared.manifest.documents import MAX_ROLLOUT_ENTRIES
from p2pdist.shared.wire.fields import MAX_BYTE_COUNT
from p2pdist.transfer import files
from p2pdist.transfer.states import MAX_TRANSFER_RECORDS, Place, TransferRecord


def record(version: str) -> TransferRecord:
    return TransferRecord(
        patch_id="openssl",
        version=version,
        sha256="a" * 64,
        torrent_hash="b" * 64,
        first_seen_at=1.0,
        verified_at=None,
        verified_mtime_ns=None,
        bytes_from_origin=1,
        bytes_from_peers=2,
        bytes_wasted=3,
    )


async def test_proof_is_the_sha256_of_the_whole_file(tmp_path: Path) -> None:
    data = os.urandom(3 * files.HASH_CHUNK_BYTES + 17)
    path = tmp_path / "payload"
    path.write_bytes(data)
    proof = await files.hash_file(path)
    assert (proof.sha256, proof.length_bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    unchanged = partial(files.unchanged_since, path, length_bytes=len(data), mtime_ns=proof.mtime_ns)
    ctime_ns = path.stat().st_ctime_ns
    assert await unchanged(ctime_ns=ctime_ns, inode=proof.inode)
    assert not await unchanged(ctime_ns=None, inode=proof.inode), "a record from before there were change times"
    assert not await unchanged(ctime_ns=ctime_ns, inode=None), "a record from before there were inodes"


async def test_any_later_write_ends_the_proof(tmp_path: Path) -> None:
    path = tmp_path / "payload"
    path.write_bytes(b"good")
    os.utime(path, ns=(0, 1))
    proof = await files.hash_file(path)
    ctime_ns = path.stat().st_ctime_ns
    unchanged = partial(files.unchanged_since, path, length_bytes=4, mtime_ns=proof.mtime_ns, inode=proof.inode)
    path.write_bytes(b"evil")
    assert not await unchanged(ctime_ns=ctime_ns)
    os.utime(path, ns=(0, proof.mtime_ns))
    while path.stat().st_ctime_ns == ctime_ns:  # the kernel's clock for files ticks every few milliseconds
        os.utime(path, ns=(0, proof.mtime_ns))
    assert not await unchanged(ctime_ns=ctime_ns)
    path.unlink()
    assert not await unchanged(ctime_ns=ctime_ns)


async def test_of_a_file_that_is_too_long_only_the_expected_length_is_hashed(tmp_path: Path) -> None:
    path = tmp_path / "payload"
    with path.open("wb") as file:
        file.truncate(1 << 42)
    with trio.fail_after(5):
        proof = await files.hash_file(path, max_bytes=3)
    assert (proof.sha256, proof.length_bytes) == (hashlib.sha256(bytes(3)).hexdigest(), 1 << 42)


async def test_hashing_can_be_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "payload"
    with path.open("wb") as file:
        file.truncate(1 << 32)  # sparse: seconds to hash, nothing on disk
    with trio.fail_after(2), trio.move_on_after(0.05) as scope:
        await files.hash_file(path)
    assert scope.cancelled_caught


async def test_published_file_shares_its_bytes_with_the_cache(tmp_path: Path) -> None:
    cached = tmp_path / "cache"
    cached.write_bytes(b"payload")
    place = tmp_path / "patches" / "openssl" / "3.0.17" / "openssl.deb"
    await files.publish_verified(cached, place)
    ctime_ns = await files.publish_verified(cached, place)  # again, after a restart
    assert ctime_ns == cached.stat().st_ctime_ns
    assert place.read_bytes() == b"payload"
    assert place.stat().st_ino == cached.stat().st_ino
    assert [entry.name for entry in place.parent.iterdir()] == ["openssl.deb"]


async def test_removal_takes_the_empty_directories_and_leaves_other_versions(tmp_path: Path) -> None:
    cached = tmp_path / "cache"
    cached.write_bytes(b"payload")
    old, new = (tmp_path / "patches" / "openssl" / version / "openssl.deb" for version in ("1", "2"))
    await files.publish_verified(cached, old)
    await files.publish_verified(cached, new)
    await files.remove_verified(old)
    assert not old.parent.exists()
    assert new.exists()
    await files.remove_verified(new)
    await files.remove_verified(new)
    assert not (tmp_path / "patches" / "openssl").exists()


async def test_records_survive_and_damage_to_them_costs_only_memory(tmp_path: Path) -> None:
    path = tmp_path / "state" / "transfers.msgpack"
    assert await files.load_records(path) == []
    await files.save_records(path, [record("1"), record("2")])
    assert await files.load_records(path) == [record("1"), record("2")]
    damaged = bytearray(path.read_bytes())
    damaged[0] ^= 0xFF
    path.write_bytes(damaged)
    assert await files.load_records(path) == []


async def test_the_largest_records_that_there_can_be_are_read_again(tmp_path: Path) -> None:
    def name(n: int) -> str:
        return f"{n:064}"

    most = [
        TransferRecord(
            patch_id=name(n),
            version=name(n),
            sha256="a" * 64,
            torrent_hash="b" * 64,
            first_seen_at=1.0,
            verified_at=2.0,
            verified_mtime_ns=MAX_BYTE_COUNT,
            bytes_from_origin=MAX_BYTE_COUNT,
            bytes_from_peers=MAX_BYTE_COUNT,
            bytes_wasted=MAX_BYTE_COUNT,
            verified_ctime_ns=MAX_BYTE_COUNT,
            verified_inode=MAX_BYTE_COUNT,
            # each patch that is rolled out has one place, whichever file it shares
            places=(Place(name(n), name(n), "f" * FILE_NAME_MAX_BYTES),) if n < MAX_ROLLOUT_ENTRIES else (),
        )
        for n in range(MAX_TRANSFER_RECORDS)
    ]
    await files.save_records(tmp_path / "records", most)
    assert await files.load_records(tmp_path / "records") == most


def test_the_home_is_closed_to_others_whoever_made_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    files.prepare_home(home, home / "cache")
    assert [place.stat().st_mode & 0o777 for place in (home, home / "cache")] == [0o700, 0o700]


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (errno.EXDEV, "are on different volumes"),
        (errno.EPERM, "has no hard links"),
        (errno.ENOSPC, None),
        (errno.EIO, None),
    ],
)
def test_only_a_volume_that_can_never_link_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: int, words: str | None
) -> None:
    def fails(*_: object) -> None:
        raise OSError(cause, os.strerror(cause))

    (tmp_path / "cache").mkdir()
    (tmp_path / "patches").mkdir()
    files.check_links(tmp_path / "cache", tmp_path / "patches")
    monkeypatch.setattr(durable_files, "link_file", fails)
    if words is None:
        files.check_links(tmp_path / "cache", tmp_path / "patches")
    else:
        with pytest.raises(UserError, match=words) as refused:
            files.check_links(tmp_path / "cache", tmp_path / "patches")
        assert refused.value.kind is FaultKind.STORAGE
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []

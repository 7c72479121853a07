"""Attacks around a refresh that fails half way: what it has verified must not be forgotten.

The attacker holds the server or the line: he lets a PC see new metadata, cuts the
answer off, and then offers older metadata in its place. TUF's client workflow keeps
root, timestamp and snapshot one after the other (5.3.8, 5.4.5, 5.5.7) because of this.
Power cuts and full disks at any of those writes must not help him either.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.trust.store import TrustError, TrustStore

NOW = 1_800_000_000.0
DAY = 86_400.0
TIMESTAMP = "/tuf/metadata/timestamp.json"

NewStore = Callable[[], TrustStore]


@pytest.fixture
def new_store(tuf_simulator: ModuleType, repository: Any, tmp_path: Path) -> NewStore:
    """Return a maker of stores over one directory: a second one is a restarted daemon."""
    return lambda: TrustStore(tmp_path, base_url=tuf_simulator.BASE_URL, root=repository.first_root, http=repository)


async def fails(store: TrustStore, reason: str) -> str:
    with pytest.raises(TrustError) as caught:
        await store.refresh(NOW)
    assert caught.value.reason == reason, caught.value.message
    return caught.value.message


@pytest.mark.parametrize("before", [True, False], ids=["enrolled long ago", "first refresh"])
async def test_a_revoked_key_is_refused_though_the_refresh_that_showed_its_end_failed(
    repository: Any, new_store: NewStore, before: bool
) -> None:
    """The timestamp key is stolen; root 2 replaces it. The line drops after root 2, which is then withheld."""
    if before:
        await new_store().refresh(NOW)
    stolen = repository.signers["timestamp"]
    repository.sign_timestamp()
    as_signed_by_the_thief = repository.files[TIMESTAMP]
    repository.rotate("timestamp")
    repository.publish()
    repository.status_of[TIMESTAMP] = 404
    await fails(new_store(), "unreachable")
    repository.status_of.clear()
    honest = repository.backup()
    del repository.files["/tuf/metadata/2.root.json"]
    repository.files[TIMESTAMP] = as_signed_by_the_thief
    assert stolen[0].public_key.keyid in as_signed_by_the_thief.decode()
    await fails(new_store(), "invalid_signature")
    repository.files = honest
    assert len((await new_store().refresh(NOW)).patches) == 1


@pytest.mark.parametrize("before", [True, False], ids=["enrolled long ago", "first refresh"])
async def test_a_replayed_timestamp_is_refused_though_the_refresh_that_showed_a_newer_one_failed(
    repository: Any, new_store: NewStore, before: bool
) -> None:
    if before:
        await new_store().refresh(NOW)
    old = repository.backup()
    repository.add_patch("beta")
    repository.publish()
    snapshot = f"/tuf/metadata/{repository.snapshot.signed.version}.snapshot.json"
    repository.status_of[snapshot] = 404
    await fails(new_store(), "unreachable")
    repository.status_of.clear()
    new, repository.files = repository.files, old
    await fails(new_store(), "rolled_back")
    repository.files = new
    assert len((await new_store().refresh(NOW)).patches) == 2


async def test_a_role_that_the_snapshot_took_back_is_refused_though_its_targets_could_not_be_had(
    repository: Any, new_store: NewStore
) -> None:
    """The snapshot is verified, role `patches` is 404; the thief of the online keys then names the older `patches`."""
    await new_store().refresh(NOW)
    repository.add_patch("beta")
    repository.publish()
    newer = repository.targets["patches"].signed.version
    repository.status_of[f"/tuf/metadata/{newer}.patches.json"] = 404
    await fails(new_store(), "unreachable")
    repository.snapshot.signed.meta["patches.json"].version = newer - 1
    repository.sign_snapshot()
    repository.sign_timestamp()
    await fails(new_store(), "rolled_back")


@pytest.mark.parametrize("cut", [TIMESTAMP, "snapshot", "targets", ""], ids=["root", "timestamp", "snapshot", "none"])
async def test_new_keys_end_a_fast_forward_attack_also_when_the_line_is_cut_in_between(
    repository: Any, new_store: NewStore, cut: str
) -> None:
    """The thief of both online keys signs version 2^31; the refresh that takes it up fails or not, and so on."""
    await new_store().refresh(NOW)
    honest = repository.timestamp.signed.version, repository.snapshot.signed.version
    repository.timestamp.signed.version = repository.snapshot.signed.version = 1 << 31
    repository.sign_snapshot()
    repository.sign_timestamp()
    repository.status_of[f"/tuf/metadata/{repository.snapshot.signed.version}.snapshot.json"] = 404
    await fails(new_store(), "unreachable")
    repository.timestamp.signed.version, repository.snapshot.signed.version = honest
    repository.publish()
    await fails(new_store(), "rolled_back")

    repository.rotate("timestamp", "snapshot")
    repository.sign_targets("targets")
    repository.publish()
    versions = {"snapshot": repository.snapshot.signed.version, "targets": repository.targets["targets"].signed.version}
    if cut:
        name = cut if cut == TIMESTAMP else f"/tuf/metadata/{versions[cut]}.{cut}.json"
        repository.status_of[name] = 404
        await fails(new_store(), "unreachable")
        del repository.status_of[name]
    assert len((await new_store().refresh(NOW)).patches) == 1


async def test_a_new_timestamp_key_alone_ends_what_the_stolen_one_said_of_the_snapshot(
    repository: Any, new_store: NewStore
) -> None:
    """The thief of the timestamp key alone names a snapshot 2^31 that nobody has signed."""
    await new_store().refresh(NOW)
    honest = repository.snapshot.signed.version
    repository.timestamp.signed.snapshot_meta.version = 1 << 31
    repository.sign_timestamp()
    await fails(new_store(), "unreachable")
    repository.timestamp.signed.snapshot_meta.version = honest
    repository.sign_timestamp()
    await fails(new_store(), "rolled_back")
    repository.rotate("timestamp")
    repository.sign_timestamp()
    assert len((await new_store().refresh(NOW)).patches) == 1


async def test_a_pc_that_restarts_after_a_failed_refresh_keeps_its_patches(
    repository: Any, new_store: NewStore
) -> None:
    """New online keys, and the line cut after their root: what was accepted before is still shared."""
    accepted = await new_store().refresh(NOW)
    repository.rotate("timestamp", "snapshot")
    repository.publish()
    repository.status_of[TIMESTAMP] = 404
    await fails(new_store(), "unreachable")
    assert await new_store().load_cached(NOW) == accepted


async def test_a_pc_that_restarts_does_not_take_up_again_what_a_revoked_targets_key_has_signed(
    repository: Any, new_store: NewStore
) -> None:
    """The thief of the offline keys has signed a patch; a new root replaces them, and he cuts the line after it."""
    await new_store().refresh(NOW)
    stolen = repository.signers["root"]
    repository.rotate("root")
    for old, new in zip(stolen, repository.signers["root"], strict=True):
        repository.root.signed.revoke_key(old.public_key.keyid, "targets")
        repository.root.signed.add_key(new.public_key, "targets")
    repository.rotate()
    repository.sign_targets("targets")
    repository.publish()
    repository.status_of[TIMESTAMP] = 404
    await fails(new_store(), "unreachable")
    assert await new_store().load_cached(NOW) is None
    repository.status_of.clear()
    assert len((await new_store().refresh(NOW)).patches) == 1


async def test_an_older_copy_of_the_accepted_state_is_not_taken_for_the_last(
    repository: Any, new_store: NewStore, tmp_path: Path
) -> None:
    await new_store().refresh(NOW)
    (path,) = tmp_path.glob("*/accepted")
    old = path.read_bytes()
    repository.entries.clear()  # the operator withdraws the patch
    repository.publish()
    assert (await new_store().refresh(NOW)).patches == ()
    path.write_bytes(old)
    assert await new_store().load_cached(NOW) is None
    assert (await new_store().refresh(NOW)).patches == ()


# --- cut off, or the disk full, at every write ----------------------------------------------------


class PowerCutError(BaseException):
    """No program catches it."""


def stolen_key(repository: Any) -> bytes:
    """Replace the timestamp's key; return a timestamp of the old key that is newer than the PC's."""
    repository.sign_timestamp()
    data: bytes = repository.files[TIMESTAMP]
    repository.rotate("timestamp")
    repository.add_patch("beta")
    repository.publish()
    return data


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("nth", range(11))
async def test_a_power_cut_at_any_write_never_revives_a_revoked_key(
    repository: Any, new_store: NewStore, monkeypatch: pytest.MonkeyPatch, nth: int, after: bool
) -> None:
    accepted = await new_store().refresh(NOW)
    thief = stolen_key(repository)
    real, names = durable_files.write_file, list[str]()

    def cut_off(path: Path, *arguments: Any, **options: Any) -> None:
        if len(names) == nth and not after:
            raise PowerCutError
        real(path, *arguments, **options)
        names.append(path.name)
        if len(names) == nth + 1 and after:
            raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr(durable_files, "write_file", cut_off)
        whole = False
        try:
            await new_store().refresh(NOW)
            whole = True
        except PowerCutError:
            pass
    assert whole == (nth >= 9)  # three of the top level, four documents, the state, the floor once more
    cached = await new_store().load_cached(NOW)
    assert cached is not None
    assert cached.patches[:1] == accepted.patches
    honest = repository.backup()
    del repository.files["/tuf/metadata/2.root.json"]
    repository.files[TIMESTAMP] = thief
    if names:  # the root is the first thing that is written
        await fails(new_store(), "invalid_signature")
    repository.files = honest
    assert len((await new_store().refresh(NOW)).patches) == 2


@pytest.mark.parametrize("nth", range(9))
async def test_on_a_full_disk_nothing_is_accepted_that_the_floor_could_not_follow(
    repository: Any, new_store: NewStore, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    accepted = await new_store().refresh(NOW)
    thief = stolen_key(repository)
    real, written = durable_files.write_file, list[str]()

    def full(path: Path, *arguments: Any, **options: Any) -> None:
        if len(written) >= nth:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, *arguments, **options)
        written.append(path.name)

    store = new_store()
    with monkeypatch.context() as patched:
        patched.setattr(durable_files, "write_file", full)
        with pytest.raises(UserError) as caught:
            await store.refresh(NOW)
        assert caught.value.kind == FaultKind.STORAGE
        assert "Make room" in caught.value.message
        honest = repository.backup()
        del repository.files["/tuf/metadata/2.root.json"]
        repository.files[TIMESTAMP] = thief
        with pytest.raises(UserError):  # the root is in memory, although it could not be written
            await store.refresh(NOW)
        repository.files = honest
    cached = await new_store().load_cached(NOW)
    assert cached is not None
    assert cached.patches[:1] == accepted.patches
    assert len((await store.refresh(NOW)).patches) == 2

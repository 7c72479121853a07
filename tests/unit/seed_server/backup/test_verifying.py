"""`seed_server.backup.verifying`: every file of a backup that is not as it was written is named."""

import threading
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.backup.manifest import encode_list
from seed_server.backup.objects import LIST_FILE, LOCK_FILE, BackupDirectory
from seed_server.backup.verifying import verify_backup
from tests.helpers.backups import PASSPHRASE, backed_up
from tests.helpers.rollout_company import Company


def test_a_whole_backup_is_whole(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    seen: list[tuple[int, int]] = []
    found = verify_backup(tmp_path / "backup", None, on_read=lambda *both: seen.append(both))
    assert (found.faults, found.proven, found.leftovers) == ((), False, 0)
    assert seen[-1][0] == seen[-1][1]


def test_each_damaged_file_is_named_and_leftovers_are_counted(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    backup = BackupDirectory(tmp_path / "backup")
    files = {file.path: file for file in backup.read_list().files}
    backup.path(files["state.db"].sha256).unlink()
    path = backup.path(files["server.toml"].sha256)
    path.write_bytes(path.read_bytes().replace(b"hq", b"hk"))
    (backup.incoming / "half").write_bytes(b"x")
    (backup.root / "objects" / "ff").mkdir(exist_ok=True)
    (backup.root / "objects" / "ff" / ("ff" * 32)).write_bytes(b"x")
    found = verify_backup(backup.root, None)
    assert dict(found.faults) == {"state.db": "it is missing", "server.toml": "its bytes have changed"}
    assert found.leftovers == 2


def test_who_has_the_passphrase_knows_of_each_exchanged_file(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path, PASSPHRASE)
    backup = BackupDirectory(tmp_path / "backup")
    assert verify_backup(backup.root, PASSPHRASE).proven
    with pytest.raises(UserError, match="the passphrase is another one") as raised:
        verify_backup(backup.root, PASSPHRASE + b"!")
    assert raised.value.kind is FaultKind.REFUSED
    files = backup.read_list()
    with backup.written():
        other = backup.add_bytes("server.toml", b'name = "evil"')
        changed = tuple(other if file.path == "server.toml" else file for file in files.files)
        backup.finish(replace(files, files=changed))
    assert verify_backup(backup.root, None).faults == (), "every hash is right"
    with pytest.raises(UserError, match="another list of files"):
        verify_backup(backup.root, PASSPHRASE)


def test_a_newer_release_and_a_damaged_list_are_told_apart(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    path = tmp_path / "backup" / LIST_FILE
    files = BackupDirectory(path.parent).read_list()
    path.write_bytes(encode_list(replace(files, revision="9999", release="0.9")))
    with pytest.raises(UserError, match=r"newer release \(0\.9\)") as raised:
        verify_backup(path.parent, None)
    assert raised.value.kind is FaultKind.BAD_INPUT
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match="damaged") as raised:
        verify_backup(path.parent, None)
    assert raised.value.kind is FaultKind.STORAGE


async def test_nothing_is_verified_while_it_is_written(company: Company, tmp_path: Path) -> None:
    """Files of the list that is about to be replaced go meanwhile: they would be called missing."""
    backed_up(company, tmp_path)
    backup, written, verified = BackupDirectory(tmp_path / "backup"), threading.Event(), threading.Event()

    def write() -> None:  # locks are between threads and processes
        with backup.written():
            written.set()
            verified.wait(10.0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, write)
        assert await trio.to_thread.run_sync(written.wait, 10.0)
        try:
            with pytest.raises(UserError, match="is being written to .* just now") as raised:
                verify_backup(backup.root, None)
        finally:
            verified.set()
        assert raised.value.kind is FaultKind.BUSY
    assert verify_backup(backup.root, None).faults == ()
    (backup.root / LOCK_FILE).unlink()
    assert verify_backup(backup.root, None).faults == (), "a copy of it has none"
    assert not (backup.root / LOCK_FILE).exists(), "nor is one made: it may be on a disk that is read only"

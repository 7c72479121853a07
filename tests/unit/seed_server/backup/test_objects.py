"""`seed_server.backup.objects`: whoever is killed leaves the former backup whole, and what was copied is used."""

import contextlib
import errno
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.backup import objects
from seed_server.backup.objects import COPIED_BYTES, BackupDirectory, ChangedSourceError, DamagedObjectError, check_room
from tests.unit.seed_server.backup.test_manifest import FILES

LARGE = bytes(range(256)) * 8_192


def nothing() -> None:
    pass


@pytest.fixture
def backup(tmp_path: Path) -> BackupDirectory:
    return BackupDirectory(tmp_path / "backup")


def made(backup: BackupDirectory, *texts: bytes) -> None:
    with backup.written():
        backup.finish(replace(FILES, files=tuple(backup.add_bytes(f"f{k}", text) for k, text in enumerate(texts))))


def test_files_come_out_as_they_went_in(backup: BackupDirectory, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    with backup.written():
        files = (backup.add_bytes("small", b"x"), backup.add_file("large", tmp_path / "large", pause=nothing))
        backup.finish(replace(FILES, files=files))
    assert backup.read_list().files == files
    with (tmp_path / "out").open("wb") as out:
        backup.copy_out(files[1], out, pause=nothing)
    assert (tmp_path / "out").read_bytes() == LARGE
    assert backup.read(files[0], 10) == b"x"
    assert backup.root.stat().st_mode & 0o077 == 0


def test_only_what_is_new_is_copied_and_what_nothing_names_goes(backup: BackupDirectory) -> None:
    made(backup, b"one", b"two")
    again = BackupDirectory(backup.root)
    with again.written():
        files = (again.add_bytes("f", b"two"), again.add_bytes("g", b"three"))
        assert again.finish(replace(FILES, files=files)) == len(b"one")
    assert (again.new_files, again.new_bytes) == (1, 5)
    assert {path.name for path in again.objects()} == {file.sha256 for file in files}


def test_the_same_bytes_twice_are_one_file(backup: BackupDirectory) -> None:
    made(backup, b"one", b"one")
    assert (backup.new_files, len(list(backup.objects()))) == (1, 1)


def test_a_backup_that_is_cut_off_leaves_the_former_one_whole(backup: BackupDirectory, tmp_path: Path) -> None:
    made(backup, b"one")
    (tmp_path / "large").write_bytes(LARGE)
    killed = BackupDirectory(backup.root)
    with contextlib.suppress(KeyboardInterrupt), killed.written():
        killed.add_bytes("small", b"small")
        large = killed.add_file("large", tmp_path / "large", pause=nothing)
        raise KeyboardInterrupt
    assert [file.path for file in backup.read_list().files] == ["f0"]
    backup.copy_out(backup.read_list().files[0], None, pause=nothing)
    after = BackupDirectory(backup.root)
    with after.written():
        assert list(after.incoming.iterdir()) == []
        assert after.has(large.sha256, len(LARGE)), "a large file that was copied is not copied again"
        after.finish(replace(FILES, files=()))
    assert list(after.objects()) == []


def test_a_file_with_other_bytes_than_its_name_says_is_not_taken(backup: BackupDirectory, tmp_path: Path) -> None:
    (tmp_path / "payload").write_bytes(LARGE)
    with backup.written():
        with pytest.raises(ChangedSourceError):
            backup.add_file("content/x", tmp_path / "payload", "ab" * 32, pause=nothing)
        assert list(backup.incoming.iterdir()) == []
        with pytest.raises(FileNotFoundError):
            backup.add_file("content/x", tmp_path / "gone", "ab" * 32, pause=nothing)
        with pytest.raises(ChangedSourceError, match="cannot be read"):
            backup.add_file("content/x", tmp_path, "", pause=nothing)


def test_a_file_without_an_end_is_not_read_to_it(backup: BackupDirectory, tmp_path: Path) -> None:
    made(backup, b"one")
    (file,) = backup.read_list().files
    backup.path(file.sha256).unlink()
    backup.path(file.sha256).symlink_to("/dev/zero")
    with (tmp_path / "copy").open("wb") as copy, pytest.raises(DamagedObjectError, match="changed"):
        backup.copy_out(file, copy, pause=nothing)
    assert (tmp_path / "copy").stat().st_size <= 2 * COPIED_BYTES


def test_a_damaged_file_is_said(backup: BackupDirectory) -> None:
    made(backup, b"one", b"two")
    first, second = backup.read_list().files
    backup.path(first.sha256).write_bytes(b"onE")
    backup.path(second.sha256).unlink()
    for file, words in ((first, "changed"), (second, "missing")):
        with pytest.raises(DamagedObjectError, match=words):
            backup.copy_out(file, None, pause=nothing)
        with pytest.raises(DamagedObjectError, match=words):
            backup.read(file, 100)


def test_a_full_disk_leaves_the_former_backup_and_no_half_file(
    backup: BackupDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(backup, b"one")
    (tmp_path / "large").write_bytes(LARGE)

    def full(_source: object, _target: object, _pause: object) -> tuple[str, int]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill() -> None:
        with backup.written(), monkeypatch.context() as patch:
            patch.setattr(objects, "_copied", full)
            backup.add_file("large", tmp_path / "large", "ab" * 32, pause=nothing)

    with pytest.raises(UserError, match="disk of .* is full") as raised:
        fill()
    assert raised.value.kind is FaultKind.STORAGE
    assert list(backup.incoming.iterdir()) == []
    assert len(backup.read_list().files) == 1
    with pytest.raises(UserError, match="are needed"):
        check_room(tmp_path, 10, 11)


def test_one_backup_at_a_time(backup: BackupDirectory) -> None:
    with backup.written(), pytest.raises(UserError) as raised, BackupDirectory(backup.root, lock_seconds=0.0).written():
        pass
    assert raised.value.kind is FaultKind.BUSY


def test_a_directory_that_others_can_change_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(UserError) as raised, BackupDirectory(tmp_path / "open").written():
        pass
    assert raised.value.kind is FaultKind.REFUSED


def test_what_is_no_backup_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        BackupDirectory(tmp_path).read_list()
    assert raised.value.kind is FaultKind.NOT_SET_UP

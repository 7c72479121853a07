"""`seed_server.backup.backing_up`: what is copied of a home, what is not, and what is said of damage."""

import os
import shutil
import socket
import stat
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.backup.backing_up import back_up
from seed_server.backup.objects import BackupDirectory
from seed_server.doctor.facts import ServerFacts
from seed_server.doctor.looks_state import look_at_state
from seed_server.fleet.problems import backup_problems
from seed_server.store.content_store import ContentStore
from seed_server.store.database import Database
from seed_server.store.last_backup import read_last_backup
from seed_server.store.moved_mark import mark_moved
from seed_server.store.restored_mark import RestoredMark, write_mark
from tests.helpers.backups import PASSPHRASE, backed_up, keys_elsewhere, restored
from tests.helpers.fake_clock import FakeClock
from tests.helpers.rollout_company import BEGIN, Company


def paths(folder: Path) -> set[str]:
    return {file.path for file in BackupDirectory(folder / "backup").read_list().files}


def test_all_is_copied_but_what_is_of_this_server_s_run_alone(company: Company, tmp_path: Path) -> None:
    home = company.context.home.root
    for name in ("archive/events-2026-01.archive", "prepared/ab.bundle", "rings/own.toml", "presented/file", "moved"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(name)
    (home / "prepared" / ".x.0123456789ab.tmp").write_text("killed")
    write_mark(company.context.home, RestoredMark(1.0, 2.0, ended_at=3.0))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(home / "control"))
        done = backed_up(company, tmp_path)
    found = paths(tmp_path)
    payload = company.database.payloads()[0].sha256
    assert {
        "archive/events-2026-01.archive", "prepared/ab.bundle", "rings/own.toml", "server.toml", "sites.toml",
        "state.db", "tuf/metadata/timestamp.json", "tuf/metadata/1.root.json", f"content/{payload}",
        f"content/{payload}.pieces", "audit-checkpoint",
    } <= found  # fmt: skip
    assert not {path for path in found if path.startswith(("keys", "presented")) or path.endswith((".lock", ".tmp"))}
    assert not {"moved", "restored", "control", "backed-up"} & found
    assert (done.backup_at, done.faults, done.files) == (BEGIN, (), len(found))
    assert not any(b"PRIVATE KEY" in path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file())
    kept = read_last_backup(company.context.home)
    assert kept is not None
    assert (kept.backup_at, kept.directory, kept.with_keys) == (BEGIN, str(tmp_path / "backup"), False)


def test_the_next_backup_copies_only_what_is_new(company: Company, tmp_path: Path) -> None:
    first = backed_up(company, tmp_path)
    again = backed_up(company, tmp_path)
    assert (again.new_files, again.new_bytes, again.files) == (0, 0, first.files)
    ref = company.publish_to_nobody("driver", tmp_path)
    third = backed_up(company, tmp_path)
    assert 0 < third.new_files < first.new_files
    assert any(row.ref == ref for row in company.database.payloads())
    assert third.removed_bytes > 0, "the database of before, and signed files that others have replaced"


def test_a_damaged_payload_is_said_and_all_others_are_copied(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    payload = company.database.payloads()[0]
    good = BackupDirectory(tmp_path / "backup").path(payload.sha256).read_bytes()
    path = ContentStore(company.context.home.content).path(payload.sha256)  # type: ignore[arg-type]
    path.write_bytes(b"x" * payload.length_bytes)
    kept = backed_up(company, tmp_path)
    assert kept.faults == (), "the backup has the right bytes, and they are not read again"
    assert BackupDirectory(tmp_path / "backup").path(payload.sha256).read_bytes() == good
    elsewhere = back_up(company.context, tmp_path / "new", None)
    assert elsewhere.faults == (f"content/{payload.sha256}: its bytes are not those that its name says",)
    last = read_last_backup(company.context.home)
    assert last is not None
    assert last.faults == 1


def test_a_document_that_is_missing_is_said(company: Company, tmp_path: Path) -> None:
    _, documents = company.repository.files_in_force()
    lost = next(path for path in documents if path.endswith(".torrent"))
    (company.context.home.root / "tuf" / lost).unlink()
    assert backed_up(company, tmp_path).faults == (f"tuf/{lost}: it is missing",)


def test_database_and_signed_files_are_of_one_moment(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody publishes as soon as the moment is fixed: all of that is in the next backup."""
    before = company.repository.newest_timestamp().data

    def published_meanwhile(*given: object, **named: object) -> object:
        monkeypatch.undo()
        company.publish_to_nobody("driver", tmp_path)
        return add_bytes(*given, **named)  # type: ignore[arg-type]

    add_bytes = BackupDirectory.add_bytes
    monkeypatch.setattr(BackupDirectory, "add_bytes", published_meanwhile)
    backed_up(company, tmp_path)
    assert company.repository.newest_timestamp().data != before
    backup = BackupDirectory(tmp_path / "backup")
    files = {file.path: file for file in backup.read_list().files}
    assert backup.read(files["tuf/metadata/timestamp.json"], 1 << 20) == before
    with Database.open(backup.path(files["state.db"].sha256)) as copy:
        assert [row.patch_id for row in copy.payloads()] == ["office"]


def test_keys_are_in_it_encrypted_and_how_many_offline_ones_is_said(company: Company, tmp_path: Path) -> None:
    done = backed_up(company, tmp_path, PASSPHRASE)
    assert done.with_keys
    assert done.offline_keys == 3
    assert not any(b"PRIVATE KEY" in path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file())
    with pytest.raises(UserError, match="passphrase has 5 bytes"):
        backed_up(company, tmp_path, b"short")


def test_a_folder_of_keys_with_something_else_is_refused(company: Company, tmp_path: Path) -> None:
    (company.context.home.keys / "film.mp4").write_bytes(bytes(100_000))
    with pytest.raises(UserError, match="more than keys"):
        backed_up(company, tmp_path, PASSPHRASE)


@pytest.mark.parametrize("place", ["home", "home/backup", ""])
def test_a_backup_within_the_home_is_refused(company: Company, place: str) -> None:
    with pytest.raises(UserError, match="one in the other"):
        back_up(company.context, company.context.home.root.parent / place, None)


def test_a_directory_is_of_one_server(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    backup = BackupDirectory(tmp_path / "backup")
    with backup.written():
        backup.finish(replace(backup.read_list(), root_pin="0" * 64))
    with pytest.raises(UserError, match="another server") as raised:
        backed_up(company, tmp_path)
    assert raised.value.kind is FaultKind.BAD_INPUT


def test_a_disk_that_is_too_small_is_said_before_it_is_full(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage._replace(free=1_000_000))
    with pytest.raises(UserError, match="are needed") as raised:
        backed_up(company, tmp_path)
    assert raised.value.kind is FaultKind.STORAGE
    assert list((tmp_path / "backup" / "incoming").iterdir()) == []


def test_a_backup_that_is_old_is_said_by_status_and_doctor(company: Company, tmp_path: Path) -> None:
    assert backup_problems(company.context) == [], "whether there is one at all, doctor says"
    backed_up(company, tmp_path)
    facts = ServerFacts(BEGIN)
    look_at_state(facts, company.context)
    assert facts.backup is not None
    assert (facts.backup.last, facts.backup.pcs) == (read_last_backup(company.context.home), 10)
    company.clock.wall += 3 * 86_400.0
    assert backup_problems(company.context) == []
    company.clock.wall += 60.0
    (said,) = backup_problems(company.context)
    assert said.mend == f"seed-server backup {tmp_path / 'backup'}"


def test_a_directory_with_something_else_in_it_is_not_closed_to_others(company: Company, tmp_path: Path) -> None:
    """Somebody names the directory above, as /srv or /mnt: what others have there goes on."""
    shared = tmp_path / "backup"
    shared.mkdir(mode=0o755)
    shared.chmod(0o755)
    (shared / "film.mp4").write_bytes(b"film")
    with pytest.raises(UserError, match=r"has something else in it \(film.mp4\)") as raised:
        backed_up(company, tmp_path)
    assert raised.value.kind is FaultKind.BAD_INPUT
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
    assert [path.name for path in shared.iterdir()] == ["film.mp4"]
    (shared / "film.mp4").unlink()
    for name in ("lost+found", "incoming", "objects"):  # a disk of its own; a first backup that was killed
        (shared / name).mkdir()
    (shared / ".backup.json.0123456789ab.tmp").write_bytes(b"")
    backed_up(company, tmp_path)


def test_a_backup_without_its_keys_does_not_say_that_it_has_them(company: Company, tmp_path: Path) -> None:
    home = company.context.home
    for gone in (home.online_keys / "timestamp.pem", home.ca / "swarm-ca.crt.pem"):
        gone.rename(tmp_path / gone.name)
        with pytest.raises(UserError, match=rf"{gone.name} is missing.*--without-keys") as raised:
            backed_up(company, tmp_path, PASSPHRASE)
        assert raised.value.kind is FaultKind.NOT_SET_UP
        assert not backed_up(company, tmp_path).with_keys
        (tmp_path / gone.name).rename(gone)


def test_a_damaged_list_is_to_be_moved_away(company: Company, tmp_path: Path) -> None:
    backed_up(company, tmp_path)
    path = tmp_path / "backup" / "backup.json"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match="Move what is in .*backup away, or give another directory"):
        backed_up(company, tmp_path)


def test_what_cannot_be_read_in_the_home_is_said(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has run a command as root: its files are closed to the server's user."""
    home = company.context.home.root
    (home / "archive" / "2026").mkdir(parents=True)
    (home / "archive" / "elsewhere").symlink_to(tmp_path)
    scan = os.scandir

    def closed(path: Any) -> Any:
        if Path(path) == home / "archive" / "2026":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert set(backed_up(company, tmp_path).faults) == {
        "archive/2026: it cannot be read: Permission denied",
        "archive/elsewhere: it leads to another directory, which is not copied",
    }
    monkeypatch.setattr(
        os, "scandir", lambda path: closed(home / "archive/2026" if Path(path) == home.joinpath("content") else path)
    )
    with pytest.raises(
        UserError, match=r"Cannot read .*archive/2026: Permission denied. Run this as the server's user"
    ):
        backed_up(company, tmp_path)


def test_keys_that_cannot_be_read_are_said(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, scan = company.context.home.keys, os.scandir

    def closed(path: Any) -> Any:
        if Path(path) == keys:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(UserError, match=rf"Cannot read {keys}: Permission denied"):
        backed_up(company, tmp_path, PASSPHRASE)


def test_a_home_that_was_left_does_not_take_the_place_of_its_server_s_newer_backup(
    company: Company, tmp_path: Path
) -> None:
    """Its nightly backup is still set up there, and both write to the same share."""
    backed_up(company, tmp_path)
    mark_moved(company.context.home, "to patches.example.com")
    company.clock.wall += 60.0
    backed_up(company, tmp_path)  # to be restored where the server is from now on
    there, _ = restored(tmp_path, keys_elsewhere(company, tmp_path))
    cast("FakeClock", there.clock).wall += 600.0
    there.home.restored.unlink()
    newest = back_up(there, tmp_path / "backup", None).backup_at
    company.clock.wall += 86_400.0
    with pytest.raises(UserError, match="its server has moved") as raised:
        backed_up(company, tmp_path)
    assert raised.value.kind is FaultKind.REFUSED
    assert BackupDirectory(tmp_path / "backup").read_list().backup_at == newest
    back_up(company.context, tmp_path / "other", None)


def test_a_server_that_has_not_caught_up_is_as_the_backup_was_that_it_is_made_of(
    company: Company, tmp_path: Path
) -> None:
    """Else PCs that enrolled between the two were forgotten by whoever restores the second."""
    backed_up(company, tmp_path)
    there, _ = restored(tmp_path, keys_elsewhere(company, tmp_path))
    assert back_up(there, tmp_path / "second", None).backup_at == BEGIN

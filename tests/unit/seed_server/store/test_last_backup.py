"""`seed_server.store.last_backup`: what is kept of the last backup, and nothing where it cannot be read."""

from pathlib import Path

from seed_server.settings.home import ServerHome
from seed_server.store.last_backup import LastBackup, read_last_backup, record_path, write_last_backup

LAST = LastBackup(5.0, "/mnt/backup", files=3, bytes=7, with_keys=True)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    home = ServerHome(tmp_path)
    assert read_last_backup(home) is None
    write_last_backup(home, LAST)
    assert read_last_backup(home) == LAST


def test_what_cannot_be_read_is_nothing(tmp_path: Path) -> None:
    record_path(ServerHome(tmp_path)).write_bytes(b"\xff")
    assert read_last_backup(ServerHome(tmp_path)) is None

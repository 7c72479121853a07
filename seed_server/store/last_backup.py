"""When a home was backed up last, for `doctor` and `status`. Blocking."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, KeptState
from seed_server.settings.home import ServerHome

MAX_LAST_BACKUP_BYTES = 16 << 10


class LastBackup(KeptState, frozen=True):
    """What is kept of a backup that was completed; times are in seconds since 1970."""

    backup_at: Annotated[float, msgspec.Meta(ge=0.0, le=1e11)]
    """At which moment the server was as the backup has it."""
    directory: str
    format: Literal[1] = 1
    files: Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)] = 0
    bytes: Annotated[int, msgspec.Meta(ge=0, lt=1 << 60)] = 0
    with_keys: bool = False
    faults: Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)] = 0
    """How many files of this home were missing or damaged, and are not in it."""


def record_path(home: ServerHome) -> Path:
    """Return where it is kept; no backup has it."""
    return home.root / "backed-up"


def read_last_backup(home: ServerHome) -> LastBackup | None:
    """Return what is kept; None: nothing, or nothing that can be read."""
    try:
        data = read_capped(record_path(home), MAX_LAST_BACKUP_BYTES)
        found: LastBackup = codec.decode(data, LastBackup, max_bytes=MAX_LAST_BACKUP_BYTES)
    except (OSError, DecodeError, FileTooLargeError):
        return None
    return found


def write_last_backup(home: ServerHome, backup: LastBackup) -> None:
    """Keep it. Raises `UserError` (STORAGE)."""
    path = record_path(home)
    try:
        durable_files.write_file(path, codec.encode(backup), mode=0o600)
    except OSError as error:
        raise UserError(
            f"The backup is complete, but {path} cannot be written: {error.strerror}. Check the disk's space "
            "and permissions.",
            FaultKind.STORAGE,
        ) from error

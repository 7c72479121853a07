"""The files of months that have left the database, and whether they are what the audit log vouches for. Blocking.

Each function raises `UserError`: NOT_SET_UP, STORAGE, BUSY.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias

from p2pdist.shared.wire.codec import DecodeError
from seed_server.fleet.context import Context
from seed_server.store.audit_entry import AuditEntry, decode_entry

if TYPE_CHECKING:
    from seed_server.store.database import Database
    from seed_server.store.event_months import MonthPart

ARCHIVE_MONTH = "archive month"
REMOVE_ARCHIVE = "remove archive"
HASHED_BYTES = 1 << 20  # at a time
_FILE = re.compile(r"events-(\d{4}-\d{2}(?:\.\d+)?)\.archive")

FileState: TypeAlias = Literal["present", "intact", "changed", "missing", "unknown", "removed"]
"""Present: it is there, and nobody has looked into it. Intact: as the audit log says. Changed: other bytes. Missing: it
should be there. Unknown: the audit log says nothing of it. Removed: its time is over."""


@dataclass(frozen=True)
class Archive:
    """The file of a month, and how it is."""

    month: str
    file: str
    state: FileState
    events: int
    bytes: int
    sha256: str
    """As the audit log says; of an unknown one, as it is. Empty: nobody has looked."""
    archived_at: float
    """Seconds since 1970; 0: not known."""
    entry: int | None
    """Of the audit log; None: there is none."""


def archive_name(part: "MonthPart") -> str:
    """Return what the file of a month is called."""
    return f"events-{part.name}.archive"


def archive_path(context: Context, part: "MonthPart") -> Path:
    """Return where the file of a month is."""
    return context.home.archive / archive_name(part)


def vouched_sha256(database: "Database", part: "MonthPart") -> str:
    """Return the hash of a month's file as the audit log has it, hexadecimal; empty: it says nothing of it."""
    data = database.audit_entry(part.entry) if part.entry >= 0 else None
    try:
        entry: AuditEntry | None = None if data is None else decode_entry(data)
    except DecodeError:  # 'audit verify' says more
        return ""
    if entry is None or (entry.operation, entry.subject) != (ARCHIVE_MONTH, part.name):
        return ""
    return entry.details.get("sha256", "")


def sha256_of(file: BinaryIO, pause: Callable[[], None] = lambda: None) -> str:
    """Return the hash of a file that is open, hexadecimal. Raises `OSError`."""
    file.seek(0)
    found = hashlib.sha256()
    while data := file.read(HASHED_BYTES):
        found.update(data)
        pause()
    return found.hexdigest()


def list_archives(context: Context, *, check: bool) -> list[Archive]:
    """Return every archived month, the oldest first, then files that nobody knows.

    ``check``: compute each file's hash; else one that is there is present.
    """
    from seed_server.store.tables_events import ARCHIVED

    context.settings()
    with context.database() as database:
        parts = [part for part in database.month_parts() if part.state >= ARCHIVED]
        found = [_archive(context, database, part, check=check) for part in parts]
    known = {one.file for one in found}
    folder = context.home.archive
    strays = sorted(path for path in folder.iterdir() if path.name not in known) if folder.is_dir() else []
    return found + [_stray(path, check=check) for path in strays if not path.name.startswith(".")]


def missing_archives(context: Context, database: "Database") -> list[str]:
    """Return the months whose files should be there, and are not; nobody looks into the others."""
    from seed_server.store.tables_events import DROPPED

    parts = [part for part in database.month_parts() if part.state == DROPPED]
    return [part.name for part in parts if not archive_path(context, part).is_file()]


def _archive(context: Context, database: "Database", part: "MonthPart", *, check: bool) -> Archive:
    from seed_server.store.tables_events import REMOVED

    vouched = vouched_sha256(database, part)
    if part.state == REMOVED:
        state: FileState = "removed"
    elif not vouched:
        state = "unknown"
    else:
        state = _state_of(archive_path(context, part), vouched if check else "")
    return Archive(
        month=part.name,
        file=archive_name(part),
        state=state,
        events=part.events,
        bytes=part.bytes,
        sha256=vouched,
        archived_at=part.archived_at,
        entry=part.entry if part.entry >= 0 else None,
    )


def _state_of(path: Path, sha256: str) -> FileState:
    try:
        with path.open("rb") as file:
            if not sha256:
                return "present"
            return "intact" if sha256 == sha256_of(file) else "changed"
    except FileNotFoundError:
        return "missing"
    except OSError:  # as a disk that gives other bytes, or none
        return "changed"


def _stray(path: Path, *, check: bool) -> Archive:
    named = _FILE.fullmatch(path.name)
    size, found = 0, ""
    try:
        size = path.stat().st_size
        if check and path.is_file():
            with path.open("rb") as file:
                found = sha256_of(file)
    except OSError:
        pass  # it is unknown, whatever it is
    return Archive(named[1] if named else "", path.name, "unknown", 0, size, found, 0.0, None)

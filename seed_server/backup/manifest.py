"""What a backup consists of: the list of its files with their hashes, as it stands in ``backup.json``. Pure.

The list has a hash of its own, and where keys are in the backup, they are sealed together with it: who can open them
knows that no file of the backup is another one than was put there.
"""

import hashlib
import re
from typing import Annotated, Literal

import msgspec
from msgspec.structs import replace

from p2pdist.shared.printable_text import printable
from p2pdist.shared.wire.codec import Record

LIST_FORMAT = 1
MAX_LIST_BYTES = 128 << 20  # 200 bytes a file: half a million files
MAX_BACKED_UP_PATH_CHARS = 1_000
MAX_BACKED_UP_FILES = 500_000
CHECKPOINT_FILE = "audit-checkpoint"
"""What vouches for the audit log; a home of before there was one has none."""
SQLITE_FILE, DUMP_FILE = "state.db", "state.dump"
"""The database in the list: SQLite's file, or what `pg_dump` has written, which is no file of a home."""

FileHash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
FileBytes = Annotated[int, msgspec.Meta(ge=0, lt=1 << 60)]

_OWN_WAY = re.compile(
    r"state(-before-.*)?\.db(-wal|-shm|-journal)?|restored|moved|backed-up|presented|coded|server\.toml|content|tuf|keys|"
    r"audit-checkpoint|lost\+found|\.restoring"
)
_PASSING = re.compile(r".*\.lock|.*\.sock|\..*\.tmp", re.DOTALL)


class ListError(ValueError):
    """A list of files that cannot be used; the text is a clause for people."""


class NewerFormatError(ListError):
    """A newer release has written it; the text names that."""


class BackedUpFile(Record, frozen=True):
    """One file of the home, and under which hash the backup has it."""

    path: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_BACKED_UP_PATH_CHARS)]
    """From the home on, with slashes."""
    sha256: FileHash
    bytes: FileBytes


class FileList(Record, frozen=True):
    """``backup.json``. What a newer release adds needs a higher ``format``: the list's hash is over all of it."""

    backup_at: Annotated[float, msgspec.Meta(ge=0.0, le=1e11)]
    """At which moment the server was as it is here, in seconds since 1970."""
    server: Annotated[str, msgspec.Meta(max_length=MAX_BACKED_UP_PATH_CHARS)]
    """Its name, for people."""
    root_pin: FileHash
    """Of which server it is: the SHA-256 of its first TUF root."""
    database: Literal["sqlite", "postgresql"]
    revision: Annotated[str, msgspec.Meta(max_length=40)]
    """Of the database's tables."""
    files: Annotated[tuple[BackedUpFile, ...], msgspec.Meta(max_length=MAX_BACKED_UP_FILES)]
    release: Annotated[str, msgspec.Meta(max_length=100)]
    """Which release has made the backup."""
    authorities: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?\Z")] = ""
    """The SHA-256 of both authorities' certificates; empty: the home had none that could be used."""
    sealed: BackedUpFile | None = None
    """The keys, encrypted; None: they are kept elsewhere."""
    format: Literal[1] = 1
    self_sha256: str = ""
    """Of this list without this field."""

    @property
    def total_bytes(self) -> int:
        """How much a home takes that is made of it; the keys aside."""
        return sum(file.bytes for file in self.files)

    def all_files(self) -> tuple[BackedUpFile, ...]:
        """Return the files, the sealed keys among them."""
        return self.files if self.sealed is None else (*self.files, self.sealed)

    def digest(self) -> bytes:
        """Return the SHA-256 of all but the keys: what they are sealed together with."""
        return hashlib.sha256(msgspec.json.encode(replace(self, sealed=None, self_sha256=""))).digest()


class _Format(msgspec.Struct):
    format: int
    release: str = ""


def encode_list(files: FileList) -> bytes:
    """Return it as the file has it."""
    return msgspec.json.format(msgspec.json.encode(replace(files, self_sha256=_hash_of(files))), indent=1)


def decode_list(data: bytes) -> FileList:
    """Return the list. Raises `ListError`: damaged, or `NewerFormatError`."""
    try:
        seen = msgspec.json.decode(data, type=_Format)
        if seen.format > LIST_FORMAT:
            raise NewerFormatError(printable(seen.release[:100]) or f"format {seen.format}")
        files = msgspec.json.decode(data, type=FileList)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ListError("it is damaged") from error
    if files.self_sha256 != _hash_of(files):
        raise ListError("it is not as it was written")
    paths = [file.path for file in files.files]
    if len(set(paths)) != len(paths) or not all(map(is_safe_path, paths)):
        raise ListError("it names files that a home does not have")
    return files


def _hash_of(files: FileList) -> str:
    return hashlib.sha256(msgspec.json.encode(replace(files, self_sha256=""))).hexdigest()


def is_safe_path(path: str) -> bool:
    """Whether a path leads to a file below the home, on any system."""
    parts = path.split("/")
    return path.isprintable() and "\\" not in path and ":" not in path and not {"", ".", ".."} & set(parts)


def is_kept(name: str) -> bool:
    """Whether what has this name at the top of a home is copied as it lies there.

    What is left out is the database, signed files, content and keys, which have ways of their own; and what says
    something of that one running server: that it was restored or moved, what PCs have handed in.
    """
    return not _OWN_WAY.fullmatch(name) and not is_passing(name)


def is_passing(name: str) -> bool:
    """Whether a file is of some process alone: a lock, a socket, or a temporary file."""
    return _PASSING.fullmatch(name) is not None

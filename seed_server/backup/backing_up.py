"""Copies a server's home into a backup while it serves. Blocking.

Database and signed files are of one moment, at which nobody signs: the repository's lock is held while the database's
state is fixed and the metadata, which are replaced, are read. All else is only ever added to, and is copied after that.
"""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from p2pdist import __version__
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.backup.manifest import (
    CHECKPOINT_FILE,
    DUMP_FILE,
    SQLITE_FILE,
    BackedUpFile,
    FileList,
    is_kept,
    is_passing,
    is_safe_path,
)
from seed_server.backup.needed_keys import missing_key, pin_of_authorities
from seed_server.backup.objects import BackupDirectory, ChangedSourceError, Pause, check_room
from seed_server.backup.sealed_keys import MAX_SEALED_KEYS_BYTES, seal
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import MAX_SETTINGS_BYTES
from seed_server.signing.key_files import MAX_KEY_FILE_BYTES, check_passphrase
from seed_server.store.database_copies import DatabaseMoment, moment_of
from seed_server.store.last_backup import LastBackup, read_last_backup, write_last_backup
from seed_server.store.moved_mark import moved_to
from seed_server.store.postgres_tools import check_tools
from seed_server.store.restored_mark import read_mark

MIN_FREE_BYTES_AFTER_BACKUP = 16 << 20  # the list, and what others do there
MAX_KEY_FILES = 1_000
SEALED_PATH = "keys"
_CONTENT = re.compile(r"([0-9a-f]{64})(\.pieces)?")

OnCopied = Callable[[int, int], None]
"""Called with how many files and bytes were copied so far."""


@dataclass(frozen=True)
class BackupDone:
    """What a backup came to."""

    backup_at: float
    """At which moment the server was as the backup has it, in seconds since 1970."""
    files: int
    bytes: int
    """Of all that is in the backup."""
    new_files: int
    new_bytes: int
    """Of what was not there already."""
    removed_bytes: int
    """Of what the backup before had, and this one has not."""
    with_keys: bool
    offline_keys: int
    """How many keys of the offline folder are among them, since they lie in the home."""
    faults: tuple[str, ...]
    """Files of the home that are missing or damaged, in words; they are not in the backup."""


def back_up(
    context: Context,
    directory: Path,
    passphrase: bytes | None,
    *,
    on_copied: OnCopied = lambda _files, _bytes: None,
) -> BackupDone:
    """Bring the backup in ``directory`` up to date; ``passphrase`` None: without keys.

    Raises `UserError`: BAD_INPUT, BUSY, NOT_SET_UP, REFUSED, STORAGE; the backup that was there is whole then.
    """
    if passphrase is not None:
        check_passphrase(passphrase)
    settings = context.settings()
    _check_apart(context.home, directory)
    if settings.database_url:
        check_tools("pg_dump")
    backup = BackupDirectory(directory)
    backup.check_own()
    if backup.has_list():
        _check_replaceable(context, backup)
    with backup.written():
        work = _Copying(context, backup, lambda: on_copied(backup.new_files, backup.new_bytes))
        done = work.run(passphrase)
    kept = LastBackup(
        done.backup_at, str(directory), files=done.files, bytes=done.bytes, with_keys=done.with_keys,
        faults=len(done.faults),
    )  # fmt: skip
    write_last_backup(context.home, kept)
    return done


def _check_apart(home: ServerHome, directory: Path) -> None:
    place, root = directory.resolve(), home.root.resolve()
    if place == root or root in place.parents or place in root.parents:
        raise UserError(
            f"{directory} and the home {home.root} are one in the other: a disk that fails takes both. Give a "
            "directory elsewhere, best on another machine.",
            FaultKind.BAD_INPUT,
        )


def _check_replaceable(context: Context, backup: BackupDirectory) -> None:
    """Raise `UserError` for the backup of another server, and for one that is newer than what this home has."""
    found = backup.read_list(to_replace=True)
    if found.root_pin != context.repository().root_pin().hex():
        raise UserError(
            f"{backup.root} has the backup of another server ({found.server}). Give each server a directory of its "
            "own.",
            FaultKind.BAD_INPUT,
        )
    last = read_last_backup(context.home)
    if moved_to(context.home) and found.backup_at > (0.0 if last is None else last.backup_at):
        raise UserError(
            f"{backup.root} has a backup that was not made from {context.home.root}: its server has moved, and that "
            "backup may be newer. Have this home not be backed up any more, or give another directory.",
            FaultKind.REFUSED,
        )


@dataclass
class _Moment:
    """What is read at the moment of the backup; ``files`` are in memory, ``documents`` are to be copied."""

    at: float
    root_pin: str
    files: dict[str, bytes]
    documents: dict[str, str]
    keys: dict[str, bytes]


@dataclass
class _Copying:
    context: Context
    backup: BackupDirectory
    pause: Pause
    faults: list[str] = field(default_factory=list)

    @property
    def home(self) -> ServerHome:
        return self.context.home

    def run(self, passphrase: bytes | None) -> BackupDone:
        settings = self.context.settings()
        # before the database: what it vouches for must never be newer than that
        checkpoint = _read_if_there(self.home.audit_checkpoint)
        with contextlib.ExitStack() as stack:
            with self.context.repository().locked():
                database = stack.enter_context(moment_of(settings.database_place(self.home)))
                moment = self._read_moment(with_keys=passphrase is not None)
            if checkpoint is not None:
                moment.files[CHECKPOINT_FILE] = checkpoint
            if passphrase is not None and (missing := missing_key(moment.keys, moment.files)):
                raise UserError(
                    f"{self.home.root / missing} is missing, and a server that is restored needs it. Where keys are "
                    "kept elsewhere, add --without-keys.",
                    FaultKind.NOT_SET_UP,
                )
            files = [self._database(database)]
        files += [self.backup.add_bytes(path, data) for path, data in moment.files.items()]
        files += self._documents(moment)
        files += self._content()
        files += self._others()
        made = FileList(
            backup_at=moment.at,
            server=settings.name,
            root_pin=moment.root_pin,
            database=database.kind,
            revision=database.revision,
            files=tuple(files),
            release=__version__,
            authorities=pin_of_authorities(self.home),
        )
        if passphrase is not None:
            sealed = seal(moment.keys, made.digest(), passphrase, os.urandom)
            made = replace(made, sealed=self.backup.add_bytes(SEALED_PATH, sealed))
        removed = self.backup.finish(made)
        return BackupDone(
            backup_at=moment.at,
            files=len(made.all_files()),
            bytes=sum(file.bytes for file in made.all_files()),
            new_files=self.backup.new_files,
            new_bytes=self.backup.new_bytes,
            removed_bytes=removed,
            with_keys=passphrase is not None,
            offline_keys=sum(path.startswith("keys/offline/") and path.endswith(".pem") for path in moment.keys),
            faults=tuple(self.faults),
        )

    def _read_moment(self, *, with_keys: bool) -> _Moment:
        repository = self.context.repository()
        metadata, documents = repository.files_in_force()
        tuf = self.home.tuf_metadata.parent
        files = {f"tuf/{path}": (tuf / path).read_bytes() for path in metadata}
        for path in [path for path in documents if path.startswith("targets/rollouts/")]:
            files[f"tuf/{path}"] = (tuf / path).read_bytes()  # others may be too many changes ahead when we come to it
            del documents[path]
        files["server.toml"] = read_capped(self.home.settings, MAX_SETTINGS_BYTES)
        keys = _keys_of(self.home) if with_keys else {}
        mark = read_mark(self.home)
        # one that was restored and has learnt nothing yet is as it was at its own backup
        at = self.context.clock.now() if mark is None or not mark.catching_up else mark.backup_at
        return _Moment(at, repository.root_pin().hex(), files, documents, keys)

    def _database(self, database: DatabaseMoment) -> BackedUpFile:
        copy = self.backup.new_path()
        if database.kind == "sqlite":
            size = self.home.database.stat().st_size + MIN_FREE_BYTES_AFTER_BACKUP
            check_room(self.backup.root, shutil.disk_usage(self.backup.root).free, size)
        database.write_to(copy)
        return self.backup.take(SQLITE_FILE if database.kind == "sqlite" else DUMP_FILE, copy, pause=self.pause)

    def _documents(self, moment: _Moment) -> Iterator[BackedUpFile]:
        for path, sha256 in sorted(moment.documents.items()):
            yield from self._copied(f"tuf/{path}", self.home.tuf_metadata.parent / path, sha256)

    def _content(self) -> Iterator[BackedUpFile]:
        with os.scandir(self.home.content) as found:
            names = sorted(one.name for one in found if _CONTENT.fullmatch(one.name))
        for name in names:
            sha256 = "" if name.endswith(".pieces") else name
            with contextlib.suppress(FileNotFoundError):  # the server no longer has it
                yield from self._copied(f"content/{name}", self.home.content / name, sha256)

    def _others(self) -> Iterator[BackedUpFile]:
        """Yield what lies in the home besides: the site map, archives, bundles, and what its owner has put there."""
        for path in _files_besides(self.home.root, self._closed):
            relative = path.relative_to(self.home.root).as_posix()
            if not is_safe_path(relative):
                self.faults.append(f"{relative!r}: a file of this name is not copied")
                continue
            with contextlib.suppress(FileNotFoundError):
                yield from self._copied(relative, path, "")

    def _closed(self, error: OSError) -> None:
        path = Path(os.fsdecode(error.filename)).relative_to(self.home.root)
        why = "it leads to another directory, which is not copied" if error.errno == errno.ELOOP else ""
        self.faults.append(f"{path.as_posix()}: {why or f'it cannot be read: {error.strerror}'}")

    def _copied(self, path: str, source: Path, sha256: str) -> Iterator[BackedUpFile]:
        try:
            size = source.stat().st_size
            if not (sha256 and self.backup.has(sha256, size)):
                free = shutil.disk_usage(self.backup.root).free
                check_room(self.backup.root, free, size + MIN_FREE_BYTES_AFTER_BACKUP)
            yield self.backup.add_file(path, source, sha256, pause=self.pause)
        except ChangedSourceError as error:
            self.faults.append(f"{path}: {error}")
        except FileNotFoundError:
            if not path.startswith("tuf/"):
                raise
            self.faults.append(f"{path}: it is missing")


def _files_besides(root: Path, closed: Callable[[OSError], None]) -> Iterator[Path]:
    """Yield the files; ``closed`` hears of each directory that is not looked into, and why."""
    for top in sorted(root.iterdir()):
        if not is_kept(top.name):
            continue
        if top.is_dir():
            for folder, folders, names in os.walk(top, onerror=closed):
                for link in (path for path in (Path(folder, name) for name in folders) if path.is_symlink()):
                    closed(OSError(errno.ELOOP, "", str(link)))
                found = sorted(Path(folder, name) for name in names)
                yield from (path for path in found if _is_plain(path))
        elif _is_plain(top):
            yield top


def _is_plain(path: Path) -> bool:
    return path.is_file() and not is_passing(path.name)


def _keys_of(home: ServerHome) -> dict[str, bytes]:
    found, total = {}, 0

    def closed(error: OSError) -> None:
        raise UserError(
            f"Cannot read {error.filename}: {error.strerror}. Run this as the server's user.", FaultKind.STORAGE
        ) from error

    for folder, _, names in os.walk(home.keys, onerror=closed):
        for path in sorted(Path(folder, name) for name in names):
            if not _is_plain(path):
                continue
            try:
                data = read_capped(path, MAX_KEY_FILE_BYTES)
            except FileTooLargeError as error:
                raise no_keys(home.keys) from error
            except OSError as error:
                raise UserError(
                    f"Cannot read {path}: {error.strerror}. Run this as the server's user.", FaultKind.STORAGE
                ) from error
            found[path.relative_to(home.root).as_posix()] = data
            total += len(data)
    if len(found) > MAX_KEY_FILES or total > MAX_SEALED_KEYS_BYTES // 2:
        raise no_keys(home.keys)
    return found


def no_keys(folder: Path) -> UserError:
    """Return the error for a folder of keys that holds something else."""
    return UserError(
        f"{folder} has more than keys of a server. Move what is not a key to another folder.", FaultKind.BAD_INPUT
    )


def _read_if_there(path: Path) -> bytes | None:
    try:
        return read_capped(path, MAX_SETTINGS_BYTES)
    except FileNotFoundError:
        return None

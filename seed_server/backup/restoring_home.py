"""Makes a home of a backup, on a machine that has none: all of it is verified before any of it counts. Blocking.

Everything is made in ``.restoring`` within the home, and its files get their places as the last step, the settings
after all others: a home without them is none, whenever this is killed.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.private_directory import make_private
from seed_server.backup.backing_up import MAX_KEY_FILES, no_keys
from seed_server.backup.manifest import DUMP_FILE, BackedUpFile, FileList
from seed_server.backup.needed_keys import check_keys_fit, missing_key
from seed_server.backup.objects import BackupDirectory, DamagedObjectError, check_room, of_newer_release, worded
from seed_server.backup.verifying import OnRead, damaged, open_keys
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import load_settings
from seed_server.signing.key_files import MAX_KEY_FILE_BYTES
from seed_server.store.database_copies import check_empty, is_newer, make_empty
from seed_server.store.postgres_tools import check_tools, restore_dump
from seed_server.store.restored_mark import mark_restored
from seed_server.store.serve_lock import not_serving

STAGING = ".restoring"
MIN_FREE_BYTES_AFTER_RESTORE = 64 << 20  # the server's first signatures and logs
_DATABASE_URL = re.compile(r"^[ \t]*database_url[ \t]*=.*$", re.MULTILINE)


@dataclass(frozen=True)
class RestoreDone:
    """What a restore came to."""

    files: FileList
    revoked_tokens: int
    """How many tokens could still have enrolled PCs."""
    revoked_api_tokens: int
    """How many API tokens and logins could still have been used."""
    lacking: tuple[str, ...]
    """Patches whose files the backup has not."""


@dataclass(frozen=True)
class RestoreWish:
    """What is to be restored, and with what."""

    directory: Path
    passphrase: bytes | None = None
    """What opens the keys."""
    keys: Path | None = None
    """A folder with the keys, where the backup has none."""
    database_url: str = ""
    """An empty database of PostgreSQL; empty: the one that the settings name."""


def needs_passphrase(directory: Path) -> bool:
    """Whether the keys are in a backup, encrypted. Raises `UserError`: BAD_INPUT, NOT_SET_UP, STORAGE."""
    return BackupDirectory(directory).read_list().sealed is not None


def restore(
    context: Context, actor_of: Callable[[Context], Actor], wish: RestoreWish, *, on_read: OnRead
) -> RestoreDone:
    """Make the home of ``context``, which has nothing yet, what the backup says; tokens of before are void.

    ``actor_of`` says who does it, once there is a home. Raises `UserError`: BAD_INPUT, BUSY, NOT_SET_UP, REFUSED,
    STORAGE, USAGE; then the home has nothing, as before.
    """
    backup = BackupDirectory(wish.directory)
    with backup.read_whole():
        return _restored(context, actor_of, wish, backup, on_read)


def _restored(
    context: Context, actor_of: Callable[[Context], Actor], wish: RestoreWish, backup: BackupDirectory, on_read: OnRead
) -> RestoreDone:
    home, files = context.home, backup.read_list()
    _check_ours(backup, files, wish)
    keys = _keys(backup, files, wish)
    make_private(home.root)
    staging = ServerHome(home.root / STAGING)
    with _held(home):
        _check_nothing(home)
        with _staged(home, staging):
            check_room(home.root, shutil.disk_usage(home.root).free, files.total_bytes + MIN_FREE_BYTES_AFTER_RESTORE)
            _copy_all(backup, files, staging, on_read)
            _write_keys(staging, keys)
            _settle(files, staging, wish)
            settings = load_settings(staging)
            check_keys_fit(staging, files)
            at = context.clock.now()
            mark_restored(staging, backup_at=files.backup_at, restored_at=at)
            with _filled(files, staging, settings.database_url):
                there = Context(staging, context.clock, context.request)
                done = _void(there, actor_of(there), files)
                _move(staging, home)
    return done


@contextlib.contextmanager
def _filled(files: FileList, staging: ServerHome, url: str) -> Iterator[None]:
    """Fill a database of PostgreSQL, where the state is in one; where the block raises, it is empty again."""
    if files.database != "postgresql":
        yield
        return
    check_empty(url)
    restore_dump(staging.root / DUMP_FILE, url)
    try:
        (staging.root / DUMP_FILE).unlink()
        yield
    except BaseException:
        make_empty(url)
        raise


# --- before anything is made -----------------------------------------------------------------


def _check_ours(backup: BackupDirectory, files: FileList, wish: RestoreWish) -> None:
    if is_newer(files.revision):
        raise of_newer_release(backup.root, files.release)
    if files.database == "postgresql":
        check_tools("pg_restore")
        if wish.database_url:
            check_empty(wish.database_url)
    elif wish.database_url:
        raise UserError(
            "The backup is of a server with its state in a file, and there is no way from there to PostgreSQL. Leave "
            "--database-url away.",
            FaultKind.BAD_INPUT,
        )


@contextlib.contextmanager
def _held(home: ServerHome) -> Iterator[None]:
    """Keep others out, a server too; where the block raises, the lock's file goes again. Raises `UserError` (BUSY)."""
    there = home.serve_lock.exists()
    busy = f"A seed server runs on {home.root}, or another restore. Wait for it, or give another --home."
    with not_serving(home, busy):
        try:
            yield
        except BaseException:
            if not there:
                with contextlib.suppress(OSError):
                    home.serve_lock.unlink()
            raise


def _check_nothing(home: ServerHome) -> None:
    """Refuse a home that has something; what a restore that was killed has left is removed."""
    try:
        names = sorted(path.name for path in _entries(home))
        if names == [STAGING]:
            shutil.rmtree(home.root / STAGING)
            return
    except OSError as error:
        raise worded(error, home.root, "Nothing was restored.") from error
    if STAGING in names:
        raise UserError(
            f"A restore to {home.root} was cut off as it put its files into their places. Remove all that is in there, "
            "and run it again.",
            FaultKind.BAD_INPUT,
        )
    if names:
        raise UserError(
            f"{home.root} is not empty ({names[0]} is there): a restore takes the place of nothing. Give another "
            "--home, or move what is there away.",
            FaultKind.BAD_INPUT,
        )


def _keys(backup: BackupDirectory, files: FileList, wish: RestoreWish) -> Mapping[str, bytes]:
    """Return the private keys, by their paths from the home on."""
    if files.sealed is not None and wish.keys is None:
        if wish.passphrase is None:
            raise UserError("The keys of this backup are encrypted, and their passphrase is needed.", FaultKind.REFUSED)
        keys: Mapping[str, bytes] = open_keys(backup, files, wish.passphrase)
    elif wish.keys is not None:
        keys = _keys_in(wish.keys)
    else:
        raise UserError(
            "This backup was made without keys. Give the folder that has them (the home's 'keys', with 'online' and "
            "'ca' in it) with --keys DIR.",
            FaultKind.USAGE,
        )
    if missing := missing_key(keys, {file.path for file in files.files}):
        raise UserError(
            f"The key {missing} is missing, and without it this server cannot sign. Give the folder that has all "
            "keys with --keys DIR.",
            FaultKind.NOT_SET_UP,
        )
    return keys


def _keys_in(folder: Path) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for where, _, names in os.walk(folder):
        for path in (Path(where, name) for name in names):
            if len(found) > MAX_KEY_FILES:
                raise no_keys(folder)
            try:
                found[f"keys/{path.relative_to(folder).as_posix()}"] = read_capped(path, MAX_KEY_FILE_BYTES)
            except FileTooLargeError as error:
                raise no_keys(folder) from error
            except OSError as error:
                raise UserError(f"Cannot read {path}: {error.strerror}.", FaultKind.BAD_INPUT) from error
    return found


# --- the home ----------------------------------------------------------------------------------


@contextlib.contextmanager
def _staged(home: ServerHome, staging: ServerHome) -> Iterator[None]:
    """Have a place for the files; where the block raises, nothing of it stays."""
    try:
        staging.root.mkdir(mode=0o700)
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):
            for path in _entries(home):
                _remove(path)
        if isinstance(error, OSError):
            raise worded(error, home.root, "Nothing was restored.") from error
        raise


def _entries(home: ServerHome) -> list[Path]:
    """Return what is in a home. Raises `OSError`."""
    return [path for path in home.root.iterdir() if path.name not in {"lost+found", home.serve_lock.name}]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _copy_all(backup: BackupDirectory, files: FileList, staging: ServerHome, on_read: OnRead) -> None:
    """Copy every file, and hold each to its hash. Raises `UserError` (STORAGE) for a damaged one."""
    done = 0
    for file in files.files:
        target = staging.root / file.path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _copy_one(backup, file, target)
        except DamagedObjectError as error:
            raise damaged(backup.root, [(file.path, str(error))]) from error
        done += file.bytes
        on_read(done, files.total_bytes)
    for folder in (staging.content, staging.archive, staging.tuf_targets, staging.tuf_metadata):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _copy_one(backup: BackupDirectory, file: BackedUpFile, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as copy:
        backup.copy_out(file, copy, pause=lambda: None)


def _write_keys(staging: ServerHome, keys: Mapping[str, bytes]) -> None:
    for path, data in keys.items():
        target = staging.root / path
        durable_files.make_directory(target.parent, mode=0o700)
        durable_files.write_file(target, data, mode=0o600)


def _settle(files: FileList, staging: ServerHome, wish: RestoreWish) -> None:
    """Name another database in the settings, where one was given."""
    if files.database == "postgresql" and wish.database_url:
        import json

        text = staging.settings.read_text(encoding="utf-8")
        line = f"database_url = {json.dumps(wish.database_url)}"
        changed, count = _DATABASE_URL.subn(lambda _: line, text, count=1)
        durable_files.write_file(staging.settings, (changed if count else f"{line}\n{text}").encode())


def _void(there: Context, actor: Actor, files: FileList) -> RestoreDone:
    """Let no token of before count: one that was revoked after the backup would do so again."""
    now = there.clock.now()
    deed = Deed("restore", files.server, reason="restored from a backup")
    with there.audited(actor, deed) as database:
        tokens = database.revoke_all_tokens(now)
        api_tokens = database.revoke_all_api_tokens(now)
        deed.details = {
            "backup_at": str(int(files.backup_at)),
            "revoked_tokens": str(tokens),
            "revoked_api_tokens": str(api_tokens),
            "ended_sessions": str(database.end_all_web_sessions()),
        }
        payloads = database.payloads()
    lacking = dict.fromkeys(str(row.ref) for row in payloads if not (there.home.content / row.sha256).exists())
    return RestoreDone(files, tokens, api_tokens, tuple(lacking))


def _move(staging: ServerHome, home: ServerHome) -> None:
    """Give the files their places. What was copied is durable before the settings say that there is a home."""
    for folder, _, names in os.walk(staging.root, topdown=False):
        for name in names:
            with Path(folder, name).open("rb+") as file:
                os.fsync(file.fileno())
        durable_files.fsync_directory(Path(folder))
    for path in staging.root.iterdir():
        if path != staging.settings:
            path.rename(home.root / path.name)
    durable_files.fsync_directory(home.root)
    staging.settings.rename(home.settings)
    durable_files.fsync_directory(home.root)
    staging.root.rmdir()

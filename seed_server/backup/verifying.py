"""Whether a backup is whole: each file is there and has the hash that the list says. Blocking."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.backup.manifest import FileList
from seed_server.backup.objects import BackupDirectory, DamagedObjectError, of_newer_release
from seed_server.backup.sealed_keys import MAX_SEALED_KEYS_BYTES, SealedKeysError, open_sealed
from seed_server.store.database_copies import is_newer

OnRead = Callable[[int, int], None]
"""Called with how many bytes were read so far, and how many there are."""


@dataclass(frozen=True)
class BackupVerdict:
    """What was found in a backup."""

    files: FileList
    faults: tuple[tuple[str, str], ...]
    """Files by their paths in the home, and what is wrong with them, in words."""
    proven: bool
    """Whether the keys were opened: then the list is the one that was made with them."""
    leftovers: int
    """Files that nothing names: of a backup that was cut off. The next one uses or removes them."""


def verify_backup(
    directory: Path, passphrase: bytes | None, *, on_read: OnRead = lambda _done, _all: None
) -> BackupVerdict:
    """Read all of a backup; with a ``passphrase``, also hold the list to what the keys were sealed with.

    Raises `UserError`: NOT_SET_UP, BAD_INPUT, STORAGE; REFUSED where the passphrase does not open the keys; BUSY while
    a backup is written there.
    """
    backup = BackupDirectory(directory)
    with backup.read_whole():
        return _verdict(backup, passphrase, on_read)


def _verdict(backup: BackupDirectory, passphrase: bytes | None, on_read: OnRead) -> BackupVerdict:
    files = backup.read_list()
    if is_newer(files.revision):
        raise of_newer_release(backup.root, files.release)
    proven = passphrase is not None and files.sealed is not None
    if passphrase is not None and files.sealed is not None:
        open_keys(backup, files, passphrase)
    by_hash = {file.sha256: file for file in files.all_files()}
    whole, read = sum(file.bytes for file in by_hash.values()), 0
    wrong: dict[str, str] = {}
    for file in by_hash.values():
        try:
            backup.copy_out(file, None, pause=lambda: None)
        except DamagedObjectError as error:
            wrong[file.sha256] = str(error)
        read += file.bytes
        on_read(read, whole)
    faults = tuple((file.path, wrong[file.sha256]) for file in files.all_files() if file.sha256 in wrong)
    leftovers = sum(path.name not in by_hash for path in backup.objects())
    if backup.incoming.is_dir():
        leftovers += sum(1 for _ in backup.incoming.iterdir())
    return BackupVerdict(files, faults, proven, leftovers)


def open_keys(backup: BackupDirectory, files: FileList, passphrase: bytes) -> dict[str, bytes]:
    """Return the keys of a backup that has them. Raises `UserError`: REFUSED, STORAGE."""
    assert files.sealed is not None
    try:
        return open_sealed(backup.read(files.sealed, MAX_SEALED_KEYS_BYTES), files.digest(), passphrase)
    except DamagedObjectError as error:
        raise damaged(backup.root, [(files.sealed.path, str(error))]) from error
    except SealedKeysError as error:
        raise UserError(
            f"The keys of the backup in {backup.root} do not open: {error}. Check the passphrase; if it is right, do "
            "not use this backup.",
            FaultKind.REFUSED,
        ) from error


def damaged(root: Path, faults: list[tuple[str, str]]) -> UserError:
    """Return the error for a backup that is not whole."""
    path, what = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return UserError(
        f"The backup in {root} is damaged: {path}: {what}{more}. Use another copy of it; 'seed-server backup --verify' "
        "says which files are wrong.",
        FaultKind.STORAGE,
    )

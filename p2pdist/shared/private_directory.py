"""A home directory that is its user's alone: made so, or refused. Blocking."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from p2pdist.shared import ownership
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.folder import Folder
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.printable_text import printable
from p2pdist.shared.trusted_paths import UntrustedPathError, open_directory

log = lazy_log()


def check_home_name(path: Path) -> None:
    """Raise `UserError` (BAD_INPUT) for a home whose name is not UTF-8: the torrent engine takes no other names."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UserError(
            f"The home {printable(str(path))} has a name that is not UTF-8. Rename it, or give another --home.",
            FaultKind.BAD_INPUT,
        ) from None


def make_private(path: Path) -> None:
    """Make the directory ``path`` for this user alone, with its parents; see `keep_private` for one that is there.

    Raises `UserError` (REFUSED, STORAGE), in words that say how to mend it.
    """
    path = path.absolute()
    with _in_words(path):
        if not os.path.lexists(path):
            with (
                open_directory(Path(path.anchor), str(path.parent), create=True, sticky_is_enough=True) as parent,
                contextlib.suppress(FileExistsError),
            ):
                parent.make(path.name, 0o700).close()
                parent.fsync()
                ownership.make_private(path)
    keep_private(path)


def keep_private(path: Path) -> None:
    """Close the directory ``path``, which is this user's, to all others. Does nothing where nothing is.

    One that somebody else owns, could write to, or could take the place of is refused: there may be settings and keys
    of theirs in it. Raises `UserError` (REFUSED, STORAGE), in words that say how to mend it.
    """
    path = path.absolute()
    with (
        _in_words(path),
        contextlib.suppress(FileNotFoundError),
        open_directory(Path(path.anchor), str(path), sticky_is_enough=True) as home,
    ):
        _close(home)


@contextlib.contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except UntrustedPathError as error:
        raise UserError(f"{path} cannot be used: {error}.", FaultKind.REFUSED) from error
    except OSError as error:
        raise UserError(
            f"Cannot write to {path}: {error.strerror or error}. Check that path and its permissions.",
            FaultKind.STORAGE,
        ) from error


def _close(home: Folder) -> None:
    status = home.status()
    problem = ownership.distrust(home.path, status) or ownership.foreign(home.path, status)
    if problem is not None:
        raise UntrustedPathError(problem)
    if os.name != "nt" and stat.S_IMODE(status.st_mode) != 0o700:
        home.set_mode(0o700)
        log.info("the home was readable by others; it is closed to them now", path=str(home.path))

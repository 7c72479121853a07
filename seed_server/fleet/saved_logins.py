"""Logins that `seed-server login` left for later commands: a private file of this user for each. Blocking."""

import os
import stat
from pathlib import Path

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.accounts import ACCOUNT_NAME, MAX_API_TOKEN_CHARS, own_pin
from seed_server.fleet.context import Context

_ENDING = ".login"


def logins_folder() -> Path:
    """Return where this user's logins are kept."""
    given = os.environ.get("XDG_STATE_HOME", "")
    state = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    return state / "seed-server"


def save_login(context: Context, name: str, token: str) -> Path:
    """Keep the token of a login, in the place of an earlier one. Raises `UserError` (STORAGE, REFUSED)."""
    path = _path(context, name)
    try:
        durable_files.make_directory(path.parent, mode=0o700)
        _check_private(path.parent)
        durable_files.write_file(path, token.encode() + b"\n", mode=0o600)
    except OSError as error:
        raise UserError(f"Cannot keep the login in {path}: {error.strerror}.", FaultKind.STORAGE) from error
    return path


def token_of(context: Context, name: str) -> str | None:
    """Return the token of a login of this user; None: there is none.

    Raises `UserError`: REFUSED for a file that others can read or change, STORAGE, and as `Context`.
    """
    if not ACCOUNT_NAME.fullmatch(name.strip().casefold()):
        return None
    path = _path(context, name)
    try:
        _check_private(path.parent)
        _check_private(path)
        return read_capped(path, MAX_API_TOKEN_CHARS + 1).decode(errors="replace").strip()
    except FileNotFoundError:
        return None
    except FileTooLargeError as error:
        raise UserError(f"{path} holds no login: {error} Remove it, and log in again.", FaultKind.BAD_INPUT) from error
    except OSError as error:
        raise UserError(f"Cannot read the login in {path}: {error.strerror}.", FaultKind.STORAGE) from error


def names(context: Context) -> list[str]:
    """Return who is logged in here at this server, by the files of this user."""
    begins = f"{own_pin(context)}-"
    try:
        found = [path.name for path in logins_folder().iterdir()]
    except OSError:
        return []
    return sorted(
        name.removeprefix(begins).removesuffix(_ENDING)
        for name in found
        if name.startswith(begins) and name.endswith(_ENDING)
    )


def forget(context: Context, name: str) -> None:
    """Remove the file of a login. Raises `UserError` (STORAGE)."""
    path = _path(context, name)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"Cannot remove {path}: {error.strerror}.", FaultKind.STORAGE) from error


def _path(context: Context, name: str) -> Path:
    return logins_folder() / f"{own_pin(context)}-{name.strip().casefold()}{_ENDING}"


def _check_private(path: Path) -> None:
    """Raise `UserError` (REFUSED) for what others can read or change, `OSError` for what is not there."""
    found = path.lstat()
    if os.name == "nt":  # the mode says nothing there, and the folder is the user's
        return
    if stat.S_ISLNK(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise UserError(
            f"Others on this machine can read or change {path}, where logins are kept, so it is not used. Remove it, "
            "and log in again: seed-server login",
            FaultKind.REFUSED,
        )

"""The mark that a home has been left: its server runs elsewhere now, and nobody serves from here. Blocking.

A backup leaves the mark out, so the home that is restored from it serves.
"""

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.printable_text import printable
from seed_server.settings.home import ServerHome

MAX_MOVED_BYTES = 1 << 10  # one line for people


def moved_to(home: ServerHome) -> str:
    """Return where the server of this home is now, in words; empty: here. Raises `UserError` (STORAGE)."""
    try:
        return printable(read_capped(home.moved, MAX_MOVED_BYTES).decode().strip()) or "another home"
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError, FileTooLargeError) as error:
        raise UserError(f"Cannot read {home.moved}: {error}. Check it, or remove it.", FaultKind.STORAGE) from error


def mark_moved(home: ServerHome, words: str) -> None:
    """Note that the server of this home is elsewhere from now on. Raises `UserError` (STORAGE)."""
    try:
        durable_files.write_file(home.moved, f"{words}\n".encode(), mode=0o600)
    except OSError as error:
        raise UserError(f"Cannot write {home.moved}: {error.strerror}.", FaultKind.STORAGE) from error


def take_back(home: ServerHome) -> bool:
    """Remove the mark; return whether there was one. Raises `UserError` (STORAGE)."""
    try:
        home.moved.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UserError(f"Cannot remove {home.moved}: {error.strerror}.", FaultKind.STORAGE) from error
    return True


def check_takes_changes(home: ServerHome) -> None:
    """Raise `UserError` (REFUSED) where the server of this home is elsewhere: what is changed here would be lost."""
    if words := moved_to(home):
        raise UserError(
            f"The server of {home.root} has moved: {words}. What is changed here reaches no PC, and is missing there: "
            "run this on the server's own machine. If it has not moved after all, run 'seed-server move --cancel'.",
            FaultKind.REFUSED,
        )


def check_not_moved(home: ServerHome) -> None:
    """Raise `UserError` (REFUSED) where the server of this home is elsewhere: two would answer one fleet."""
    if words := moved_to(home):
        raise UserError(
            f"The server of {home.root} has moved: {words}. Two servers would answer one fleet, so nothing is served "
            "from here. If it has not moved after all, run 'seed-server move --cancel'.",
            FaultKind.REFUSED,
        )

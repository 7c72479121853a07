"""Remember the own address that this PC was enrolled with: the daemon uses that one, without being told again."""

from pathlib import Path

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import InvalidIdentifierError, parse_ip_address

MAX_ADDRESS_BYTES = 100


def load_address(path: Path) -> str | None:
    """Return the address; None: none was chosen. Blocking.

    Raises `UserError` where it cannot be read: then nobody knows which of its addresses this PC shall not use.
    """
    try:
        return parse_ip_address(read_capped(path, MAX_ADDRESS_BYTES).decode().strip())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.", FaultKind.STORAGE) from error
    except (FileTooLargeError, UnicodeDecodeError, InvalidIdentifierError) as error:
        raise UserError(
            f"{path} has no IP address. Write this PC's own there, or remove the file to use the one that routes to "
            "the server.",
            FaultKind.BAD_INPUT,
        ) from error


def save_address(path: Path, address: str | None) -> None:
    """Store the address durably, or forget the one before. Blocking. Raises `UserError` (STORAGE)."""
    try:
        if address is None:
            path.unlink(missing_ok=True)
            return
        durable_files.make_directory(path.parent, mode=0o700)
        durable_files.write_file(path, f"{address}\n".encode())
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.", FaultKind.STORAGE) from error

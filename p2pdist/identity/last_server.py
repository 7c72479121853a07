"""Remember where the server answered last: after a restart, this PC looks there first. Blocking."""

from pathlib import Path

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.server_address import ServerAddress, address_problem
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError

MAX_LAST_SERVER_BYTES = 1 << 10

log = lazy_log()


def load_last_server(path: Path) -> ServerAddress | None:
    """Return the address; None: it is not known."""
    try:
        address: ServerAddress = codec.decode(
            read_capped(path, MAX_LAST_SERVER_BYTES), ServerAddress, max_bytes=MAX_LAST_SERVER_BYTES
        )
    except FileNotFoundError:
        return None
    except (OSError, DecodeError, FileTooLargeError) as error:
        log.warning("where the server answered last cannot be read", path=str(path), reason=str(error))
        return None
    return None if address_problem(address) else address


def save_last_server(path: Path, address: ServerAddress) -> None:
    """Store the address durably. A failure is logged only: the next start then tries the others before."""
    try:
        durable_files.make_directory(path.parent, mode=0o700)
        durable_files.write_file(path, codec.encode(address))
    except OSError as error:
        log.warning("where the server answers cannot be remembered", path=str(path), reason=error.strerror)

"""Remember the site that this PC was last in, so that its profile holds from the start, even without the server."""

from pathlib import Path

from p2pdist.shared import durable_files
from p2pdist.shared.identifiers import SiteName, parse_site_name
from p2pdist.shared.lazy_log import lazy_log

MAX_SITE_BYTES = 1_000  # a name has 64 characters

log = lazy_log()


def load_site(path: Path) -> str:
    """Return the site; empty where it is not known. Blocking."""
    try:
        with path.open("rb") as file:
            return parse_site_name(file.read(MAX_SITE_BYTES).decode().strip())
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        log.warning("the last site cannot be read", path=str(path), reason=str(error))
        return ""


def save_site(path: Path, site: SiteName) -> None:
    """Store the site durably. Blocking. A failure is logged only: the next start then waits for the server's word."""
    try:
        durable_files.make_directory(path.parent, mode=0o700)
        durable_files.write_file(path, f"{site}\n".encode())
    except OSError as error:
        log.warning("the site cannot be remembered", path=str(path), reason=error.strerror)

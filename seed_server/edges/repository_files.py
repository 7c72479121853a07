"""Which files of the TUF repository no client can need any more. Blocking."""

from collections.abc import Mapping

from p2pdist.manifest import ROLLOUTS_TARGET
from seed_server.settings import ServerHome

KEEP_VERSIONS = 16  # of each role: a client in the middle of a refresh must find what it started with


def prune(home: ServerHome, newest_versions: Mapping[str, int]) -> None:
    """Remove all but the newest `KEEP_VERSIONS` of each role's metadata and of the rollouts. Raises `OSError`."""
    for role, newest in newest_versions.items():
        for path in home.tuf_metadata.glob(f"*.{role}.json"):
            number = path.name.split(".", 1)[0]
            if number.isdigit() and int(number) <= newest - KEEP_VERSIONS:
                path.unlink(missing_ok=True)
    directory = (home.tuf_targets / ROLLOUTS_TARGET).parent
    by_age = sorted(directory.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for path in by_age[:-KEEP_VERSIONS]:
        path.unlink(missing_ok=True)

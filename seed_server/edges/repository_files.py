"""Which files of the TUF repository no client can need any more. Blocking."""

from collections.abc import Mapping

from seed_server.settings import ServerHome

KEEP_VERSIONS = 16  # of each role: a client in the middle of a refresh must find what it started with


def prune(home: ServerHome, newest_versions: Mapping[str, int], rollouts: str) -> None:
    """Remove all but the newest `KEEP_VERSIONS` of each role's metadata and of the rollouts. Raises `OSError`.

    ``rollouts`` is the path of the rollouts in force, below the targets: they stay,
    also when the clock was set back and they look like the oldest.
    """
    for role, newest in newest_versions.items():
        for path in home.tuf_metadata.glob(f"*.{role}.json"):
            number = path.name.split(".", 1)[0]
            if number.isdigit() and int(number) <= newest - KEEP_VERSIONS:
                path.unlink(missing_ok=True)
    in_force = home.tuf_targets / rollouts
    others = [path for path in in_force.parent.iterdir() if path != in_force]
    for path in sorted(others, key=lambda path: path.stat().st_mtime_ns)[: -(KEEP_VERSIONS - 1)]:
        path.unlink(missing_ok=True)

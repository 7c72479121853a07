"""Roles of repositories that a process's tests have verified before: hundreds open a repository, and again."""

from collections.abc import Callable, Hashable
from typing import Any

from tuf.api.metadata import Metadata, Root, Snapshot, Targets

from seed_server.signing.metadata import MetadataReader

MOST_KNOWN = 4_000
ReadRole = Callable[[MetadataReader, Snapshot, str, Root | Targets], Metadata[Targets]]


def remembering(read_role: ReadRole) -> ReadRole:
    """Return what reads and verifies a role, but the same bytes by the same keys once: no more can come of it."""
    known: dict[Hashable, Metadata[Targets]] = {}

    def read(reader: Any, snapshot: Snapshot, name: str, delegator: Root | Targets) -> Metadata[Targets]:
        meta = snapshot.meta.get(f"{name}.json")
        path = reader._home.tuf_metadata / f"{meta.version if meta else 0}.{name}.json"
        try:
            wanted = delegator.get_delegated_role(name)
            keys = tuple(sorted((keyid, str(delegator.get_key(keyid).to_dict())) for keyid in wanted.keyids))
            asked = (name, path.read_bytes(), wanted.threshold, keys)
        except (OSError, ValueError):
            return read_role(reader, snapshot, name, delegator)
        if asked not in known:
            role = read_role(reader, snapshot, name, delegator)
            if len(known) >= MOST_KNOWN:
                known.clear()
            known[asked] = role
        return known[asked]

    return read

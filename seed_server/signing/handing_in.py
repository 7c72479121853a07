"""What the origin part does with signed files of PCs: it judges them, and keeps those that are newer. Blocking.

It needs no key for that: whoever adopts them judges them again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tuf.api.metadata import TargetFile

from p2pdist.shared.clock import Clock
from p2pdist.shared.wire.signed_files import versions_digest
from seed_server.settings.home import ServerHome
from seed_server.signing import adoption
from seed_server.signing.metadata import MetadataReader
from seed_server.signing.presented import PresentedFiles


@dataclass(frozen=True)
class OwnVersions:
    """The versions of signed metadata that this server has."""

    root: int
    snapshot: int
    timestamp: int
    roles: Mapping[str, int]
    """Of all targets roles."""

    @cached_property
    def digest(self) -> bytes:
        """What stands for all of these, as PCs tell it."""
        return versions_digest(self.root, self.roles)

    def newer(self, root: int, roles: Mapping[str, int]) -> bool:
        """Whether a PC that trusts these has seen what this server does not have."""
        return root > self.root or any(version > self.roles.get(role, version) for role, version in roles.items())

    def newer_roles(self, roles: Mapping[str, int]) -> dict[str, int]:
        """Return those of ``roles`` that are newer than here, or that are not here at all; no others than are known."""
        known = {role: version for role, version in roles.items() if role in adoption.ADOPTED_ROLES}
        return {role: version for role, version in known.items() if version > self.roles.get(role, 0)}


@dataclass(frozen=True)
class LackingDocument:
    """A document that newer roles list and that is not here yet."""

    place: str
    """Below ``/tuf/``."""
    entry: TargetFile
    required: bool
    """Whether the roles wait for it."""


class HandedIn:
    """The files that PCs have handed in, of one home. Its methods raise `UserError`, `OSError`."""

    def __init__(self, home: ServerHome, clock: Clock) -> None:
        self._home = home
        self._clock = clock
        self._reader = MetadataReader(home)
        self._presented = PresentedFiles(home)

    def own(self) -> OwnVersions:
        """Return which versions this server has."""
        current = self._reader.current()
        root = current.root.signed.version
        roles = {role: metadata.signed.version for role, metadata in current.targets.items()}
        snapshot, timestamp = current.snapshot.signed.version, current.timestamp.signed.version
        return OwnVersions(root, snapshot, timestamp, roles)

    def take(self, roots: Sequence[bytes], roles: Mapping[str, bytes]) -> list[LackingDocument]:
        """Keep what is newer of this, and return which of its documents are lacking. Raises `NotAdoptableError`."""
        current = self._reader.load()
        newer = adoption.judge(current, roots, roles, self._clock.now())
        first = current.root.signed.version + 1
        for number, data in enumerate(newer.roots):
            self._presented.keep(f"metadata/{first + number}.root.json", data)
        for role in newer.roles:
            version = newer.current.targets[role].signed.version
            self._presented.keep(f"metadata/{version}.{role}.json", roles[role])
        for role, version in newer.above.items():
            self._presented.keep(f"metadata/{version}.{role}.json", roles[role])
        lacking = adoption.Documents(self._home, current).lacking(newer)
        return [
            LackingDocument(f"targets/{adoption.place(entry)}", entry, adoption.is_required(path))
            for path, entry in sorted(lacking.items(), key=lambda item: not adoption.is_required(item[0]))
        ]

    def take_document(self, document: LackingDocument, data: bytes) -> bool:
        """Keep a document, if it is what was signed; return whether it is."""
        if not adoption.proves(document.entry, data):
            return False
        self._presented.keep(document.place, data)
        return True

    def clear(self) -> None:
        """Forget what was handed in."""
        self._presented.clear()

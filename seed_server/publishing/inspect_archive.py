"""Look into an archive: all its members, as PCs would unpack them. Blocking.

The reader is the PCs' own (`archive_members`), so what it refuses here would be refused there. Nothing is written.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import BinaryIO

from p2pdist.shared.archive_members import (
    MAX_FOLLOWED_LINKS,
    MAX_MEMBERS,
    MAX_SYMLINKS,
    MAX_UNPACKED_BYTES,
    ArchiveError,
    Member,
    NoZstdError,
    members_of,
    read,
)
from seed_server.publishing.contents import ArchiveContents, ArchivedFile, InspectionError
from seed_server.publishing.inspect_file import inspecting, length_of

MEMBER_CHUNK_BYTES = 1 << 20
MAX_DOUBTS = 3


def inspect_archive(
    file: BinaryIO, *, strip_components: int = 0, hashed: Collection[str] = ()
) -> ArchiveContents | None:
    """Return the archive's tree, with the SHA-256 of files whose stripped path is in ``hashed``.

    None: it can only be read by a later Python than this one. Raises `InspectionError`, nothing else.
    """
    with inspecting("archive"):
        length_of(file)
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        tree = _Tree(strip_components, frozenset(hashed))
        try:
            for member in members_of(file, 0, MAX_MEMBERS):
                tree.add(member)
        except NoZstdError:
            return None
        tree.check_links()
        if not tree.files and not tree.links:
            raise InspectionError("nothing is in the archive")
        return ArchiveContents(is_zip, tree.files, tree.links, tuple(tree.doubts[:MAX_DOUBTS]))


@dataclass
class _Tree:
    """What has been read so far."""

    strip_components: int
    hashed: frozenset[str]
    files: dict[str, ArchivedFile] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    doubts: list[str] = field(default_factory=list)
    left_bytes: int = MAX_UNPACKED_BYTES

    def add(self, member: Member) -> None:
        """Take the next member. Raises `ArchiveError` where a PC would."""
        path = "/".join(member.parts)
        self.left_bytes -= member.size_bytes
        if self.left_bytes < 0:
            raise ArchiveError(f"unpacked it has more than {MAX_UNPACKED_BYTES >> 30} GiB")
        if not path.isprintable() and len(self.doubts) < MAX_DOUBTS:
            self.doubts.append(f"the member {path[:80]!r} has a name that is not UTF-8, or cannot be shown")
        self._make_directories(member.parts if member.kind == "directory" else member.parts[:-1], path)
        if member.kind == "directory":
            return
        if path in self.files or path in self.links or path in self.directories:
            raise ArchiveError(f"the archive has two members of the name {path[:80]!r}")
        if member.kind == "symlink":
            self._add_link(path, member.target)
        elif member.kind == "hardlink":
            source = "/".join(member.target_parts)
            if source not in self.files:
                raise ArchiveError(f"the hard link {path[:80]!r} does not lead to a file before it")
            self.files[path] = self.files[source]
        else:
            self.files[path] = ArchivedFile(member.executable, self._hash(path, member))

    def _make_directories(self, parts: tuple[str, ...], path: str) -> None:
        for count in range(len(parts), 0, -1):
            name = "/".join(parts[:count])
            if name in self.directories:
                return
            if name in self.files or name in self.links:
                raise ArchiveError(f"the archive has two members of the name {path[:80]!r}")
            self.directories.add(name)

    def _add_link(self, path: str, target: str) -> None:
        if len(self.links) >= MAX_SYMLINKS:
            raise ArchiveError(f"the archive has more than {MAX_SYMLINKS} symbolic links")
        if not target or "\0" in target or target[0] in "/\\" or target[1:2] == ":":
            raise ArchiveError(f"the link {path[:80]!r} is absolute or empty")
        self.links[path] = target

    def _hash(self, path: str, member: Member) -> str | None:
        if "/".join(member.parts[self.strip_components :]) not in self.hashed:
            return None
        digest, left = hashlib.sha256(), member.size_bytes
        while data := read(member, MEMBER_CHUNK_BYTES):
            left -= len(data)
            if left < 0:
                raise ArchiveError(f"the member {path[:80]!r} is longer than it says")
            digest.update(data)
        return digest.hexdigest()

    def check_links(self) -> None:
        """Raise `ArchiveError` where a link leads out of the archive, directly or through others."""
        for path in self.links:
            if self._leads_out(path):
                raise ArchiveError(f"the link {path[:80]!r} leads out of the archive")

    def _leads_out(self, path: str) -> bool:
        here: list[str] = []
        rest = path.split("/")[::-1]
        followed = 0
        while rest:
            part = rest.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                if len(here) <= self.strip_components:
                    return True
                here.pop()
                continue
            target = self.links.get("/".join((*here, part)))
            if target is None:
                here.append(part)
                continue
            followed += 1
            if followed > MAX_FOLLOWED_LINKS:
                return False
            rest += target.split("/")[::-1]
        return False

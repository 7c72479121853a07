"""Unpack an archive into a new directory of our own, and make what is in it durable. Blocking.

Until it is complete nobody else can write there, and links come last: no member is ever written through one.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeAlias

from p2pdist.install.limits import InstallLimits
from p2pdist.shared.archive_members import MAX_FOLLOWED_LINKS, MAX_NAME_CHARS, ArchiveError, Member, members_of, read
from p2pdist.shared.folder import Folder

CHUNK_BYTES = 1 << 20
_FOR_ALL = 0o755  # applications are for all users, whatever the umask and the archive say

Cancelled: TypeAlias = Callable[[], None]
"""Raises when the work shall stop."""


class DiskFullError(ArchiveError):
    """The disk has too little room for the unpacked tree."""


def unpack(
    archive: BinaryIO, tree: Folder, strip_components: int, limits: InstallLimits, check_cancelled: Cancelled
) -> None:
    """Write all members into the empty ``tree``. Raises `ArchiveError`, `OSError`."""
    links: list[Member] = []
    left_bytes = limits.max_unpacked_bytes
    for member in members_of(archive, strip_components, limits.max_members):
        check_cancelled()
        if member.kind == "symlink":
            links.append(member)
            if len(links) > limits.max_links:
                raise ArchiveError(f"the archive has more than {limits.max_links} symbolic links")
            continue
        left_bytes -= member.size_bytes
        if left_bytes < 0:
            raise ArchiveError(f"unpacked it has more than {limits.max_unpacked_bytes >> 30} GiB")
        with _two_of_a_name():
            _make_directories(tree, member.parts if member.kind == "directory" else member.parts[:-1])
            if member.kind == "hardlink":
                _link_hard(tree, member)
            elif member.kind == "file":
                _write(tree, member, limits, check_cancelled)
    _link(tree, links)
    if not tree.names():
        raise ArchiveError("nothing is in the archive, or strip_components leaves nothing of it")


def flush(tree: Folder, check_cancelled: Cancelled) -> None:
    """Make all of ``tree`` durable, and its directories readable for all users. Raises `OSError`."""
    for folder, files in tree.tree():
        folder.set_mode(_FOR_ALL)
        for name in files:
            check_cancelled()
            descriptor = folder.open_file(name, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        folder.fsync()


@contextlib.contextmanager
def _two_of_a_name() -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise ArchiveError(f"the archive has two members of the name {Path(error.filename).name[:80]!r}") from error


def _make_directories(tree: Folder, parts: tuple[str, ...]) -> None:
    for count in range(1, len(parts) + 1):
        name = "/".join(parts[:count])
        if not tree.has_directory(name):
            tree.make(name, _FOR_ALL).close()


def _write(tree: Folder, member: Member, limits: InstallLimits, check_cancelled: Cancelled) -> None:
    if tree.free_bytes() - member.size_bytes < limits.free_margin_bytes:
        raise DiskFullError(f"the disk has too little room for {_shown(member)}")
    with tree.create("/".join(member.parts)) as file:
        written = 0
        while data := read(member, CHUNK_BYTES):
            check_cancelled()
            written += len(data)
            if written > member.size_bytes:
                raise ArchiveError(f"the member {_shown(member)} is longer than it says")
            file.write(data)
        if written < member.size_bytes:
            raise ArchiveError(f"the archive ends within {_shown(member)}")
        file.flush()
        _finish(file.fileno(), member)


def _finish(descriptor: int, member: Member) -> None:
    """Set mode and time of the open file: setuid bits, owners and write permission for others are ignored."""
    if os.name != "nt":
        os.fchmod(descriptor, 0o755 if member.executable else 0o644)
    if os.utime in os.supports_fd and member.mtime is not None and 0 <= member.mtime < 1 << 33:
        os.utime(descriptor, (member.mtime, member.mtime))  # compiled Python files record the mtime of their source


def _link_hard(tree: Folder, member: Member) -> None:
    source = "/".join(member.target_parts)
    if not source or not tree.has(source) or not stat.S_ISREG(tree.status(source).st_mode):
        raise ArchiveError(f"the hard link {_shown(member)} does not lead to a file before it")
    tree.link_hard(source, "/".join(member.parts))


def _link(tree: Folder, links: list[Member]) -> None:
    """Make all symbolic links, then check that none leads out of the tree, directly or through others."""
    with _two_of_a_name():
        for member in links:  # all directories before the first link: none is ever made through a link
            _make_directories(tree, member.parts[:-1])
    for member in links:
        target = member.target
        if not target or len(target) > MAX_NAME_CHARS or "\0" in target or _is_absolute(target):
            raise ArchiveError(f"the link {_shown(member)} is absolute, empty or too long")
        with _two_of_a_name():
            tree.link(target, "/".join(member.parts))
    for member in links:
        if _leads_out(tree, member.parts):
            raise ArchiveError(f"the link {_shown(member)} leads out of the archive")


def _is_absolute(target: str) -> bool:
    return Path(target).is_absolute() or target[0] in "/\\"


def _leads_out(tree: Folder, parts: tuple[str, ...]) -> bool:
    """Follow a path as the system does, and return whether it leaves the tree on its way."""
    here: list[str] = []
    rest = list(reversed(parts))
    followed = 0
    while rest:
        part = rest.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            if not here:
                return True
            here.pop()
            continue
        target = tree.read_link("/".join((*here, part)))
        if target is None:
            here.append(part)
            continue
        followed += 1
        if followed > MAX_FOLLOWED_LINKS:
            return False
        rest += reversed(target.replace("\\", "/").split("/") if os.name == "nt" else target.split("/"))
    return False


def _shown(member: Member) -> str:
    return repr("/".join(member.parts)[:80])

"""Install archives: versions are unpacked side by side, and a link leads to the current one.

    /opt/acme/current -> versions/2.1
    /opt/acme/versions/2.0, 2.1        complete trees: each gets this name when all of it is on the disk
    /opt/acme/versions/.payload-2.1    SHA-256 of the archive that 2.1 came from
    /opt/acme/versions/.unpacking-…    the tree of a run under way, or of one that was interrupted
    /opt/acme/versions/.back-2.1       the old tree of 2.1, while a new one takes its place

All of it blocks; `installer` calls it in a thread. Every function may be called again after it was interrupted
anywhere.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from p2pdist.install.archive_members import MAX_NAME_CHARS, ArchiveError, Member, members_of, read
from p2pdist.install.limits import DEFAULT_LIMITS, InstallLimits
from p2pdist.shared import durable_files
from p2pdist.shared.identifiers import InvalidIdentifierError, parse_patch_version

CHUNK_BYTES = 1 << 20
_BACK = ".back-"

Cancelled = Callable[[], None]
"""Raises when the work shall stop."""


class DiskFullError(ArchiveError):
    """The disk has too little room for the unpacked tree."""


def install(
    archive: BinaryIO,
    directory: Path,
    version: str,
    sha256: str,
    *,
    strip_components: int = 0,
    keep_versions: int = 2,
    check_cancelled: Cancelled = lambda: None,
    limits: InstallLimits = DEFAULT_LIMITS,
) -> None:
    """Unpack ``archive`` and make it the current version.

    If a tree of this version from the same archive exists, it is used as it is. The current version is the exception:
    it is unpacked anew, because it is installed again only when something of it is missing. Raises `ArchiveError` or
    `OSError`; nothing is then left behind, and the link is as it was.
    """
    parse_patch_version(version)
    versions = directory / "versions"
    for place in (directory, versions):
        if not place.exists():
            durable_files.make_directory(place)
            place.chmod(0o755)  # independent of the umask
    clear_leftovers(directory)
    previous = current_version(directory)
    marker = versions / f".payload-{version}"
    if not (previous != version and _is_tree(versions / version) and _text(marker) == sha256):
        temporary = versions / f".unpacking-{secrets.token_hex(6)}"
        try:
            _unpack(archive, temporary, strip_components, limits, check_cancelled)
            _flush(temporary, check_cancelled)
            marker.unlink(missing_ok=True)  # a tree without a marker never counts as complete
            if os.path.lexists(versions / version):
                (versions / version).rename(versions / f"{_BACK}{version}")
            temporary.rename(versions / version)
            durable_files.write_file(marker, sha256.encode())
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            _bring_back(versions)
            raise
    _switch(directory, version)
    _prune(versions, {version, previous}, keep_versions)
    clear_leftovers(directory)


def current_version(directory: Path) -> str:
    """Return the version that the link leads to; "" without one. Raises `ArchiveError` for a link that is not ours."""
    link = directory / "current"
    if not os.path.lexists(link):
        return ""
    parent, _, version = (str(link.readlink()) if link.is_symlink() else "").replace("\\", "/").rpartition("/")
    try:
        if parent == "versions":
            return parse_patch_version(version) if _is_tree(directory / "versions" / version) else ""
    except InvalidIdentifierError:
        pass
    raise ArchiveError(f"{link} is not a link that an installation made; move it away first")


def roll_back(directory: Path, version: str, previous_version: str) -> None:
    """Switch the link back to ``previous_version``, or remove it when that is "", and remove ``version``.

    When both are the same, the version was installed again, and stays. Raises `ArchiveError` when the previous
    version no longer exists, or when the link now leads to a third one; else `OSError`.
    """
    versions = directory / "versions"
    if not directory.is_dir():
        return
    _bring_back(versions)
    current = current_version(directory)  # a foreign link is left alone
    if current not in {"", version, previous_version}:
        raise ArchiveError(f"{current} is current by now: something else upgraded it; it stays")
    if previous_version:
        try:
            parse_patch_version(previous_version)
        except InvalidIdentifierError as error:
            raise ArchiveError(f"what was there before, {previous_version[:80]!r}, is no version") from error
        if not _is_tree(versions / previous_version):
            raise ArchiveError(f"version {previous_version} is no longer in {versions}")
        _switch(directory, previous_version)
    else:
        (directory / "current").unlink(missing_ok=True)
        durable_files.fsync_directory(directory)
    if previous_version != version:
        (versions / f".payload-{parse_patch_version(version)}").unlink(missing_ok=True)
        _set_aside(versions / version)
    clear_leftovers(directory)


def clear_leftovers(directory: Path) -> None:
    """Remove what an interrupted run has left. Raises `OSError` when the directories cannot be read."""
    _bring_back(directory / "versions")
    for place, prefixes in (
        (directory, (".current-",)),
        (directory / "versions", (".unpacking-", ".old-", "..payload-", _BACK)),
    ):
        for path in list(place.iterdir()) if place.is_dir() else ():
            if path.name.startswith(prefixes):
                _remove(path)


# --- unpacking -----------------------------------------------------------------------------------


def _unpack(
    archive: BinaryIO, tree: Path, strip_components: int, limits: InstallLimits, check_cancelled: Cancelled
) -> None:
    """Make a new directory ``tree`` with all members.

    Symbolic links come last, so that no member is ever written through one.
    """
    tree.mkdir(0o755)
    links: list[Member] = []
    left_bytes = limits.max_unpacked_bytes
    for member in members_of(archive, strip_components, limits.max_members):
        check_cancelled()
        path = tree.joinpath(*member.parts)
        if member.kind == "symlink":
            links.append(member)
            if len(links) > limits.max_links:
                raise ArchiveError(f"the archive has more than {limits.max_links} symbolic links")
            continue
        left_bytes -= member.size_bytes
        if left_bytes < 0:
            raise ArchiveError(f"unpacked it has more than {limits.max_unpacked_bytes >> 30} GiB")
        with _two_of_a_name():
            directory = path if member.kind == "directory" else path.parent
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            if member.kind == "hardlink":
                _link_hard(tree, path, member)
            elif member.kind == "file":
                _write(path, member, limits, check_cancelled)
    _link(tree, links)
    if not any(tree.iterdir()):
        raise ArchiveError("nothing is in the archive, or strip_components leaves nothing of it")


@contextlib.contextmanager
def _two_of_a_name() -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise ArchiveError(f"the archive has two members of the name {Path(error.filename).name[:80]!r}") from error


def _write(path: Path, member: Member, limits: InstallLimits, check_cancelled: Cancelled) -> None:
    if shutil.disk_usage(path.parent).free - member.size_bytes < limits.free_margin_bytes:
        raise DiskFullError(f"the disk has too little room for {'/'.join(member.parts)[:80]!r}")
    # setuid bits, owners and write permission for others in the archive are ignored
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o644)
    with open(descriptor, "wb") as file:
        written = 0
        while data := read(member, CHUNK_BYTES):
            check_cancelled()
            written += len(data)
            if written > member.size_bytes:
                raise ArchiveError(f"the member {'/'.join(member.parts)[:80]!r} is longer than it says")
            file.write(data)
        if written < member.size_bytes:
            raise ArchiveError(f"the archive ends within {'/'.join(member.parts)[:80]!r}")
    path.chmod(0o755 if member.executable else 0o644)  # independent of the umask
    if member.mtime is not None and 0 <= member.mtime < 1 << 33:
        os.utime(path, (member.mtime, member.mtime))  # compiled Python files record the mtime of their source


def _link_hard(tree: Path, path: Path, member: Member) -> None:
    target = tree.joinpath(*member.target_parts)
    if not member.target_parts or target.is_symlink() or not target.is_file():
        raise ArchiveError(f"the hard link {'/'.join(member.parts)[:80]!r} does not lead to a file before it")
    os.link(target, path)


def _link(tree: Path, links: list[Member]) -> None:
    """Make all symbolic links, then check that none leads out of the tree, directly or through others."""
    paths = [tree.joinpath(*member.parts) for member in links]
    with _two_of_a_name():
        for path in paths:  # all directories before the first link: none is ever made through a link
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    for member, path in zip(links, paths, strict=True):
        name = "/".join(member.parts)[:80]
        target = member.target
        if (
            not target
            or len(target) > MAX_NAME_CHARS
            or "\0" in target
            or Path(target).is_absolute()
            or target[0] in "/\\"
        ):
            raise ArchiveError(f"the link {name!r} is absolute, empty or too long")
        with _two_of_a_name():
            path.symlink_to(target)
    whole = os.path.realpath(tree)
    for path in paths:
        try:
            inside = os.path.commonpath((whole, os.path.realpath(path))) == whole
        except RecursionError:
            inside = False
        if not inside:
            raise ArchiveError(f"the link {str(path.relative_to(tree))[:80]!r} leads out of the archive")


def _flush(tree: Path, check_cancelled: Cancelled) -> None:
    for name, _, files in os.walk(tree):
        place = Path(name)
        place.chmod(0o755)  # applications are for all users, independent of the umask
        for path in (place / file for file in files):
            if not path.is_symlink():
                check_cancelled()
                descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        durable_files.fsync_directory(place)


# --- versions --------------------------------------------------------------------------------------


def _switch(directory: Path, version: str) -> None:
    durable_files.fsync_directory(directory / "versions")
    link = directory / f".current-{secrets.token_hex(6)}"
    link.symlink_to(f"versions/{version}", target_is_directory=True)
    if os.name == "nt":
        (directory / "current").unlink(missing_ok=True)  # Windows cannot replace a link to a directory
    try:
        os.replace(link, directory / "current")
    except OSError:
        link.unlink(missing_ok=True)
        raise
    durable_files.fsync_directory(directory)


def _prune(versions: Path, wanted: set[str], keep_versions: int) -> None:
    """Remove old versions. Those in ``wanted`` stay, and the newest others, up to ``keep_versions`` previous ones."""
    others = [path for path in versions.iterdir() if not path.name.startswith(".") and path.name not in wanted]
    others.sort(key=lambda path: path.lstat().st_ctime_ns, reverse=True)
    previous = len([name for name in wanted if name]) - 1
    for path in others[max(0, keep_versions - previous) :]:
        (versions / f".payload-{path.name}").unlink(missing_ok=True)
        _set_aside(path)


def _set_aside(path: Path) -> None:
    """Rename a version's tree away at once, then remove it. An interruption may leave it under its new name."""
    with contextlib.suppress(FileNotFoundError):
        aside = path.with_name(f".old-{secrets.token_hex(6)}")
        path.rename(aside)
        _remove(aside)


def _bring_back(versions: Path) -> None:
    """Rename old trees back whose replacement was interrupted before the new tree had the name."""
    for path in list(versions.glob(f"{_BACK}*")):
        if not os.path.lexists(versions / path.name.removeprefix(_BACK)):
            path.rename(versions / path.name.removeprefix(_BACK))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)  # files in use on Windows are removed the next time
    else:
        path.unlink(missing_ok=True)


def _is_tree(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""

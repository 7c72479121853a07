"""Install archives: versions are unpacked side by side, and a link leads to the current one.

    /opt/acme/current -> versions/2.1
    /opt/acme/versions/2.0, 2.1        complete trees: each gets this name when all of it is on the disk
    /opt/acme/versions/.payload-2.1    SHA-256 of the archive that 2.1 came from
    /opt/acme/versions/.unpacking-…    the tree of a run under way, or of one that was interrupted
    /opt/acme/versions/.back-2.1       the old tree of 2.1, while a new one takes its place

All of it blocks; `installer` calls it in a thread. Every function may be called again after it was interrupted
anywhere. All names are relative to an open directory, which nobody else can change (`trusted_paths`): so nothing
takes the place of what is written meanwhile, and no link is followed but those that an installation made.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from typing import BinaryIO

from p2pdist.install.limits import DEFAULT_LIMITS, InstallLimits
from p2pdist.install.unpacking import Cancelled, flush, unpack
from p2pdist.shared.archive_members import ArchiveError
from p2pdist.shared.folder import Folder
from p2pdist.shared.identifiers import InvalidIdentifierError, parse_patch_version
from p2pdist.shared.ownership import distrust
from p2pdist.shared.trusted_paths import UntrustedPathError

_VERSIONS = "versions"
_CURRENT = "current"
_MARKER = ".payload-"  # before a version's name
_BACK = ".back-"
_LEFTOVERS = (".unpacking-", ".old-", "..payload-", _BACK)
_FOR_ALL = 0o755  # an application is for all users, independent of the umask
_DIGEST_CHARS = 64


def install(
    archive: BinaryIO,
    directory: Folder,
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
    it is unpacked anew, because it is installed again only when something of it is missing. Raises `ArchiveError`,
    `UntrustedPathError` or `OSError`; nothing is then left behind, and the link is as it was.
    """
    parse_patch_version(version)
    with _versions(directory, create=True) as versions:
        _clear_leftovers(directory, versions)
        previous = _current_version(directory, versions)
        if previous == version or not _is_from(versions, version, sha256):
            temporary = f".unpacking-{secrets.token_hex(6)}"
            try:
                with versions.make(temporary, _FOR_ALL) as tree:
                    unpack(archive, tree, strip_components, limits, check_cancelled)
                    flush(tree, check_cancelled)
                versions.unlink(f"{_MARKER}{version}")  # a tree without a marker never counts as complete
                if versions.has(version):
                    versions.rename(version, f"{_BACK}{version}")
                versions.rename(temporary, version)
                versions.write_durably(f"{_MARKER}{version}", sha256.encode(), mode=0o644)
            except BaseException:
                versions.remove(temporary)
                _bring_back(versions)
                raise
        _switch(directory, versions, version)
        _prune(versions, {version, previous}, keep_versions)
        _clear_leftovers(directory, versions)


def current_version(directory: Folder) -> str:
    """Return the version that the link leads to; "" without one.

    Raises `ArchiveError` for a link that is not ours, `UntrustedPathError`, `OSError`.
    """
    if not directory.has(_VERSIONS):
        return _current_version(directory, None)
    with _versions(directory) as versions:
        return _current_version(directory, versions)


def roll_back(directory: Folder, version: str, previous_version: str) -> None:
    """Switch the link back to ``previous_version``, or remove it when that is "", and remove ``version``.

    When both are the same, the version was installed again, and stays. Raises `ArchiveError` when the previous
    version no longer exists, or when the link now leads to a third one; else `UntrustedPathError`, `OSError`.
    """
    with _versions(directory, create=True) as versions:
        _bring_back(versions)
        current = _current_version(directory, versions)  # a foreign link is left alone
        if current not in {"", version, previous_version}:
            raise ArchiveError(f"{current} is current by now: something else upgraded it; it stays")
        if previous_version:
            _switch_back(directory, versions, previous_version)
        else:
            directory.unlink(_CURRENT)
            directory.fsync()
        if previous_version != version:
            versions.unlink(f"{_MARKER}{parse_patch_version(version)}")
            _set_aside(versions, version)
        _clear_leftovers(directory, versions)


def clear_leftovers(directory: Folder) -> None:
    """Remove what an interrupted run has left. Raises `UntrustedPathError`, `OSError`."""
    if directory.has(_VERSIONS):
        with _versions(directory) as versions:
            _clear_leftovers(directory, versions)


# --- versions --------------------------------------------------------------------------------------


@contextlib.contextmanager
def _versions(directory: Folder, *, create: bool = False) -> Iterator[Folder]:
    """Open the directory of all versions, which is never a link, and which nobody else may change."""
    if create and not directory.has(_VERSIONS):
        directory.make(_VERSIONS, _FOR_ALL).close()
        directory.fsync()
    if not directory.has_directory(_VERSIONS):
        raise ArchiveError(f"{directory.path / _VERSIONS} is not what an installation made; move it away first")
    with directory.child(_VERSIONS) as versions:
        _require(versions, ".")
        yield versions


def _require(folder: Folder, name: str) -> None:
    problem = distrust(folder.path / name, folder.status(name))
    if problem is not None:
        raise UntrustedPathError(problem)


def _current_version(directory: Folder, versions: Folder | None) -> str:
    if not directory.has(_CURRENT):
        return ""
    parent, _, version = (directory.read_link(_CURRENT) or "").replace("\\", "/").rpartition("/")
    try:
        if parent == _VERSIONS:
            parse_patch_version(version)
            return version if versions is not None and versions.has_directory(version) else ""
    except InvalidIdentifierError:
        pass
    raise ArchiveError(f"{directory.path / _CURRENT} is not a link that an installation made; move it away first")


def _is_from(versions: Folder, version: str, sha256: str) -> bool:
    """Return whether the tree of ``version`` is one that we unpacked from the archive with this hash."""
    marker = f"{_MARKER}{version}"
    ours = versions.has_directory(version) and all(
        versions.has(name) and distrust(versions.path / name, versions.status(name)) is None
        for name in (version, marker)
    )
    return ours and _text(versions, marker) == sha256


def _text(versions: Folder, name: str) -> str:
    try:
        with open(versions.open_file(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            return file.read(_DIGEST_CHARS + 1).decode()
    except (OSError, ValueError):
        return ""


def _switch(directory: Folder, versions: Folder, version: str) -> None:
    versions.fsync()
    link = f".current-{secrets.token_hex(6)}"
    directory.link(f"{_VERSIONS}/{version}", link, to_directory=True)
    if os.name == "nt":
        directory.unlink(_CURRENT)  # Windows cannot replace a link to a directory
    try:
        directory.rename(link, _CURRENT)
    except OSError:
        directory.unlink(link)
        raise
    directory.fsync()


def _switch_back(directory: Folder, versions: Folder, previous_version: str) -> None:
    try:
        parse_patch_version(previous_version)
    except InvalidIdentifierError as error:
        raise ArchiveError(f"what was there before, {previous_version[:80]!r}, is no version") from error
    if not versions.has_directory(previous_version):
        raise ArchiveError(f"version {previous_version} is no longer in {versions.path}")
    _require(versions, previous_version)
    _switch(directory, versions, previous_version)


def _prune(versions: Folder, wanted: set[str], keep_versions: int) -> None:
    """Remove old versions. Those in ``wanted`` stay, and the newest others, up to ``keep_versions`` previous ones."""
    others = [name for name in versions.names() if not name.startswith(".") and name not in wanted]
    others.sort(key=lambda name: versions.status(name).st_ctime_ns, reverse=True)
    previous = len([name for name in wanted if name]) - 1
    for name in others[max(0, keep_versions - previous) :]:
        versions.unlink(f"{_MARKER}{name}")
        _set_aside(versions, name)


def _set_aside(versions: Folder, name: str) -> None:
    """Rename a version's tree away at once, then remove it. An interruption may leave it under its new name."""
    with contextlib.suppress(FileNotFoundError):
        aside = f".old-{secrets.token_hex(6)}"
        versions.rename(name, aside)
        versions.remove(aside)


def _bring_back(versions: Folder) -> None:
    """Rename old trees back whose replacement was interrupted before the new tree had the name."""
    for name in versions.names():
        if name.startswith(_BACK) and not versions.has(name.removeprefix(_BACK)):
            versions.rename(name, name.removeprefix(_BACK))


def _clear_leftovers(directory: Folder, versions: Folder) -> None:
    _bring_back(versions)
    for folder, prefixes in ((directory, (".current-",)), (versions, _LEFTOVERS)):
        for name in folder.names():
            if name.startswith(prefixes):
                folder.remove(name)  # files in use on Windows are removed the next time

"""Read the members of a tar or zip archive, one by one. Each is checked before any of it is written. Blocking."""

import contextlib
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO, Literal, TypeAlias

MAX_NAME_CHARS = 1_000  # of a member's path: with the directory's own it stays far under PATH_MAX
MAX_HEADER_BYTES = 1 << 20  # of a tar member's extended header, which is read as a whole: long names, attributes

_EXTENDED = {
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
}  # fmt: skip

Kind: TypeAlias = Literal["file", "directory", "symlink", "hardlink"]


class ArchiveError(Exception):
    """The archive cannot be unpacked, or not safely. The message is for people."""


@dataclass(frozen=True)
class Member:
    """One file, directory or link to make. Read ``content`` before asking for the next member."""

    parts: tuple[str, ...]
    """The parts of its path in the new tree; leading directories have been stripped."""
    kind: Kind
    size_bytes: int = 0
    executable: bool = False
    mtime: float | None = None
    target: str = ""
    """The target of a symbolic link, unchanged. That of a hard link is in ``target_parts``."""
    target_parts: tuple[str, ...] = ()
    content: IO[bytes] | None = None


def members_of(file: BinaryIO, strip_components: int, max_members: int) -> Iterator[Member]:
    """Yield what the archive has, in its order. Raises `ArchiveError`; `OSError` when reading fails."""
    head = file.read(4)
    file.seek(0)
    with _readable():
        yield from (_zip if head in {b"PK\3\4", b"PK\5\6"} else _tar)(file, strip_components, max_members)


def read(member: Member, most_bytes: int) -> bytes:
    """Return the next bytes of a member's content; b"" at its end. Raises `ArchiveError`, `OSError`."""
    if member.content is None:
        return b""
    with _readable():
        return member.content.read(most_bytes)


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise ArchiveError(f"the archive cannot be read: {error}") from error
    except (zlib.error, lzma.LZMAError) as error:
        raise ArchiveError(f"the archive is damaged: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise ArchiveError(f"the archive is damaged: {error}") from error  # gzip and bz2 raise it without errno
    except Exception as error:
        if type(error).__name__ != "ZstdError":  # since Python 3.14
            raise
        raise ArchiveError(f"the archive is damaged: {error}") from error


def path_parts(name: str, strip_components: int) -> tuple[str, ...]:
    """Return a member's path in the new tree; () when all of it is stripped. Raises `ArchiveError`."""
    if name.startswith("/") or "\0" in name or len(name) > MAX_NAME_CHARS:
        raise ArchiveError(f"the member {name[:80]!r} has a path that is absolute, or of over {MAX_NAME_CHARS} signs")
    if os.name == "nt" and any(sign in name for sign in '\\:<>"|?*'):
        raise ArchiveError(f"the member {name[:80]!r} has a name that Windows does not allow")
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    if ".." in parts:
        raise ArchiveError(f"the member {name[:80]!r} leads out of the archive")
    try:
        if any(len(os.fsencode(part)) > 255 for part in parts):
            raise ArchiveError(f"the member {name[:80]!r} has a name of over 255 bytes")
    except UnicodeEncodeError:
        raise ArchiveError(f"the member {name[:80]!r} has a name that no file can have") from None
    return parts[strip_components:]


class _Header(tarfile.TarInfo):
    """Refuses extended headers that would fill the memory. tarfile documents this method for subclasses."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo | None:
        if self.type in _EXTENDED and self.size > MAX_HEADER_BYTES:
            raise ArchiveError(f"the archive has a header of over {MAX_HEADER_BYTES >> 20} MiB")
        found: tarfile.TarInfo | None = super()._proc_member(archive)  # type: ignore[misc]
        return found


def _tar(file: BinaryIO, strip_components: int, max_members: int) -> Iterator[Member]:
    try:
        archive = tarfile.open(fileobj=file, mode="r:*", tarinfo=_Header)  # noqa: SIM115 — closed below
    except tarfile.ReadError:
        file.seek(0)
        if file.read(4) == b"\x28\xb5\x2f\xfd":
            raise ArchiveError("this PC's Python cannot read zstd archives: publish it as .tar.xz or .zip") from None
        raise ArchiveError("it is neither a zip archive nor a tar archive that this PC's Python can read") from None
    with archive:
        count = 0
        while (info := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # else tarfile keeps all of them in memory
            count += 1
            if count > max_members:
                raise ArchiveError(f"the archive has more than {max_members} members")
            member = _tar_member(archive, info, strip_components)
            if member is not None:
                yield member


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo, strip_components: int) -> Member | None:
    parts = path_parts(info.name, strip_components)
    if not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
        raise ArchiveError(f"the member {info.name[:80]!r} is a device, pipe or of an unknown kind")
    if not parts:
        return None
    if info.isdir():
        return Member(parts, "directory")
    if info.issym():
        return Member(parts, "symlink", target=info.linkname)
    if info.islnk():
        return Member(parts, "hardlink", target_parts=path_parts(info.linkname, strip_components))
    return Member(
        parts,
        "file",
        size_bytes=info.size,
        executable=bool(info.mode & 0o100),
        mtime=float(info.mtime),
        content=archive.extractfile(info),
    )


def _zip(file: BinaryIO, strip_components: int, max_members: int) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        if len(infos) > max_members:
            raise ArchiveError(f"the archive has more than {max_members} members")
        for info in infos:
            parts = path_parts(info.filename, strip_components)
            # an archive made on another system has no Unix modes: its members are files and directories
            mode = info.external_attr >> 16 if info.create_system == 3 else 0
            form = stat.S_IFMT(mode)
            if form not in {0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
                raise ArchiveError(f"the member {info.filename[:80]!r} is a device, pipe or of an unknown kind")
            if not parts:
                continue
            if info.is_dir() or form == stat.S_IFDIR:
                yield Member(parts, "directory")
                continue
            if info.flag_bits & 1:
                raise ArchiveError(f"the member {info.filename[:80]!r} is encrypted")
            with archive.open(info) as content:
                if form == stat.S_IFLNK:
                    target = os.fsdecode(content.read(MAX_NAME_CHARS + 1))
                    yield Member(parts, "symlink", target=target)
                else:
                    yield Member(
                        parts, "file", size_bytes=info.file_size, executable=bool(mode & 0o100), content=content
                    )

"""Read the members of a tar or zip archive, one by one. Each is checked before any of it is written. Blocking.

A PC unpacks with it, and `seed-server` looks with it at what is published: so both refuse the same.
"""

import contextlib
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, Literal, TypeAlias

MAX_NAME_CHARS = 1_000  # of a member's path: with the directory's own it stays far under PATH_MAX
MAX_HEADER_BYTES = 1 << 20  # of a tar member's extended header, which is read as a whole: long names, attributes
MAX_GLOBAL_HEADERS = 100  # that hold for all members; tarfile copies them for each. git writes one

# what one application may bring; PCs unpack no more, and so no more is published
MAX_MEMBERS = 200_000  # a large application has some 50 000
MAX_SYMLINKS = 10_000  # symbolic ones; each is followed once to see where it leads
MAX_FOLLOWED_LINKS = 64  # more than any system follows: what lies behind them is never reached
MAX_UNPACKED_BYTES = 64 << 30  # the largest office suites and CAD systems have some 30 GiB

MAX_DECODER_BYTES = 96 << 20  # of memory: xz -9 needs 65 MiB to unpack, and a header may ask for 4 GiB

_XZ_MAGIC = b"\xfd7zXZ\0"
_COMPRESSIONS = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zst"}
# LZMA is not among them: its header asks for up to 4 GiB as well, and `zipfile` cannot be told to refuse that
_ZIP_UTF8 = 0x800  # a member's flag: its name is UTF-8
_ZIP_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}
_READ_BYTES = 64 << 10
_EXTENDED = {
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
}  # fmt: skip

Kind: TypeAlias = Literal["file", "directory", "symlink", "hardlink"]


class ArchiveError(Exception):
    """The archive cannot be unpacked, or not safely. The message is for people."""


class NoZstdError(ArchiveError):
    """It is a zstd archive, which only later versions of Python can read."""


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
    except (ArchiveError, MemoryError):
        raise
    except Exception as error:
        # the parsers stumble over what they do not expect (`IndexError`), and Python 3.14 has a `ZstdError`
        raise ArchiveError(f"the archive is damaged: {type(error).__name__}: {error}") from error


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
    """Refuses headers that would fill the memory. tarfile documents `_proc_member` for subclasses.

    The maps of sparse files are among them: tarfile reads one to its end, however long it is.
    """

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo | None:
        if self.type in _EXTENDED and self.size > MAX_HEADER_BYTES:
            raise ArchiveError(f"the archive has a header of over {MAX_HEADER_BYTES >> 20} MiB")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise _sparse()
        found: tarfile.TarInfo | None = super()._proc_member(archive)  # type: ignore[misc]
        if len(archive.pax_headers) > MAX_GLOBAL_HEADERS:
            raise ArchiveError(f"the archive has more than {MAX_GLOBAL_HEADERS} headers that hold for all members")
        return found

    def _proc_gnusparse_10(self, *_arguments: object) -> None:
        raise _sparse()


def _sparse() -> ArchiveError:
    return ArchiveError("the archive has a sparse file; make it without --sparse")


class _Xz:
    """The content of an xz file as a stream, unpacked with at most `MAX_DECODER_BYTES` of memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = self._new_decoder()

    def read(self, most_bytes: int) -> bytes:
        """Return the next bytes; b"" at the end. Raises `EOFError` and `lzma.LZMAError` where the file is damaged."""
        while True:
            if self._decoder.eof:  # another xz stream may follow; what is none is padding
                packed = self._decoder.unused_data.lstrip(b"\0") or self._file.read(_READ_BYTES).lstrip(b"\0")
                if not packed:
                    return b""
                self._decoder = self._new_decoder()
            else:
                packed = self._file.read(_READ_BYTES) if self._decoder.needs_input else b""
                if not packed and self._decoder.needs_input:
                    raise EOFError("it ends too early")
            if data := self._decoder.decompress(packed, most_bytes):
                return data

    @staticmethod
    def _new_decoder() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_DECODER_BYTES)


def _open_tar(file: BinaryIO) -> tarfile.TarFile:
    """Return the tar archive in ``file``. Not by tarfile's own guess: that sets no limit on memory."""
    opened: Any = tarfile.open  # its stubs know none of the calls below
    found: tarfile.TarFile
    head = file.read(len(_XZ_MAGIC))
    compression = next((name for magic, name in _COMPRESSIONS.items() if head.startswith(magic)), "")
    for mode in ("r:", f"r:{compression}"):
        file.seek(0)
        try:
            if head == _XZ_MAGIC:
                found = opened(fileobj=_Xz(file), mode="r|", tarinfo=_Header)
            else:
                found = opened(fileobj=file, mode=mode, tarinfo=_Header)
            return found
        except tarfile.ReadError:
            continue
        except tarfile.CompressionError:
            raise NoZstdError("this PC's Python cannot read zstd archives: publish it as .tar.xz or .zip") from None
    raise ArchiveError("it is neither a zip archive nor a tar archive that this PC's Python can read")


def _tar(file: BinaryIO, strip_components: int, max_members: int) -> Iterator[Member]:
    archive = _open_tar(file)
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
            if not info.flag_bits & _ZIP_UTF8 and not info.orig_filename.isascii():
                raise ArchiveError(_unknown_encoding(info.orig_filename))
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
            if info.compress_type not in _ZIP_METHODS:
                raise ArchiveError(f"the member {info.filename[:80]!r} is not stored, deflated or packed by bzip2")
            with archive.open(info) as content:
                if form == stat.S_IFLNK:
                    target = os.fsdecode(content.read(MAX_NAME_CHARS + 1))
                    yield Member(parts, "symlink", target=target)
                else:
                    yield Member(
                        parts, "file", size_bytes=info.file_size, executable=bool(mode & 0o100), content=content
                    )


def _unknown_encoding(name: str) -> str:
    """Return what is wrong with a name whose bytes `zipfile` has read as those of MS-DOS, as the format has it."""
    data = name.encode("cp437")
    for codec, encoding in (("utf-8", "UTF-8"), ("cp932", "CP932 (Japanese)")):
        with contextlib.suppress(UnicodeDecodeError):
            shown = data.decode(codec)
            return (
                f"the member {shown[:80]!r} has a name in {encoding}, and the archive does not say so: "
                "pack it anew, as .tar.gz, or by 7-Zip with -mcu=on"
            )
    return f"the member {name[:80]!r} has a name in an unknown encoding: pack it anew, as .tar.gz"

"""Look into a Debian package: an `ar` archive of three files, of which the second says what it is. Blocking.

The format has two fixed lines and one number, so it is read here: `python-debian` is under the GPL, `arpy` opens
whatever file a "thin" archive names, and `dpkg-deb` is on Debian alone. Tar archives are read as PCs read them.
"""

import io
import re
from typing import BinaryIO

from p2pdist.shared.archive_members import members_of, read
from p2pdist.shared.manifest.versions import Ecosystem, parse_version
from seed_server.publishing.contents import InspectionError, PackageContents
from seed_server.publishing.inspect_file import inspecting, length_of, read_exactly
from seed_server.publishing.unpacked_streams import packing_of, unpacked

MAX_CONTROL_TAR_BYTES = 64 << 20  # unpacked; with checksums and translations, the largest in Debian has some 15 MB
MAX_CONTROL_BYTES = 1 << 20  # of the one file in it that is read; the largest has some 20 kB
MAX_CONTROL_MEMBERS = 10_000
MAX_AR_MEMBERS = 10  # honest packages have three, or four with a signature

_MAGIC = b"!<arch>\n"
_HEADER_BYTES = 60
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_ARCH = re.compile(r"[a-z0-9][a-z0-9-]*")


def inspect_deb(file: BinaryIO) -> PackageContents:
    """Return what the package says of itself. Raises `InspectionError`, nothing else."""
    with inspecting("Debian package"):
        fields = _fields(_control(_control_tar(file)))
        return PackageContents(
            Ecosystem.DEB,
            _field(fields, "package", _NAME),
            parse_version(fields.get("version", ""), Ecosystem.DEB).text,
            _field(fields, "architecture", _ARCH),
        )


def _control_tar(file: BinaryIO) -> bytes:
    """Return the unpacked tar archive; all members are there, as far as their headers say."""
    length = length_of(file)
    if file.read(len(_MAGIC)) != _MAGIC:
        raise InspectionError("it is no Debian package")
    control: bytes | None = None
    names: list[str] = []
    while (place := file.tell()) < length and len(names) < MAX_AR_MEMBERS:
        header = read_exactly(file, _HEADER_BYTES)
        if not header.endswith(b"`\n"):
            raise InspectionError("it is no Debian package, or damaged")
        name, size = header[:16].decode("ascii").strip().rstrip("/"), int(header[48:58])
        if size < 0 or place + _HEADER_BYTES + size > length:
            raise InspectionError("it ends too early: was it copied or downloaded whole?")
        if not names and name != "debian-binary":
            raise InspectionError("it is no Debian package")
        if name.startswith("control.tar") and control is None:
            control = _unpacked(read_exactly(file, min(size, MAX_CONTROL_TAR_BYTES)))
        names.append(name)
        file.seek(place + _HEADER_BYTES + size + size % 2)
    if control is None or not any(name.startswith("data.tar") for name in names):
        raise InspectionError("it is no Debian package: it has no control.tar or no data.tar")
    return control


def _unpacked(data: bytes) -> bytes:
    packing = packing_of(data)
    plain = bytearray(b"" if packing else data)
    for part in unpacked(io.BytesIO(data).read, packing) if packing else ():
        plain += part
        if len(plain) > MAX_CONTROL_TAR_BYTES:
            break
    if len(plain) > MAX_CONTROL_TAR_BYTES:
        raise InspectionError("its control.tar is larger than that of any honest package")
    return bytes(plain)


def _control(tar: bytes) -> str:
    for member in members_of(io.BytesIO(tar), 0, MAX_CONTROL_MEMBERS):
        if member.parts == ("control",) and member.kind == "file":
            if member.size_bytes > MAX_CONTROL_BYTES:
                raise InspectionError("its control file is larger than that of any honest package")
            data = b""
            while more := read(member, MAX_CONTROL_BYTES):
                data += more
            return data.decode()
    raise InspectionError("it is no Debian package: it has no control file")


def _fields(control: str) -> dict[str, str]:
    """Return the one-line fields of the first paragraph, their names in lower case."""
    fields: dict[str, str] = {}
    for line in control.lstrip("\n").splitlines():
        if not line.strip():
            break
        if line[0] not in " \t#":
            name, _, value = line.partition(":")
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _field(fields: dict[str, str], name: str, form: re.Pattern[str]) -> str:
    value = fields.get(name, "")
    if len(value) > 100 or not form.fullmatch(value):
        raise InspectionError(f"its control file has no {name.title()} that dpkg would take")
    return value

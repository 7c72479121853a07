"""Which files are published unpacked when that is asked for, and why others are left alone. Blocking.

A packed file shares nothing with its former version that could be found; unpacked, only what changed crosses a line
(docs/smaller-updates.md). A PC installs the stored form as it would the other.
"""

from typing import BinaryIO

from seed_server.publishing.repack_deb import DEB_MAGIC, plan_deb
from seed_server.publishing.repack_gzip import GZIP_MAGIC, plan_gzip
from seed_server.publishing.repack_zip import ZIP_MAGIC, plan_zip
from seed_server.publishing.stored_form import LeftAlone, Repacking

_PLANS = ((DEB_MAGIC, plan_deb), (ZIP_MAGIC, plan_zip), (GZIP_MAGIC, plan_gzip))
_OTHER = (
    (b"MZ", "a program is not changed"),
    (b"\xd0\xcf\x11\xe0", "an installer's database is not changed, nor what is packed in it"),
    (b"MSCF", "an update of Windows is signed, and what is signed is not changed"),
    (b"\xed\xab\xee\xdb", "an RPM package names the hash of its packed bytes"),
    (b"\xfd7zXZ\0", "xz has no unpacked form that keeps the name: publish the .tar"),
    (b"\x28\xb5\x2f\xfd", "zstd has no unpacked form that keeps the name: publish the .tar"),
    (b"BZh", "bzip2 has no unpacked form: publish the .tar"),
)
_HEAD_BYTES = 8


def plan_repack(file: BinaryIO) -> Repacking:
    """Return the stored form of an open file, or why it has none. Raises `RepackError`, `OSError`."""
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    for magic, plan in _PLANS:
        if head.startswith(magic):
            return plan(file)
    for magic, reason in _OTHER:
        if head.startswith(magic):
            return LeftAlone(reason)
    return LeftAlone("it is no package or archive that could be unpacked")

"""What a file is as it is published with `--repack`: unpacked where that changes nothing on a PC. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

MAX_STORED_BYTES = 16 << 30
"""Of a file in its stored form: the largest suites have some 10 GB, and unpacking more takes minutes, twice."""


class RepackError(Exception):
    """The file is damaged, or a bomb. The message is for people; it completes "acme.deb: …"."""


@dataclass(frozen=True)
class StoredForm:
    """How a file is written with nothing in it packed: the same bytes on every machine."""

    length_bytes: int
    parts: Callable[[BinaryIO], Iterator[bytes]]
    """Yields all of it, in order, from the file. Raises `RepackError`."""


@dataclass(frozen=True)
class LeftAlone:
    """It is published as it is."""

    reason: str
    """For people; it completes "acme.exe is published as it is: …"."""


Repacking: TypeAlias = StoredForm | LeftAlone

NOTHING_PACKED = LeftAlone("nothing in it is packed")


def checked_length(length_bytes: int) -> int:
    """Return it. Raises `RepackError` for more than `MAX_STORED_BYTES`."""
    if length_bytes > MAX_STORED_BYTES:
        raise RepackError(f"unpacked it has more than {MAX_STORED_BYTES >> 30} GiB")
    return length_bytes

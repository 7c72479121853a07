"""The anchors of payloads in the content store, kept on the disk so that they are looked for once. Blocking."""

import contextlib
import struct
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.identifiers import Sha256Hex
from seed_server.deltas.anchors import MAX_ANCHORS, SEARCHED_BYTES, Anchors, anchors_of
from seed_server.deltas.beside import ANCHORS, beside_path, keep_beside
from seed_server.deltas.coded_cache import CHECK_BYTES, MIN_FREE_BYTES, checksum
from seed_server.store.content_store import ContentStore, DamagedPayloadError

_HEAD = struct.Struct("<8sQI")  # its mark, the payload's length, how many anchors
_MARK = b"anchors1"  # another way of choosing places, or of printing them, has another one
MAX_ANCHOR_FILE_BYTES = _HEAD.size + 16 * MAX_ANCHORS + CHECK_BYTES


class AnchorFiles:
    """The files ``coded/SHA256.anchors``."""

    def __init__(self, content: ContentStore, directory: Path, *, min_free_bytes: int = MIN_FREE_BYTES) -> None:
        self._content = content
        self._directory = directory
        self._min_free_bytes = min_free_bytes

    def anchors(self, sha256: Sha256Hex) -> Anchors:
        """Return the anchors of a payload; where none are kept, half a second of a processor for 100 MB finds them.

        What cannot be kept, on a full disk, is returned all the same. Raises `DamagedPayloadError`.
        """
        with contextlib.suppress(OSError, FileTooLargeError, ValueError):
            return _unpacked(read_capped(beside_path(self._directory, sha256, ANCHORS), MAX_ANCHOR_FILE_BYTES))
        with self._content.open_payload(sha256) as file:
            found = anchors_of(_blocks(file))
        keep_beside(self._directory, sha256, ANCHORS, _packed(found), min_free_bytes=self._min_free_bytes)
        return found


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    try:
        while block := file.read(SEARCHED_BYTES):
            yield block
    except OSError as error:
        raise DamagedPayloadError(f"cannot read {file.name}: {error.strerror}") from error


def _packed(found: Anchors) -> bytes:
    body = _HEAD.pack(_MARK, found.length_bytes, len(found.places)) + _little(found.places) + _little(found.prints)
    return body + checksum(body)


def _unpacked(data: bytes) -> Anchors:
    """Return what `_packed` made. Raises `ValueError` for anything else."""
    body, check = data[:-CHECK_BYTES], data[-CHECK_BYTES:]
    if len(body) < _HEAD.size or check != checksum(body):
        raise ValueError("damaged")
    mark, length_bytes, count = _HEAD.unpack_from(body)
    if mark != _MARK or len(body) != _HEAD.size + 16 * count:
        raise ValueError("of another kind")
    middle = _HEAD.size + 8 * count
    return Anchors(length_bytes, _from_little(body[_HEAD.size : middle]), _from_little(body[middle:]))


def _little(values: "array[int]") -> bytes:
    if sys.byteorder == "big":
        values = array("Q", values)
        values.byteswap()
    return values.tobytes()


def _from_little(data: bytes) -> "array[int]":
    values = array("Q")
    values.frombytes(data)
    if sys.byteorder == "big":
        values.byteswap()
    return values

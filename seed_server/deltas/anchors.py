"""Anchors of a file: places that are found again in another version of it by what stands there. Pure.

A place is chosen by the three bytes there, so that it is chosen again wherever they go; its print is of the bytes from
there on. So short a stretch is still the same where every address in a program has changed.
"""

import hashlib
import re
import struct
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

PRINT_BYTES = 32  # hashed from each place on
SPACING_BYTES = 512  # at least, between two anchors
MAX_ANCHORS = 1 << 18  # of a file: some 80 MB of memory while two files are aligned; of 10 GB there is one each 40 kB
SEARCHED_BYTES = 64 << 10  # looked through at once
_CHOSEN_VALUES = 36  # of 256, for each of the three bytes: one place of 360 where bytes are random


def _chosen() -> re.Pattern[bytes]:
    """Return what a place begins with. 0 and 255 are left out: of them there are long runs."""
    classes = []
    for nth in range(3):
        mixed = sorted(range(1, 255), key=lambda value: hashlib.sha256(b"%d %d" % (nth, value)).digest())
        classes.append(b"[" + b"".join(b"\\x%02x" % value for value in sorted(mixed[:_CHOSEN_VALUES])) + b"]")
    return re.compile(b"".join(classes), re.DOTALL)


_PLACES = _chosen()


@dataclass(frozen=True)
class Anchors:
    """The anchors of a file, by their place."""

    length_bytes: int
    """Of the file."""
    places: "array[int]"
    """Offsets (type Q), rising."""
    prints: "array[int]"
    """Of each place (type Q)."""


class AnchorFinder:
    """Finds the anchors of a file that is read from its beginning; ``max_anchors`` bounds what is remembered.

    Where a file has more, those with a print that is no multiple of 2, 4, 8, … are left out: as they are by their
    bytes, two versions leave out the same.
    """

    def __init__(self, max_anchors: int = MAX_ANCHORS) -> None:
        self._max_anchors = max_anchors
        self._places: array[int] = array("Q")
        self._prints: array[int] = array("Q")
        self._left_out = 0  # a mask of a print's lowest bits, which must be 0
        self._done = 0
        self._rest = b""
        self._last = -SPACING_BYTES

    def add(self, block: bytes) -> None:
        """Look through the next ``block``, of `SEARCHED_BYTES` or so."""
        data = self._rest + block
        start = self._done - len(self._rest)
        for match in _PLACES.finditer(data):
            at = match.start()
            if at > len(data) - PRINT_BYTES:
                break
            if start + at >= self._last + SPACING_BYTES:
                self._last = start + at
                self._note(start + at, data[at : at + PRINT_BYTES])
        self._done += len(block)
        self._rest = data[-(PRINT_BYTES - 1) :]

    def found(self) -> Anchors:
        """Return the anchors of all that was added."""
        return Anchors(self._done, self._places, self._prints)

    def _note(self, place: int, stretch: bytes) -> None:
        (value,) = struct.unpack("<Q", hashlib.blake2b(stretch, digest_size=8, usedforsecurity=False).digest())
        if value & self._left_out:
            return
        self._places.append(place)
        self._prints.append(value)
        while len(self._places) > self._max_anchors:
            self._left_out = self._left_out * 2 + 1
            places, prints = array("Q"), array("Q")
            for at, printed in zip(self._places, self._prints, strict=True):
                if not printed & self._left_out:
                    places.append(at)
                    prints.append(printed)
            self._places, self._prints = places, prints


def anchors_of(blocks: Iterable[bytes], max_anchors: int = MAX_ANCHORS) -> Anchors:
    """Return the anchors of the file that these ``blocks`` are, in their order."""
    finder = AnchorFinder(max_anchors)
    for block in blocks:
        finder.add(block)
    return finder.found()

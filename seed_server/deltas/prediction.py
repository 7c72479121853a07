"""What a new payload is expected to take of a site's line, from each former version and without one. Blocking.

A sample of its pieces is coded as they will be sent. What was found is kept beside the coded pieces, for plans; it can
be lost.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import PieceIndex, Sha256Hex, parse_sha256
from seed_server.deltas.alignment import Alignment, align
from seed_server.deltas.anchor_files import AnchorFiles
from seed_server.deltas.coder import code_alone, code_by_base
from seed_server.deltas.estimate import ExpectedBytes, drawn_pieces, expected_bytes, unlike
from seed_server.store.content_store import ContentStore, DamagedPayloadError

PREDICTION_LEVEL = 9  # of zstd: some 20 ms for a piece by a base; what is sent is often a tenth smaller
MAX_SAMPLED = 24  # pieces, of each base: twice as many would make what is expected a third surer
LEAST_SAMPLED = 4
CODING_SECONDS = 1.0  # for all of them: `publish` takes no longer than twice as long for it
MAX_BASES = 3
MAX_PREDICTION_BYTES = 16 << 10  # three bases of some 400 bytes
PREDICTION_SUFFIX = ".predicted"


class FormerPayload(NamedTuple):
    """A payload that PCs may have."""

    patch: str
    """ID@VERSION."""
    sha256: str


class PredictedBase(msgspec.Struct, frozen=True):
    """What is expected where a PC has this former payload."""

    patch: str
    """ID@VERSION."""
    sha256: str
    expected: ExpectedBytes


class Prediction(msgspec.Struct, frozen=True):
    """What is expected of one payload."""

    sha256: str
    length_bytes: int
    alone: ExpectedBytes
    """Where no PC of the site has a former one."""
    bases: tuple[PredictedBase, ...]
    """The least first."""


class Predictions:
    """Makes them, and keeps them in ``coded/SHA256.predicted``."""

    def __init__(self, content: ContentStore, directory: Path, clock: Clock) -> None:
        self._content, self._directory, self._clock = content, directory, clock

    def predict(
        self, sha256: Sha256Hex, length_bytes: int, piece_length: int, formers: Sequence[FormerPayload]
    ) -> Prediction | None:
        """Return what is expected, and keep it; None: its file cannot be read.

        Of ``formers``, the newest first, `MAX_BASES` are looked at whose file is here.
        """
        pieces = _Pieces(self._content, sha256, length_bytes, piece_length)
        try:
            ways = {None: _Way([1] * pieces.count, _alone), **self._bases(pieces, formers)}
            drawn = self._drawn(pieces, ways)
        except DamagedPayloadError:
            return None
        found = {base: expected_bytes(drawn[base], way.weights, length_bytes) for base, way in ways.items()}
        bases = [PredictedBase(*base, expected) for base, expected in found.items() if base is not None]
        bases.sort(key=lambda base: base.expected.likely)
        prediction = Prediction(sha256, length_bytes, found[None], tuple(bases))
        self._keep(prediction)
        return prediction

    def kept(self, sha256: str) -> Prediction | None:
        """Return what was predicted of a payload; None: nothing that can be read."""
        with contextlib.suppress(OSError, FileTooLargeError, msgspec.MsgspecError):
            return msgspec.json.decode(read_capped(self._path(sha256), MAX_PREDICTION_BYTES), type=Prediction)
        return None

    def _bases(self, pieces: "_Pieces", formers: Sequence[FormerPayload]) -> dict[FormerPayload | None, "_Way"]:
        others = [one for one in formers if one.sha256 != pieces.sha256]
        here = [one for one in others if self._content.path(Sha256Hex(one.sha256)).exists()]
        if not here:
            return {}
        anchors, found = AnchorFiles(self._content, self._directory), dict[FormerPayload | None, _Way]()
        new = anchors.anchors(pieces.sha256)
        for base in here[:MAX_BASES]:
            with contextlib.suppress(DamagedPayloadError):
                alignment = align(anchors.anchors(Sha256Hex(base.sha256)), new)
                weights = unlike(pieces.count, pieces.piece_length, new.places, alignment.new_places)
                found[base] = _Way(weights, partial(self._by_base, Sha256Hex(base.sha256), alignment))
        return found

    def _by_base(self, base: Sha256Hex, alignment: Alignment, start: int, piece: bytes) -> int:
        ranges = alignment.ranges(start, len(piece))
        coded = code_by_base(self._content, base, ranges, piece, PREDICTION_LEVEL)
        return coded.line_bytes if coded is not None else _alone(start, piece)

    def _drawn(
        self, pieces: "_Pieces", ways: Mapping[FormerPayload | None, "_Way"]
    ) -> dict[FormerPayload | None, list[tuple[int, int]]]:
        """Return of each way the pieces that were looked at, and what crosses the line for each."""
        found: dict[FormerPayload | None, list[tuple[int, int]]] = {base: [] for base in ways}
        end = self._clock.monotonic() + CODING_SECONDS
        turns = zip(*(drawn_pieces(way.weights, MAX_SAMPLED) for way in ways.values()), strict=True)
        for number, turn in enumerate(turns):
            if number >= LEAST_SAMPLED and self._clock.monotonic() > end:
                break
            for (base, way), index in zip(ways.items(), turn, strict=True):
                found[base].append((index, way.line_bytes(index * pieces.piece_length, pieces.read(index))))
        return found

    def _keep(self, prediction: Prediction) -> None:
        with contextlib.suppress(OSError):  # a full disk: plans take it for a whole file
            durable_files.make_directory(self._directory, mode=0o700, lasting=False)
            durable_files.write_file(self._path(prediction.sha256), msgspec.json.encode(prediction), lasting=False)

    def _path(self, sha256: str) -> Path:
        return self._directory / f"{parse_sha256(sha256)}{PREDICTION_SUFFIX}"


@dataclass(frozen=True)
class _Way:
    """How pieces are coded: by one base, or alone."""

    weights: Sequence[int]
    """Of each piece, how much it is likely to cost beside others."""
    line_bytes: Callable[[int, bytes], int]
    """Returns what crosses the line for the piece with this offset."""


@dataclass(frozen=True)
class _Pieces:
    content: ContentStore
    sha256: Sha256Hex
    length_bytes: int
    piece_length: int

    @property
    def count(self) -> int:
        return -(-self.length_bytes // self.piece_length)

    def read(self, index: int) -> bytes:
        return self.content.read_piece(self.sha256, PieceIndex(index), self.piece_length)


def _alone(_start: int, piece: bytes) -> int:
    coded = code_alone(piece, PREDICTION_LEVEL)
    return len(piece) if coded is None else coded.line_bytes

"""What a new payload is expected to take of a site's line, from each former version and without one. Blocking.

A sample of its pieces is coded as they will be sent. What was found is kept beside the coded pieces, for plans; it can
be lost.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import PieceIndex, Sha256Hex, parse_sha256
from p2pdist.shared.merkle import piece_count, piece_span
from seed_server.deltas.alignment import Alignment, align
from seed_server.deltas.anchor_files import AnchorFiles
from seed_server.deltas.beside import ANCHORS, PREDICTED, beside, beside_path, keep_beside
from seed_server.deltas.coder import code_alone, code_by_base
from seed_server.deltas.estimate import ExpectedBytes, drawn_pieces, expected_bytes
from seed_server.deltas.probes import PROBE_BYTES, BasePrints, Found, found_in, joined, probed_pieces
from seed_server.store.content_store import ContentStore, DamagedPayloadError

PREDICTION_LEVEL = 9  # of zstd: some 20 ms for a piece by a base; what is sent is often a tenth smaller
MAX_DRAWN = 36  # pieces, of each base: twice as many would make what is expected a third surer
MAX_DRAWN_ALONE = 16  # without a base: most pieces are packed alike
LEAST_DRAWN = 4
CODING_SECONDS = 0.6  # for all of them: `publish` takes no longer than twice as long for it
MAX_PREDICTED_BASES = 3
MAX_BASE_READ_BYTES = 64 << 20  # of bases whose anchors are not kept, where there are several: a third of a second
MAX_PREDICTION_BYTES = 16 << 10  # three bases of some 400 bytes


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


def kept_prediction(directory: Path, sha256: str) -> Prediction | None:
    """Return what was predicted of a payload; None: nothing that can be read."""
    with contextlib.suppress(OSError, FileTooLargeError, msgspec.MsgspecError):
        return msgspec.json.decode(
            read_capped(beside_path(directory, sha256, PREDICTED), MAX_PREDICTION_BYTES), type=Prediction
        )
    return None


class Predictions:
    """Makes them, and keeps them in ``coded/SHA256.predicted``."""

    def __init__(
        self, content: ContentStore, directory: Path, clock: Clock, *, most_read_bytes: int = MAX_BASE_READ_BYTES
    ) -> None:
        self._content, self._directory, self._clock = content, directory, clock
        self._most_read_bytes = most_read_bytes

    def predict(
        self, sha256: Sha256Hex, length_bytes: int, piece_length: int, formers: Sequence[FormerPayload]
    ) -> Prediction | None:
        """Return what is expected, and keep it; None: its file cannot be read.

        Of ``formers``, the newest first, `MAX_PREDICTED_BASES` are looked at whose file is here.
        """
        self._forget_gone()
        pieces = _Pieces(self._content, sha256, length_bytes, piece_length)
        try:
            ways = {
                None: _Way(range(pieces.count), pieces.lengths(), _alone, MAX_DRAWN_ALONE),
                **self._bases(pieces, formers),
            }
            drawn = self._drawn(pieces, ways)
        except DamagedPayloadError:
            return None
        found = {
            base: expected_bytes(drawn[base], way.weights, length_bytes, looked_at=len(way.pieces) / pieces.count)
            for base, way in ways.items()
        }
        bases = [PredictedBase(*base, expected) for base, expected in found.items() if base is not None]
        bases.sort(key=lambda base: base.expected.likely)
        prediction = Prediction(sha256, length_bytes, found[None], tuple(bases))
        self._keep(prediction)
        return prediction

    def _bases(self, pieces: "_Pieces", formers: Sequence[FormerPayload]) -> dict[FormerPayload | None, "_Way"]:
        found: dict[FormerPayload | None, _Way] = {}
        anchors, probes = AnchorFiles(self._content, self._directory), dict[int, Found]()
        for base, sha256 in self._here(pieces.sha256, formers):
            with contextlib.suppress(DamagedPayloadError):
                known = anchors.anchors(sha256)
                probes = probes or {index: pieces.found(index, PROBE_BYTES) for index in probed_pieces(pieces.count)}
                prints = BasePrints(known)
                weights = [prints.unlike(probe) for probe in probes.values()]
                drawn = [list(probes)[place] for place in drawn_pieces(weights, MAX_DRAWN)]
                whole = probes | {index: pieces.found(index, pieces.piece_length) for index in drawn}
                alignment = align(known, joined(pieces.length_bytes, (whole[index] for index in sorted(whole))))
                found[base] = _Way(list(probes), weights, partial(self._by_base, sha256, alignment))
        return found

    def _here(self, new: str, formers: Sequence[FormerPayload]) -> Iterator[tuple[FormerPayload, Sha256Hex]]:
        """Yield the former payloads whose file is here; but for the first, none whose anchors would take too long."""
        count, read = 0, 0
        for one in formers:
            sha256 = parse_sha256(one.sha256)
            try:
                length = self._content.path(sha256).stat().st_size
            except OSError:
                continue
            if beside_path(self._directory, sha256, ANCHORS).exists():
                length = 0
            if (
                sha256 == new
                or count == MAX_PREDICTED_BASES
                or (count and length and read + length > self._most_read_bytes)
            ):
                continue
            count, read = count + 1, read + length
            yield one, sha256

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
        draws = {base: iter(drawn_pieces(way.weights, way.most_drawn)) for base, way in ways.items()}
        for number in range(MAX_DRAWN):
            if number >= LEAST_DRAWN and self._clock.monotonic() > end:
                break
            for base, way in ways.items():
                for place in itertools.islice(draws[base], 1):
                    index = way.pieces[place]
                    found[base].append((place, way.line_bytes(index * pieces.piece_length, pieces.read(index))))
        return found

    def _forget_gone(self) -> None:
        """Remove what is kept here of payloads whose file has gone."""
        with contextlib.suppress(OSError):
            for one in list(beside(self._directory)):
                if not self._content.path(one.sha256).exists():
                    one.path.unlink(missing_ok=True)

    def _keep(self, prediction: Prediction) -> None:
        # on a full disk it is not kept: plans take it for a whole file
        keep_beside(self._directory, prediction.sha256, PREDICTED, msgspec.json.encode(prediction))


@dataclass(frozen=True)
class _Way:
    """How pieces are coded: by one base, or alone."""

    pieces: Sequence[int]
    """That are drawn from."""
    weights: Sequence[int]
    """Of each, how much it is likely to cost beside others."""
    line_bytes: Callable[[int, bytes], int]
    """Returns what crosses the line for the piece with this offset."""
    most_drawn: int = MAX_DRAWN


@dataclass(frozen=True)
class _Pieces:
    content: ContentStore
    sha256: Sha256Hex
    length_bytes: int
    piece_length: int

    @property
    def count(self) -> int:
        return piece_count(self.length_bytes, self.piece_length)

    def span(self, index: int) -> tuple[int, int]:
        return piece_span(PieceIndex(index), self.piece_length, self.length_bytes)

    def lengths(self) -> list[int]:
        return [self.span(index)[1] for index in range(self.count)]

    def found(self, index: int, most_bytes: int) -> Found:
        start, length = self.span(index)
        return found_in(self.content.read_stretches(self.sha256, [(start, min(most_bytes, length))]), start)

    def read(self, index: int) -> bytes:
        return self.content.read_piece(self.sha256, PieceIndex(index), self.piece_length)


def _alone(_start: int, piece: bytes) -> int:
    coded = code_alone(piece, PREDICTION_LEVEL)
    return len(piece) if coded is None else coded.line_bytes

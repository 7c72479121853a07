"""Finds the coded form of a piece, or makes it. Blocking, but for `PieceCoding.align`; several threads may call it."""

import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from p2pdist.shared.identifiers import PieceIndex, Sha256Hex, TorrentHash
from p2pdist.shared.merkle import piece_span
from seed_server.deltas.alignment import WHOLE_BYTES, Alignment
from seed_server.deltas.beside import MAX_BESIDE_BYTES
from seed_server.deltas.coded_cache import MAX_CODED_BYTES, NO_BASE, CodedCache, Kept, Pair
from seed_server.deltas.coder import Coded, code_alone, code_alone_slowly, code_by_base
from seed_server.deltas.proven_stretches import ProvenStretches
from seed_server.settings.home import ServerHome
from seed_server.store.content_store import ContentStore
from seed_server.store.rows import ServedPayload

QUICK_LEVEL = 9  # while somebody waits: 100 MB in two or three seconds of a processor; 12 takes twice as long for 1 %
BEST_LEVEL = 19  # ahead: 100 MB in a minute, for a tenth to a sixth less
MAX_ALIGNED_BYTES = 128 << 20  # of memory: of 32 pairs of huge files, or of some hundreds as they are
ALIGNMENT_BYTES = 1 << 10  # of one, beside its places
MAX_SAMPLED = 4_096  # payloads of which it is remembered whether they can be compressed at all
SAMPLES, SAMPLE_BYTES, SAMPLE_LEVEL = 8, 32 << 10, 3  # a millisecond in all


FindsAlignment: TypeAlias = Callable[[Sha256Hex, Sha256Hex], Awaitable[Alignment]]
"""Tells how a former payload and a new one belong together. Raises `DamagedPayloadError`, and others."""


class NotAlignedError(Exception):
    """How a payload and its base belong together is to be found out first, by `PieceCoding.align`."""


class PieceLook(NamedTuple):
    """What the cache has of a piece, and of those behind it."""

    kept: Kept | None
    """None: it is to be made."""
    lacking: list[PieceIndex]
    """Of the next ones, those that are to be made."""


@dataclass
class PieceCoding:
    """Of one server; ``pairs`` say which torrent is coded by what."""

    content: ContentStore
    find_alignment: FindsAlignment
    cache: CodedCache
    _alignments: OrderedDict[tuple[str, str], Alignment] = field(default_factory=OrderedDict)
    _sampled: OrderedDict[TorrentHash, bool] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, payload: ServedPayload, piece: PieceIndex, base: str, *, ahead: int) -> PieceLook:
        """Return what there is of a piece, and which of the next ``ahead`` are lacking. Raises `DamagedPayloadError`.

        ``base``: SHA-256, or `NO_BASE`.
        """
        if base == NO_BASE and not self.is_compressible(payload):
            return PieceLook(Kept(None, BEST_LEVEL), [])
        pair = Pair(TorrentHash(payload.torrent_hash), base)
        following = range(piece + 1, min(payload.piece_count, piece + 1 + ahead))
        lacking = [PieceIndex(at) for at in following if not self.cache.level(pair, PieceIndex(at))]
        return PieceLook(self.cache.read(pair, piece), lacking)

    async def align(self, base: Sha256Hex, new: Sha256Hex) -> None:
        """Find out how two payloads belong together. Raises what `find_alignment` does."""
        if self.is_aligned(base, new):
            return
        found = await self.find_alignment(base, new)
        with self._lock:
            self._alignments[base, new] = found
            while len(self._alignments) > 1 and self._aligned_bytes() > MAX_ALIGNED_BYTES:
                self._alignments.popitem(last=False)

    def _aligned_bytes(self) -> int:
        return sum(ALIGNMENT_BYTES + 16 * len(each.new_places) for each in self._alignments.values())

    def is_aligned(self, base: Sha256Hex, new: Sha256Hex) -> bool:
        """Whether `make` can code one by the other at once."""
        return self._aligned(base, new) is not None

    def helps(self, base: Sha256Hex, new: Sha256Hex) -> bool:
        """Whether two payloads that are aligned have anything in common, or may have."""
        found = self._aligned(base, new)
        return found is not None and (bool(found.new_places) or found.base_length_bytes <= WHOLE_BYTES)

    def is_compressible(self, payload: ServedPayload) -> bool:
        """Whether a payload gets smaller by itself, by some samples of it. Raises `DamagedPayloadError`."""
        torrent = TorrentHash(payload.torrent_hash)
        with self._lock:
            known = self._sampled.get(torrent)
        if known is None:
            step = max(SAMPLE_BYTES, payload.length_bytes // SAMPLES)
            places = range(0, payload.length_bytes, step)
            cuts = [(at, min(SAMPLE_BYTES, payload.length_bytes - at)) for at in places]
            samples = [self.content.read_stretches(Sha256Hex(payload.sha256), [cut]) for cut in cuts]
            known = any(code_alone(sample, SAMPLE_LEVEL) is not None for sample in samples)
            with self._lock:
                self._sampled[torrent] = known
                while len(self._sampled) > MAX_SAMPLED:
                    self._sampled.popitem(last=False)
        return known

    def make(self, payload: ServedPayload, piece: PieceIndex, data: bytes, base: str, level: int) -> Coded | None:
        """Code a piece whose bytes are ``data``, and keep it; None: it is to be sent whole.

        ``base``: SHA-256, or `NO_BASE`. Raises `DamagedPayloadError` for the base, `NotAlignedError`.
        """
        pair = Pair(TorrentHash(payload.torrent_hash), base)
        if base == NO_BASE:
            coded = code_alone_slowly(data, level) if level >= BEST_LEVEL else code_alone(data, level)
        else:
            found = self._aligned(Sha256Hex(base), Sha256Hex(payload.sha256))
            if found is None:
                raise NotAlignedError
            start, _ = piece_span(piece, payload.piece_length_bytes, payload.length_bytes)
            ranges = found.ranges(start, len(data))
            coded = code_by_base(ProvenStretches(self.content), Sha256Hex(base), ranges, data, level)
        self.cache.keep(pair, piece, level, coded)
        return coded

    def _aligned(self, base: Sha256Hex, new: Sha256Hex) -> Alignment | None:
        with self._lock:
            if (found := self._alignments.get((base, new))) is not None:
                self._alignments.move_to_end((base, new))
            return found


def piece_coding(home: ServerHome, find_alignment: FindsAlignment) -> PieceCoding:
    """Return what codes the pieces of one home; nothing is read yet."""
    content = ContentStore(home.content)
    cache = CodedCache(home.coded, max_bytes=MAX_CODED_BYTES - MAX_BESIDE_BYTES)
    return PieceCoding(content, find_alignment, cache)

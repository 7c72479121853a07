"""Has former payloads and new ones compared, each pair once: ahead, or while pieces wait as long as it is worth."""

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import trio

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import Sha256Hex, TorrentHash
from seed_server.deltas.coded_cache import NO_BASE
from seed_server.deltas.piece_coding import PieceCoding
from seed_server.origin.outside_log import OutsideLog
from seed_server.store.content_store import DamagedPayloadError
from seed_server.store.rows import ServedPayload

ALIGN_SHARE = 0.15  # of the time that the whole payload would take: waited once for what is not aligned yet …
LEAST_ALIGN_SECONDS = 1.5  # … on a line of which nobody knows how fast it is, too …
MOST_ALIGN_SECONDS = 2.5  # … and less than an idle turn may last
ALIGNED_AT_ONCE = 1
ALIGN_AGAIN_SECONDS = 60.0  # after a child that failed
MOST_ALIGNED_AHEAD = 4  # of what is published together: who asks for others is not to wait behind a hundred


@dataclass
class Aligning:
    """Two payloads that are being aligned."""

    done: trio.Event = field(default_factory=trio.Event)
    patient_until: float | None = None
    """Trio's time: until then pieces wait for it, afterwards they go without a base; None: none has waited yet."""


class Alignments:
    """Of one server; ``nursery`` must be set, or nothing is aligned."""

    def __init__(
        self,
        coding: PieceCoding,
        lose: Callable[[ServedPayload, str, str], Awaitable[None]],
        log: OutsideLog,
        *,
        again_seconds: float = ALIGN_AGAIN_SECONDS,
    ) -> None:
        """``lose``: is told of a base that is of no use, and why it cannot be read, or ""; ``again_seconds``: after two
        could not be compared.
        """
        self._coding = coding
        self._lose = lose
        self._log = log
        self._again_seconds = again_seconds
        self.nursery: trio.Nursery | None = None
        self.under_way: dict[tuple[str, str], Aligning] = {}
        """By base and new payload."""
        self._again_at: dict[tuple[str, str], float] = {}
        """When what could not be aligned is tried again; until the next reload."""
        self._one_at_a_time = trio.CapacityLimiter(ALIGNED_AT_ONCE)

    def forgive(self) -> None:
        """Try again what could not be aligned: something has been published, or repaired."""
        self._again_at.clear()

    def ahead(
        self,
        fresh: Iterable[ServedPayload],
        former: Mapping[TorrentHash, tuple[Sha256Hex, ...]],
        sequences: Mapping[str, int],
    ) -> None:
        """Align what has just been published with its newest former version: most PCs will ask for that at once."""
        best = ((row, former.get(TorrentHash(row.torrent_hash), (None,))[0]) for row in fresh)
        pairs = [(row, base) for row, base in best if base is not None and sequences[base] < row.sequence]
        pairs.sort(key=lambda pair: pair[0].sequence, reverse=True)
        for row, base in pairs[:MOST_ALIGNED_AHEAD]:
            self.begin(row, base)

    def is_aligned(self, payload: ServedPayload, base: str) -> bool:
        """Whether a payload can be coded by ``base`` at once."""
        return base == NO_BASE or self._coding.is_aligned(Sha256Hex(base), Sha256Hex(payload.sha256))

    async def is_of_use(self, payload: ServedPayload, base: str) -> bool:
        """Return, once two are aligned, whether that has worked and they have anything in common."""
        if base == NO_BASE:
            return True
        if not self.is_aligned(payload, base):
            await self.begin(payload, base).done.wait()
        if not self.is_aligned(payload, base):
            return False
        if not self._coding.helps(Sha256Hex(base), Sha256Hex(payload.sha256)):
            await self._lose(payload, base, "")
            return False
        return True

    async def wait(self, payload: ServedPayload, base: str, rate: BytesPerSecond) -> bool:
        """Wait until two payloads are aligned, or as long as it is worth: once for all pieces, and all sites.

        Return whether they are.
        """
        aligning = self.begin(payload, base)
        if aligning.patient_until is None:
            seconds = max(LEAST_ALIGN_SECONDS, ALIGN_SHARE * payload.length_bytes / max(1, rate))
            aligning.patient_until = trio.current_time() + min(MOST_ALIGN_SECONDS, seconds)
        with trio.move_on_at(aligning.patient_until):
            await aligning.done.wait()
        return self.is_aligned(payload, base)

    def begin(self, payload: ServedPayload, base: str) -> Aligning:
        """Align two payloads in a task of its own, unless one does, or has just failed."""
        pair = (base, payload.sha256)
        aligning = self.under_way.get(pair)
        if aligning is None:
            aligning = Aligning()
            if self.nursery is None or trio.current_time() < self._again_at.get(pair, -math.inf):
                aligning.done.set()
            else:
                self.under_way[pair] = aligning
                self.nursery.start_soon(self._align, payload, base, aligning)
        return aligning

    async def _align(self, payload: ServedPayload, base: str, aligning: Aligning) -> None:
        try:
            async with self._one_at_a_time:
                await self._coding.align(Sha256Hex(base), Sha256Hex(payload.sha256))
            if not self._coding.helps(Sha256Hex(base), Sha256Hex(payload.sha256)):
                await self._lose(payload, base, "")
        except DamagedPayloadError as error:
            await self._lose(payload, base, str(error))
        except Exception as error:  # noqa: BLE001 - no memory, no process, no time: all others are served on
            self._again_at[base, payload.sha256] = trio.current_time() + self._again_seconds
            reason = str(error) or type(error).__name__
            self._log.warning(
                "two versions cannot be compared now; pieces go without a base", payload.patch_id, reason=reason
            )
        finally:
            del self.under_way[base, payload.sha256]
            aligning.done.set()

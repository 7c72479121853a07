"""How the PCs of one rollout stand, ring by ring: each is in exactly one class, and a changed PC moves one count. Pure.

PCs have places from 0 on, the same in all rollouts. What is asked of all PCs at once is asked of one large integer with
a byte for each PC: that is a hundred times faster than to ask one after the other.
"""

import enum
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

NO_RING = 254
"""The place of PCs that no ring's rule holds for."""
RING_NOT_KNOWN = 255
"""The place of PCs whose facts the server does not know."""
Z_ONE_SIDED_95 = 1.645  # the standard normal's 95th percentile


class PcOutcome(enum.IntEnum):
    """What has become of a rollout's patch on one PC."""

    INSTALLED = 0
    FAILED = 1
    ROLLED_BACK = 2
    NOT_APPLICABLE = 3
    EXCEPTED = 4
    """An exception holds it back."""
    SILENT = 5
    """It has not decided, and was not seen for too long while its ring was open."""
    WAITING = 6
    """Everything else: it has still to decide."""


DECISIONS = (PcOutcome.INSTALLED, PcOutcome.FAILED, PcOutcome.ROLLED_BACK)
_BY_INSTALL = {
    "installed": PcOutcome.INSTALLED,
    "failed": PcOutcome.FAILED,
    "rolled_back": PcOutcome.ROLLED_BACK,
    "not_applicable": PcOutcome.NOT_APPLICABLE,
}
_FAILURES = frozenset({PcOutcome.FAILED, PcOutcome.ROLLED_BACK})
_UNDECIDED = frozenset({PcOutcome.EXCEPTED, PcOutcome.SILENT, PcOutcome.WAITING})


def outcome_said(state: str, install: str, *, installs: bool) -> PcOutcome:
    """Return the class of what a PC says of a patch: of its file, and of its installation.

    ``installs``: whether the patch is installed at all; else who has its file has all of it. A file that failed can
    not go on by itself, so that PC has decided.
    """
    if (outcome := _BY_INSTALL.get(install)) is not None:
        return outcome
    if state == "failed":
        return PcOutcome.FAILED
    return PcOutcome.INSTALLED if state == "verified" and not installs else PcOutcome.WAITING


def wilson_lower(count: int, of: int) -> float:
    """Return the lower bound of Wilson's interval for a share of ``count`` in ``of``, one-sided, of 95 %."""
    if of <= 0:
        return 0.0
    share, z2 = count / of, Z_ONE_SIDED_95 * Z_ONE_SIDED_95
    spread = Z_ONE_SIDED_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return max(0.0, (share + z2 / (2 * of) - spread) / (1 + z2 / of))


class RingTally(NamedTuple):
    """How many PCs of a ring are in each class, in the order of `PcOutcome`."""

    installed: int = 0
    failed: int = 0
    rolled_back: int = 0
    not_applicable: int = 0
    excepted: int = 0
    silent: int = 0
    waiting: int = 0
    acknowledged: int = 0
    """Of those that failed or were rolled back, so many do not count any more: a person has seen them."""

    @property
    def decided(self) -> int:
        """PCs on which it came to an end, good or bad."""
        return self.installed + self.failed + self.rolled_back

    @property
    def can_decide(self) -> int:
        """PCs that have decided or still may."""
        return self.decided + self.silent + self.waiting

    @property
    def new_failures(self) -> int:
        """Failures that nobody has acknowledged."""
        return self.failed + self.rolled_back - self.acknowledged

    @property
    def judged(self) -> int:
        """The decided PCs without the acknowledged failures: what shares are taken of."""
        return self.decided - self.acknowledged

    @property
    def exact(self) -> bool:
        """Whether no PC has still to decide, so that shares are what they are."""
        return self.waiting == 0

    def proven(self, count: int) -> float:
        """Return the share of ``count`` in the judged PCs, of which there are some.

        It is the lower bound of Wilson's interval as long as others have still to decide.
        """
        return count / self.judged if self.exact else wilson_lower(count, self.judged)

    @property
    def size(self) -> int:
        """All PCs of the ring."""
        return sum(self[: len(PcOutcome)])


class RingCounts:
    """The PCs of one rollout."""

    def __init__(self, rings: int) -> None:
        """Begin with no PC; the rollout has ``rings``."""
        self._rings = rings
        self._ring = bytearray()
        self._outcome = bytearray()
        self._held = bytearray()
        self._acknowledged = bytearray()
        self._counts = {place: [0] * len(PcOutcome) for place in (*range(rings), NO_RING, RING_NOT_KNOWN)}
        self._seen_failures = dict.fromkeys(self._counts, 0)

    def __len__(self) -> int:
        """Return for how many PCs there are places."""
        return len(self._ring)

    def grow(self, pcs: int) -> None:
        """Make places for ``pcs`` in all; new ones are `RING_NOT_KNOWN`, and waiting."""
        more = max(0, pcs - len(self))
        self._ring += bytes([RING_NOT_KNOWN]) * more
        self._outcome += bytes([PcOutcome.WAITING]) * more
        self._held += bytes(more)
        self._acknowledged += bytes(more)
        self._counts[RING_NOT_KNOWN][PcOutcome.WAITING] += more

    def ring_of(self, pc: int) -> int:
        """Return the place of the PC's ring, or `NO_RING`, or `RING_NOT_KNOWN`."""
        return self._ring[pc]

    def outcome_of(self, pc: int) -> PcOutcome:
        """Return the PC's class."""
        return PcOutcome(self._outcome[pc])

    def place(self, pc: int, ring: int) -> None:
        """Put a PC in a ring: its facts are known, or have changed."""
        if ring not in self._counts:
            raise ValueError(f"a rollout with {self._rings} rings has none at {ring}")
        before, outcome = self._ring[pc], PcOutcome(self._outcome[pc])
        self._ring[pc] = ring
        self._counts[before][outcome] -= 1
        self._counts[ring][outcome] += 1
        if self._acknowledged[pc] and outcome in _FAILURES:
            self._seen_failures[before] -= 1
            self._seen_failures[ring] += 1

    def observe(self, pc: int, said: PcOutcome) -> None:
        """Take a PC's word; `WAITING` stands for all that is no decision."""
        if said is PcOutcome.WAITING and self._held[pc]:
            said = PcOutcome.EXCEPTED
        self._move(pc, said)

    def load(self, rings: bytes | bytearray, said: bytes | bytearray) -> None:
        """Begin with PCs in these rings that say this, each a byte for each PC: as `place` and `observe`, but at once.

        Raises `ValueError` for a ring that the rollout has not.
        """
        counts = {place: [0] * len(PcOutcome) for place in self._counts}
        if len(rings) != len(said) or not set(rings) <= counts.keys():
            raise ValueError(f"there are {self._rings} rings, and as many words as PCs")
        for ring in set(rings):
            here = bytes(one == ring for one in range(256))
            inside = _integer(rings.translate(here)) * 0xFF & _integer(said.translate(_FROM_ONE))
            data = inside.to_bytes(len(rings), "little")
            counts[ring] = [data.count(outcome + 1) for outcome in PcOutcome]
        self._ring, self._outcome = bytearray(rings), bytearray(said)
        self._held, self._acknowledged = bytearray(len(rings)), bytearray(len(rings))
        self._counts, self._seen_failures = counts, dict.fromkeys(counts, 0)

    def observe_all(self, said: bytes | bytearray) -> None:
        """Take the words of all PCs: those that differ from what is known are moved."""
        known = self._outcome.translate(_UNDECIDED_IS_WAITING)
        for pc in _ones_of(_integer(known) ^ _integer(said), len(self)):
            self.observe(pc, PcOutcome(said[pc]))

    def hold(self, held: bytes) -> None:
        """Except those PCs whose byte in ``held`` is 1, as far as they have not decided; no others."""
        for pc in _ones(_integer(self._held) ^ _integer(held), len(self)):
            self._held[pc] = held[pc]
            if self._outcome[pc] in _UNDECIDED:
                self._move(pc, PcOutcome.EXCEPTED if held[pc] else PcOutcome.WAITING)

    def sweep(self, away: bytes, long_open: Iterable[int]) -> None:
        """Tell the silent from the waiting.

        ``away``: 1 for each PC that was not seen for as long as the plan has it; ``long_open``: the places of rings
        that are open for at least as long.
        """
        is_open = bytearray(256)
        for ring in long_open:
            is_open[ring] = 1
        quiet = _integer(away) & _integer(self._ring.translate(is_open))
        waiting = _integer(self._outcome.translate(_IS_WAITING))
        silent = _integer(self._outcome.translate(_IS_SILENT))
        for pc in _ones(waiting & quiet, len(self)):
            self._move(pc, PcOutcome.SILENT)
        for pc in _ones(silent & ~quiet, len(self)):
            self._move(pc, PcOutcome.WAITING)

    def acknowledge(self, pcs: Iterable[int] | None = None) -> list[int]:
        """Let the failures of ``pcs`` count no more, or (None) all there are now; return whose they are.

        It stays so: what fails again on the same PC is nothing new.
        """
        if pcs is None:
            pcs = [pc for pc, outcome in enumerate(self._outcome) if outcome in _FAILURES]
        now = []
        for pc in pcs:
            now.append(pc)
            if not self._acknowledged[pc]:
                self._acknowledged[pc] = 1
                if self._outcome[pc] in _FAILURES:
                    self._seen_failures[self._ring[pc]] += 1
        return now

    def members(self, rings: Iterable[int], outcomes: Iterable[PcOutcome]) -> Iterator[int]:
        """Yield the PCs in one of ``rings``, which may be `NO_RING` and `RING_NOT_KNOWN`, and in one of the classes."""
        here, so = set(rings), set(map(int, outcomes))
        inside = _integer(self._ring.translate(bytes(one in here for one in range(256))))
        meant = _integer(self._outcome.translate(bytes(one in so for one in range(256))))
        yield from _ones(inside & meant, len(self))

    def tallies(self) -> list[RingTally]:
        """Return each ring's, the first one first."""
        return [self.tally(ring) for ring in range(self._rings)]

    def tally(self, ring: int) -> RingTally:
        """Return that of one ring; also of `NO_RING` and `RING_NOT_KNOWN`."""
        return RingTally._make((*self._counts[ring], self._seen_failures[ring]))

    def _move(self, pc: int, outcome: PcOutcome) -> None:
        before = PcOutcome(self._outcome[pc])
        if before is outcome:
            return
        ring = self._ring[pc]
        self._outcome[pc] = outcome
        counts = self._counts[ring]
        counts[before] -= 1
        counts[outcome] += 1
        if self._acknowledged[pc]:
            self._seen_failures[ring] += (outcome in _FAILURES) - (before in _FAILURES)


def away_since(seen_at: Sequence[float], moment: float) -> bytes:
    """Return for each PC a byte: 1 where it was last seen no later than at ``moment``."""
    return bytes(map(moment.__ge__, seen_at))


_IS_WAITING = bytes(outcome == PcOutcome.WAITING for outcome in range(256))
_UNDECIDED_IS_WAITING = bytes(PcOutcome.WAITING if one in tuple(_UNDECIDED) else one for one in range(256))
_FROM_ONE = bytes(min(one + 1, 255) for one in range(256))
_IS_SILENT = bytes(outcome == PcOutcome.SILENT for outcome in range(256))


def _integer(data: bytes | bytearray) -> int:
    return int.from_bytes(data, "little")


def _ones_of(mask: int, size: int) -> Iterator[int]:
    """Yield the places of bytes that are not 0, whatever they are."""
    data = mask.to_bytes(size, "little") if mask else b""
    yield from (at for at, byte in enumerate(data) if byte)


def _ones(mask: int, size: int) -> Iterator[int]:
    """Yield the places of bytes that are not 0."""
    if mask <= 0:
        return
    data = mask.to_bytes(max(size, (mask.bit_length() + 7) // 8), "little")
    at = data.find(1)
    while at >= 0:
        yield at
        at = data.find(1, at + 1)

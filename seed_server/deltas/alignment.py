"""Which stretches of a former payload ("base") belong to a stretch of a new one. Pure."""

import bisect
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from p2pdist.shared.coded_pieces import MAX_PREFIX_BYTES, MAX_PREFIX_RANGES, PrefixRange
from seed_server.deltas.anchors import Anchors

SAME_RUN_BYTES = 64 << 10  # by so much what lies between two anchors may have grown or shrunk, and be the same stretch
NEAR_ANCHORS = 2  # to each side: one of them must say about the same, or an anchor is taken for chance
MARGIN_BYTES = 256 << 10  # to each side of what the anchors say: what has no anchor is often near
WHOLE_BYTES = 1 << 20  # a base that is not longer is taken as a whole where no anchor says anything


class _Run(NamedTuple):
    """A stretch of the new payload, and the stretch of the base that its anchors say it is from."""

    new_start: int
    new_end: int
    base_start: int
    base_end: int


@dataclass(frozen=True)
class Alignment:
    """Places that a base and a new payload have in common, by their place in the new one."""

    base_length_bytes: int
    new_length_bytes: int
    new_places: "array[int]"
    base_places: "array[int]"

    def ranges(self, start: int, length: int) -> tuple[PrefixRange, ...]:
        """Return what of the base the new payload's bytes from ``start`` on are likely to be made of; () : nothing.

        In the base's order, none touching another, `MAX_PREFIX_RANGES` and `MAX_PREFIX_BYTES` at most.
        """
        runs = sorted(self._runs(start, start + length), key=lambda run: run.new_start - run.new_end)
        margin = MARGIN_BYTES
        while runs:
            kept = _merged(self._stretch(run, margin) for run in runs)
            if len(kept) <= MAX_PREFIX_RANGES and sum(one.length for one in kept) <= MAX_PREFIX_BYTES:
                return kept
            if len(runs) > 1:
                runs.pop()  # the one that says the least
            else:
                return (self._middle(runs[0]),)
        return (PrefixRange(0, self.base_length_bytes),) if 0 < self.base_length_bytes <= WHOLE_BYTES else ()

    def _runs(self, start: int, end: int) -> Iterator[_Run]:
        """Yield the runs of anchors in this stretch, with what reaches into it from the anchors beside it."""
        first = max(0, bisect.bisect_left(self.new_places, start) - 1)
        last = bisect.bisect_left(self.new_places, end)
        points = list(zip(self.new_places[first : last + 1], self.base_places[first : last + 1], strict=True))
        begin = 0
        for i in range(1, len(points) + 1):
            if i < len(points) and _same_way(points[i - 1], points[i]):
                continue
            (new_start, base_start), (new_end, base_end) = points[begin], points[i - 1]
            # the outermost runs go on to the ends of the stretch, and end there
            new_from = start if begin == 0 else max(start, new_start)
            new_to = end if i == len(points) else min(end, new_end)
            yield _Run(
                new_from,
                max(new_from, new_to),
                self._clipped(base_start + (new_from - new_start)),
                self._clipped(base_end + (new_to - new_end)),
            )
            begin = i

    def _clipped(self, place: int) -> int:
        return max(0, min(self.base_length_bytes, place))

    def _stretch(self, run: _Run, margin: int) -> tuple[int, int]:
        low, high = sorted((run.base_start, run.base_end))
        return self._clipped(low - margin), self._clipped(high + margin)

    def _middle(self, run: _Run) -> PrefixRange:
        """Return as much of a run as may be: one piece stands for more of the base than a prefix may have."""
        centre = (run.base_start + run.base_end) // 2
        start = max(0, min(self.base_length_bytes - MAX_PREFIX_BYTES, centre - MAX_PREFIX_BYTES // 2))
        return PrefixRange(start, min(MAX_PREFIX_BYTES, self.base_length_bytes - start))


def align(base: Anchors, new: Anchors) -> Alignment:
    """Return what two payloads have in common. What stands more than once in either says nothing."""
    in_base: dict[int, int | None] = {}
    for place, printed in zip(base.places, base.prints, strict=True):
        in_base[printed] = None if printed in in_base else place
    in_new: set[int] = set()
    twice: set[int] = set()
    for printed in new.prints:
        (twice if printed in in_new else in_new).add(printed)
    found = [
        (place, there)
        for place, printed in zip(new.places, new.prints, strict=True)
        if printed not in twice and (there := in_base.get(printed)) is not None
    ]
    kept = [found[i] for i in range(len(found)) if _has_company(found, i)]
    return Alignment(
        base.length_bytes,
        new.length_bytes,
        array("Q", [new_place for new_place, _ in kept]),
        array("Q", [base_place for _, base_place in kept]),
    )


def _has_company(found: list[tuple[int, int]], i: int) -> bool:
    near = found[max(0, i - NEAR_ANCHORS) : i] + found[i + 1 : i + 1 + NEAR_ANCHORS]
    return not near or any(_same_way(found[i], other) for other in near)


def _same_way(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two anchors went the same way from the base to the new payload."""
    return abs((one[1] - one[0]) - (other[1] - other[0])) <= SAME_RUN_BYTES


def _merged(stretches: Iterable[tuple[int, int]]) -> tuple[PrefixRange, ...]:
    """Return stretches (start, end) in their order, those that touch as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif end > start:
            merged.append((start, end))
    return tuple(PrefixRange(start, end - start) for start, end in merged)

"""Which stretches of a former payload ("base") belong to a stretch of a new one. Pure."""

import bisect
from array import array
from collections.abc import Iterable, Iterator, Sequence
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
    in_base, in_new = _once(base), _once(new)
    both = [(place, in_base[printed]) for printed, place in in_new.items() if printed in in_base]
    kept = [both[at] for at in range(len(both)) if _has_company(both, at)]
    new_places, base_places = (array("Q", places) for places in zip(*kept, strict=True)) if kept else (array("Q"),) * 2
    return Alignment(base.length_bytes, new.length_bytes, new_places, base_places)


def _once(anchors: Anchors) -> dict[int, int]:
    """Return the place of each print that stands there once, in the order of places."""
    places: dict[int, int] = {}
    again = set()
    for place, printed in zip(anchors.places, anchors.prints, strict=True):
        if printed in places:
            again.add(printed)
        else:
            places[printed] = place
    for printed in again:
        del places[printed]
    return places


def _has_company(points: Sequence[tuple[int, int]], at: int) -> bool:
    near = [each for each in range(max(0, at - NEAR_ANCHORS), min(len(points), at + NEAR_ANCHORS + 1)) if each != at]
    return not near or any(_same_way(points[at], points[each]) for each in near)


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

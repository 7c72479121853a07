"""How many PCs lack patches for which reason, kept for a minute: to count them is to look at each PC. Blocking."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from seed_server.fleet.context import Context
from seed_server.reporting.missing_pcs import MissingReason
from seed_server.reporting.missing_queries import MissingQuestion, read_missing

COUNTS_KEPT_SECONDS = 60.0
MOST_COUNTS_KEPT = 64  # questions, a few hundred bytes each
MOST_PAIRS = 120_000  # PCs × patches that are looked at for one page, a fifth of a second
PAIRS_OF_A_PATCH = 200  # what a patch takes by itself, in what PCs take


def too_many(pcs: int, patches: int) -> bool:
    """Return whether to look at so many PCs for so many patches takes longer than a page may."""
    return (pcs + PAIRS_OF_A_PATCH) * patches > MOST_PAIRS


@dataclass(frozen=True)
class CountedMissing:
    """PCs and patches that they lack."""

    at: float
    """When they were counted, seconds since 1970."""
    counts: Mapping[MissingReason, int]
    """In the order of the closed list, without those with none."""
    total: int
    follow_ups: int
    """About so many of them somebody does something."""


@dataclass
class MissingCounts:
    """What was counted within the last minute, of one server or several."""

    _kept: OrderedDict[tuple[str, MissingQuestion], CountedMissing] = field(default_factory=OrderedDict)
    _counting: threading.Lock = field(default_factory=threading.Lock)
    """Held while one counts: others who ask for the same wait, and do not count it too."""

    def of(self, context: Context, question: MissingQuestion) -> CountedMissing:
        """Return the counts over all reasons of what is asked for. Raises as `read_missing`."""
        asked = replace(question, reason="", after="", size=1)
        key, now = (str(context.home.root), asked), context.clock.now()
        with self._counting:
            known = self._kept.get(key)
            if known is not None and 0 <= now - known.at < COUNTS_KEPT_SECONDS:
                return known
            report = read_missing(context, asked)
            found = CountedMissing(report.now, report.counts, report.total, report.follow_ups)
            self._kept[key] = found
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_COUNTS_KEPT:
                self._kept.popitem(last=False)
            return found

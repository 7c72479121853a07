"""How many PCs lack patches for which reason, kept for a minute: to count them is to look at each PC. Blocking."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from seed_server.fleet.context import Context
from seed_server.fleet.look_memory import RECENTLY_SECONDS
from seed_server.reporting.missing_pcs import MissingReason
from seed_server.reporting.missing_queries import MissingQuestion, read_missing

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


def counted_missing(context: Context, question: MissingQuestion) -> CountedMissing:
    """Return the counts over all reasons of what is asked for, as they were lately. Raises as `read_missing`."""
    asked = replace(question, reason="", after="", size=1)
    return context.lately(("missing", asked), lambda: _counted(context, asked), RECENTLY_SECONDS)


def _counted(context: Context, asked: MissingQuestion) -> CountedMissing:
    report = read_missing(context, asked)
    return CountedMissing(report.now, report.counts, report.total, report.follow_ups)

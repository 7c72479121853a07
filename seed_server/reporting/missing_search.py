"""Finds PCs that lack patches a page at a time, and what one PC lacks, without a look at all the others. Blocking.

`missing_queries.read_missing` counts all of them, and so looks at each PC for each patch. Here a page ends when it is
full, or when as many were looked at as an answer has time for: then it may have few rows, and goes on behind the last
one that was looked at.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from seed_server.fleet.context import Context
from seed_server.fleet.paging import end_of_page, shown_no_more
from seed_server.reporting.judged_patches import PatchesAsked, patches_asked_for, report_head
from seed_server.reporting.missing_queries import MissingPc, MissingQuestion, look_for, missing_look
from seed_server.store.count_rows import MAX_PAGE_ROWS, PatchHead

MOST_SEARCHED = 3_000  # PCs that lack a patch, for one page: a tenth of a second
MOST_SEARCHES = 8  # of the database, for one page: for each patch that few lack, all PCs are passed over
_CURSOR = re.compile(r"([0-9]{1,10})-([0-9]{1,10})")


@dataclass(frozen=True)
class FoundMissing:
    """A page of PCs that lack patches."""

    now: float
    serving: bool
    patches: Sequence[PatchHead]
    """Of which patches it may have rows."""
    rows: Sequence[MissingPc]
    after: str = ""
    """What the next page begins behind; empty: this is the last one."""
    unfinished_search: bool = False
    """It ended as many were searched, and not as it is full."""


@dataclass(frozen=True)
class LackedPatches:
    """What one PC lacks."""

    now: float
    rows: Sequence[MissingPc]
    """The patch that comes first, first: as `FleetHead.patches`."""


def find_missing(context: Context, question: MissingQuestion, *, most: int = MOST_SEARCHED) -> FoundMissing:
    """Return a page of what is asked for: by patch, then in the order of their enrolment. ``most`` is searched.

    Raises `UserError`: BAD_INPUT for a patch, site or page that is not known; NOT_SET_UP, STORAGE, BUSY.
    """
    with context.database() as database, database.one_state():
        look = look_for(context, database, question)
        patches, endpoint = _rest(look.patches, question.after)
        rows: list[MissingPc] = []
        searched, last = 0, (0, 0)
        size = min(look.page_rows, most, MAX_PAGE_ROWS)
        if not look.chooses:  # all that are looked at are shown, and one more tells that there are others
            size = min(size, question.size + 1)
        few = look.few(database)
        holds = None if few is None else look.holds.of(few)
        for stretch in look.stretches(database, patches, endpoint, size, few):
            if searched >= most or stretch.asked > MOST_SEARCHES:
                return FoundMissing(look.now, look.serving, look.patches, rows, "{}-{}".format(*last), True)
            some = stretch.pcs
            for row in look.judged(stretch.patch, some, holds or look.holds.of([pc.endpoint for pc in some])):
                if look.wants(row):
                    if len(rows) == question.size:
                        return FoundMissing(look.now, look.serving, look.patches, rows, rows[-1].place)
                    rows.append(row)
            searched += len(some)
            last = stretch.patch.number, some[-1].endpoint if some else stretch.begin
    return FoundMissing(look.now, look.serving, look.patches, rows)


def lacked_by(context: Context, endpoint_id: str, *, silent_days: int) -> LackedPatches:
    """Return which patches an enrolled PC lacks, and why. Raises `UserError`."""
    with context.database() as database, database.one_state():
        patches = patches_asked_for(report_head(context, database), PatchesAsked(), context.clock.now())
        lacked = database.lacked_one_by_one(endpoint_id, [patch.number for patch in patches])
        look = missing_look(context, database, patches, silent_days=silent_days)
        holds = look.holds.of({pc.endpoint for pc in lacked.values()})
        rows = [
            row
            for patch in patches
            if (pc := lacked.get(patch.number)) is not None
            for row in look.judged(patch, [pc], holds)
        ]
    return LackedPatches(look.now, rows)


def _rest(patches: Sequence[PatchHead], after: str) -> tuple[Sequence[PatchHead], int]:
    """Return the patches from the one on where the page before has ended, and behind which PC."""
    if not after:
        return patches, 0
    patch, endpoint = map(int, end_of_page(_CURSOR, after).groups())
    for place, one in enumerate(patches):
        if one.number == patch:
            return patches[place:], endpoint
    raise shown_no_more()

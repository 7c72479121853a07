"""What one PC did, the newest step first, a page at a time; of the months that are in the database. Blocking."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from seed_server.fleet.context import Context
from seed_server.fleet.paging import end_of_page
from seed_server.signing.offers import parse_named
from seed_server.store.event_rows import Asked, HistoryRow
from seed_server.store.tables import REPORTED_SINCE

MAX_SKIPPED = 9_999  # steps of one second: a PC that enrols says a word of each patch at once
_CURSOR = re.compile(r"([0-9]{1,10})-([0-9]{1,4})")


@dataclass(frozen=True)
class StepsPage:
    """A page of steps."""

    rows: Sequence[HistoryRow]
    after: str = ""
    """What the next page begins behind; empty: this is the last one."""


def read_steps(
    context: Context, endpoint_id: str, *, patch: str = "", before: float | None = None, size: int, after: str = ""
) -> StepsPage:
    """Return what a PC did; of one patch, where ``patch`` (ID or ID@VERSION) is given.

    ``before``: only what it did until then, seconds since 1970.

    Raises `UserError`: BAD_INPUT for what is no name of a patch, and no end of a page; NOT_SET_UP, STORAGE, BUSY.
    """
    at, skipped = map(int, end_of_page(_CURSOR, after).groups()) if after else (None, 0)
    named = parse_named(patch) if patch else None
    ends = [] if before is None else [math.ceil(before)]
    ends += [] if at is None else [at + 1]
    asked = Asked(
        patch_id=named.patch_id if named else "",
        version=(named.version or "") if named else "",
        until=min(ends) - REPORTED_SINCE if ends else None,
    )
    with context.database() as database:
        sought = database.sought(asked)
        if sought.nothing:
            return StepsPage(())
        found = database.history_of(endpoint_id, size + skipped + 1, sought)
    here = sum(row.at == at for row in found[:skipped])  # some may be archived meanwhile
    rows = found[here : here + size]
    if len(found) <= here + size:
        return StepsPage(rows)
    last = int(rows[-1].at)
    same = sum(row.at == last for row in found[: here + size])
    return StepsPage(rows, f"{last}-{min(same, MAX_SKIPPED)}")

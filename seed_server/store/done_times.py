"""Since when a PC is done with a patch, as what it says follows on what it said before. Pure.

A PC is done where the patch is installed, where it has the proven file and says of no installation (as
`Reached.DELIVERED`), or where a newer version has taken the patch's place. It stays done while it only looks at its
file once more, as each start of its daemon does; everything else that it may say ends it.
"""

from seed_server.store.rows import SAYS_REPLACED
from seed_server.store.tables import said_code

LOOKS_AGAIN = frozenset({said_code("checking", ""), said_code("verifying", "")})
TALLY_SECONDS = 3_600  # done PCs are counted by the hour in which they came to be done: deadlines end with one
NOT_DONE, NOT_FOR_IT = 0, -1  # in the place of a moment


def said_done(state: str, install: str, reason: str, at: int) -> int:
    """Return since when a PC is done that says so for the first time at ``at``; or `NOT_DONE`, or `NOT_FOR_IT`."""
    if install == "not_applicable" and not reason.startswith(SAYS_REPLACED):
        return NOT_FOR_IT
    if install in {"installed", "not_applicable"} or (state == "verified" and install == ""):
        return max(1, at)
    return NOT_DONE


def done_since(before: int, now: int, said: int) -> int:
    """Return since when a PC is done that says ``said`` now, in seconds since `tables.REPORTED_SINCE`; or as below.

    ``before``: since when it was, by its word of before; ``now``: what `said_done` returns of its new word.
    """
    if before > 0 and (now > 0 or said in LOOKS_AGAIN):
        return before
    return now


def hour_of(done_at: int) -> int:
    """Return the hour in which a PC came to be done."""
    return done_at // TALLY_SECONDS

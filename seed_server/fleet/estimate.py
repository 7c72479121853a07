"""When those that are under way will be done, at the pace of the last hours. Pure."""

import enum
from dataclasses import dataclass

PACE_SECONDS = 3 * 3_600.0  # over which the pace is taken: long enough for a few PCs, short enough for a working day
LEAST_PCS = 5  # that came to the end in that time: fewer have no pace
LEAST_SECONDS = 60.0  # of a patch that was published just now


class NoPace(enum.Enum):
    """Why it is not known when the rest is done."""

    NOBODY = "no PC has finished it in the last 3 hours"
    TOO_FEW = "fewer than 5 PCs have finished it in the last 3 hours"


@dataclass(frozen=True)
class Estimate:
    """How long those that are connected and under way still take."""

    seconds: float | None
    """None: not known, or nobody is under way."""
    why_not: NoPace | None = None
    """Why it is not known; None: it is, or nobody is under way."""


def estimate(rest: int, done: int, seconds: float) -> Estimate:
    """Return when ``rest`` PCs are done, as ``done`` have come to the end in the last ``seconds``."""
    if not rest:
        return Estimate(None)
    if done < LEAST_PCS:
        return Estimate(None, NoPace.TOO_FEW if done else NoPace.NOBODY)
    return Estimate(rest * max(seconds, LEAST_SECONDS) / done)

"""How often PCs shall report while they fetch: what the server's records take, divided among all of them. Pure."""

from p2pdist.shared.wire.fields import DEFAULT_REPORT_SECONDS
from p2pdist.shared.wire.messages import Pace

REPORTS_PER_SECOND = 400  # of counters and states that pass: the records take some thousand, of decisions too
SLOWEST_REPORT_SECONDS = 64.0  # 25,000 PCs; beyond, an operator's view is not fresh enough


def pace_for(connected: int, reports_per_second: float = REPORTS_PER_SECOND) -> Pace:
    """Return the pace of each PC while so many are connected.

    It doubles in steps, so that it is not another one with each PC that comes or goes.
    """
    seconds = DEFAULT_REPORT_SECONDS
    while connected > seconds * reports_per_second and seconds < SLOWEST_REPORT_SECONDS:
        seconds *= 2
    return Pace(report_seconds=seconds)

"""What earlier patches tell of the next one: how long installations take. Pure."""

import math
import statistics
from collections.abc import Sequence

from seed_server.reporting.plan_facts import InstallTimes
from seed_server.store.plan_rows import InstallWord

LEAST_INSTALLATIONS = 10  # fewer tell nothing
ASSUMED = InstallTimes(median_seconds=180.0, spread=0.6, known=False)
MOST_INSTALL_SECONDS = 6 * 3_600  # as a recipe allows: what is longer was interrupted


def install_times(steps: Sequence[InstallWord]) -> InstallTimes:
    """Return how long installations took, by the steps of PCs, the oldest first."""
    begun: dict[tuple[int, int], int] = {}
    found: list[float] = []
    for step in steps:
        key = step.endpoint, step.patch
        if not step.ended:
            begun[key] = step.at
        elif (at := begun.pop(key, None)) is not None and 0 <= step.at - at <= MOST_INSTALL_SECONDS:
            found.append(math.log(max(1.0, step.at - at)))
    if len(found) < LEAST_INSTALLATIONS:
        return ASSUMED
    return InstallTimes(math.exp(statistics.median(found)), statistics.pstdev(found), known=True)

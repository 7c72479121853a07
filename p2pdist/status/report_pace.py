"""When news for the server that can wait is told: as often as it asks for, and not by all PCs at once. Pure."""

import math

from p2pdist.shared.wire.fields import DEFAULT_REPORT_SECONDS


class ReportPace:
    """The pace of one PC's reports; ``now``: seconds on any steady clock."""

    def __init__(self, share: float) -> None:
        """``share``: from 0 to 1, another one for each PC: the order in which PCs tell what happens to all of them."""
        self._share = share
        self.seconds = DEFAULT_REPORT_SECONDS
        """Between two reports of what can wait; set it as the server says."""
        self._told_at = -math.inf
        self._since: float | None = None

    @property
    def is_usual(self) -> bool:
        """Whether the server takes every new state at once, as in a fleet that is not large."""
        return self.seconds <= DEFAULT_REPORT_SECONDS

    def is_due(self, now: float) -> bool:
        """Return whether the news that there is now is to be told, though it can wait.

        It waits for a while even after a long silence: of a small patch, all states have passed by then, and one
        report tells of the last.
        """
        if self._since is None:
            self._since = now
        return now >= self.due_at

    @property
    def due_at(self) -> float:
        """When `is_due` of what waits; infinite when nothing does."""
        if self._since is None:
            return math.inf
        spread = self._share * max(0.0, self.seconds - DEFAULT_REPORT_SECONDS)
        return max(self._told_at + self.seconds, self._since + DEFAULT_REPORT_SECONDS + spread)

    def told(self, now: float) -> None:
        """Note that everything has been told."""
        self._told_at, self._since = now, None

    def nothing_waits(self) -> None:
        """Note that there is no news: what there was is as it was told before."""
        self._since = None

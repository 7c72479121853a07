"""Goes round the connected endpoints, a few at a time: of each it is recorded regularly that it is still there."""

import math
from collections.abc import Collection

from p2pdist.shared.identifiers import EndpointId

SEEN_SECONDS = 60.0  # "last seen" of a connected endpoint is at most this old after a power cut


class SeenRounds:
    """One round after the other, each over those that were connected when it began."""

    def __init__(self) -> None:
        self._left: list[EndpointId] = []
        self._at_a_time = 0

    def next(self, connected: Collection[EndpointId], step_seconds: float) -> list[EndpointId]:
        """Return the next few, asked every ``step_seconds``; some may have gone since the round began."""
        if not self._left:
            self._left = list(connected)
            self._at_a_time = math.ceil(len(self._left) * step_seconds / SEEN_SECONDS)
        some, self._left = self._left[-self._at_a_time :], self._left[: -self._at_a_time]
        return some if self._at_a_time else []

"""How many steps of each PC the history keeps: one PC does not take the room of all others. Pure.

An honest one takes some ten steps with a patch, and 300 patches a month; a new one has all patches before it at once.
A hostile one could say thousands in a second: two states of each patch by turns.
"""

STEPS_AT_ONCE = 20_000  # all patches that there may be, from the first byte to the installation
STEPS_A_DAY = 1_000  # in the long run

STEPS_MISSING = "(it reports too much: some of what it did then is not kept)"
"""Stands in the history, in the place of why, at the last step that is kept."""

_DAY_SECONDS = 86_400


class StepPace:
    """What is left to each PC, since this process began."""

    def __init__(self, at_once: int = STEPS_AT_ONCE, a_day: int = STEPS_A_DAY) -> None:
        self._at_once, self._a_day = at_once, a_day
        self._left: dict[int, tuple[float, int]] = {}
        """By the number of a PC: how many steps, and when that was so."""

    def keeps(self, endpoint: int, at: int) -> bool:
        """Whether a further step of a PC, at a time in seconds, is kept."""
        left, since = self._left.get(endpoint, (float(self._at_once), at))
        left = min(self._at_once, left + max(0, at - since) * self._a_day / _DAY_SECONDS)
        kept = left >= 1
        self._left[endpoint] = (left - kept, at)
        return kept

    def spent(self, endpoint: int) -> bool:
        """Whether a further step would not be kept now."""
        return endpoint in self._left and self._left[endpoint][0] < 1

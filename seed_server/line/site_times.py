"""For how long a site was sent to, by what the decision was. Pure."""

from collections.abc import Mapping

from bandwidth.core.reason_seconds import ReasonSeconds
from bandwidth.core.states import State


class SiteTimes:
    """Seconds in which the site was sent to, under each cause; ``now`` is any clock in seconds."""

    def __init__(self, before: Mapping[str, float] | None = None, yielding_before: float = 0.0) -> None:
        """``before``: seconds under each cause in earlier runs of the server; so many of them yielding."""
        self._spent = ReasonSeconds[tuple[State, str]]()
        self._before = dict(before or {})
        self._yielding_before = yielding_before

    def note(self, state: State, cause: str, now: float) -> None:
        """Take in that the site is in this state, for this cause, from ``now`` on."""
        self._spent.note((state, cause), now)

    def interrupt(self) -> None:
        """Count nothing from the last decision to the next one: nothing was sent."""
        self._spent.interrupt()

    @property
    def by_cause(self) -> dict[str, float]:
        """Seconds under each cause that ever held."""
        found = dict(self._before)
        for (_, cause), seconds in self._spent.seconds().items():
            found[cause] = found.get(cause, 0.0) + seconds
        return found

    @property
    def yielding(self) -> float:
        """Seconds in which the site yielded to business."""
        spent = self._spent.seconds().items()
        return self._yielding_before + sum(seconds for (state, _), seconds in spent if state is State.YIELD)

    @property
    def sending(self) -> float:
        """Seconds in all."""
        return sum(self.by_cause.values())

"""Tells the server this PC's facts by which rings choose: on each connection, and when one has changed."""

from collections.abc import Callable

from p2pdist.daemon.state import DaemonState
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.ring_facts import told_facts
from p2pdist.shared.wire.messages import FactsChanged


class FactNews:
    """What the server has been told."""

    def __init__(self, state: DaemonState, facts: Callable[[], Facts]) -> None:
        """``facts``: this PC's, as last gathered."""
        self._state = state
        self._facts = facts
        self._told: tuple[int, dict[str, int | str]] | None = None

    def news(self) -> list[FactsChanged]:
        """Return what the server shall hear now: nothing, or one message."""
        if not self._state.takes_facts:
            return []
        now = self._state.welcomes, told_facts(self._facts())
        if now == self._told:
            return []
        self._told = now
        return [FactsChanged(values=now[1])]

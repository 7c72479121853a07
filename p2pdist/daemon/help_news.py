"""Tells the server how far this PC helps its neighbours, when that has changed."""

from collections.abc import Callable
from typing import Literal

from p2pdist.daemon.state import DaemonState
from p2pdist.shared.wire.messages import Helping

How = Literal["full", "less", "none"]


class HelpNews:
    """What the server has been told."""

    def __init__(self, state: DaemonState, how: Callable[[], How]) -> None:
        """``how``: how far this PC helps now."""
        self._state = state
        self._how = how
        self._told: tuple[int, How] = (0, "full")

    def news(self) -> list[Helping]:
        """Return what the server shall hear now: nothing, or one message."""
        how, (welcomes, told) = self._how(), self._told
        if welcomes != self._state.welcomes:
            told = "full"  # until this connection hears otherwise
        self._told = (self._state.welcomes, how)
        return [] if how == told else [Helping(how=how)]

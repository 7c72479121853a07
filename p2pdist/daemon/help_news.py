"""Tells the server how far this PC helps its neighbours, when that has changed."""

from collections.abc import Callable
from typing import Literal

from p2pdist.shared.wire.messages import Helping

How = Literal["full", "less", "none"]


class HelpNews:
    """What the server has been told."""

    def __init__(self, how: Callable[[], How]) -> None:
        """``how``: how far this PC helps now."""
        self._how = how
        self._told: How = "full"

    def forget(self) -> None:
        """Begin anew: this server, or this connection, has been told nothing yet."""
        self._told = "full"

    def news(self) -> list[Helping]:
        """Return what the server shall hear now: nothing, or one message."""
        how = self._how()
        if how == self._told:
            return []
        self._told = how
        return [Helping(how=how)]

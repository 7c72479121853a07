"""How long the ledger waits for what endpoints do and say. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from p2pdist.shared.lan_patience import lan_patience_seconds

STORED_GRACE_SECONDS = 5.0  # a Want that was composed before a piece was stored may arrive after the news of it
TURN_SECONDS = 10.0  # enough for TCP to have found the line's rate; a fetcher that is worth nothing costs so much
IDLE_TURN_SECONDS = 3.0  # a fetcher that neither takes nor stores anything gives its slot to whoever waits


@dataclass(frozen=True)
class LedgerTimes:
    """The times of a ledger; a server uses the defaults."""

    stored_grace_seconds: float = STORED_GRACE_SECONDS
    confirm_seconds: Callable[[int], float] = lan_patience_seconds
    """For a piece's length: how long neighbours have to get pieces from each other."""
    turn_seconds: float = TURN_SECONDS
    idle_turn_seconds: float = IDLE_TURN_SECONDS


DEFAULT_TIMES = LedgerTimes()

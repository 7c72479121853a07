"""How long the ledger waits for what endpoints do and say. Pure."""

from dataclasses import dataclass

STORED_GRACE_SECONDS = 5.0  # a Want that was composed before a piece was stored may arrive after the news of it
CONFIRM_SECONDS = 20.0  # for pieces to reach neighbours: as long as an endpoint itself waits for its LAN
LEAST_LAN_BYTES_PER_SECOND = 125_000  # 1 Mbit/s: a LAN that is slower is no help …
LAN_PIECES = 4  # … and of large pieces, so many must fit into that time: several are under way at once
TURN_SECONDS = 10.0  # enough for TCP to have found the line's rate; a fetcher that is worth nothing costs so much
IDLE_TURN_SECONDS = 3.0  # a fetcher that neither takes nor stores anything gives its slot to whoever waits


@dataclass(frozen=True)
class LedgerTimes:
    """The times of a ledger; a server uses the defaults."""

    stored_grace_seconds: float = STORED_GRACE_SECONDS
    confirm_seconds: float = CONFIRM_SECONDS
    turn_seconds: float = TURN_SECONDS
    idle_turn_seconds: float = IDLE_TURN_SECONDS

    def for_pieces_of(self, piece_bytes: int) -> "LedgerTimes":
        """Return the times for such pieces: large ones take longer on a slow LAN."""
        least_seconds = LAN_PIECES * piece_bytes / LEAST_LAN_BYTES_PER_SECOND
        if self.confirm_seconds >= least_seconds:
            return self
        return LedgerTimes(self.stored_grace_seconds, least_seconds, self.turn_seconds, self.idle_turn_seconds)


DEFAULT_TIMES = LedgerTimes()

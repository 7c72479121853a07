"""What was learned of a line, as it is kept for the next start of the program. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineMemory:
    """What is known of a line that nobody has described."""

    capacity: float
    """Bytes per second, as last seen: without the decay since then."""
    age_seconds: float
    """Since the line last showed its capacity."""
    round_trip_seconds: float | None = None
    """Of the empty line; None: not known."""
    loss_share: float | None = None
    """Part of our segments that the line itself usually loses, 0 to 1; None: not known."""

"""How long a LAN may take to bring a piece before the line is used instead. Pure.

Endpoint and server share it: the endpoint says by it that its LAN has stalled, and the server ceases by it to believe
what does not come true. Pieces count, not bytes: a neighbour that sends a block now and then brings nothing.
"""

LAN_STALL_SECONDS = 20.0  # several request timeouts of a LAN peer; even a busy LAN delivers something in this time
LEAST_LAN_BYTES_PER_SECOND = 125_000  # 1 Mbit/s: a LAN that is slower is no help …
LAN_PIECES = 4  # … and of large pieces, so many must fit into that time: several are under way at once


def lan_patience_seconds(piece_bytes: int) -> float:
    """Return how long not one piece of ``piece_bytes`` may come from the LAN."""
    return max(LAN_STALL_SECONDS, LAN_PIECES * piece_bytes / LEAST_LAN_BYTES_PER_SECOND)

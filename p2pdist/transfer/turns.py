"""Which transfers begin now, and which wait for others."""

from collections import Counter
from collections.abc import Iterable

from p2pdist.transfer.transfer import Transfer

# A small file is here in a moment, and most of that is waiting for connections: many at a time take no longer than one.
SMALL_BYTES = 1 << 20
MAX_LARGE_AT_A_TIME, MAX_SMALL_AT_A_TIME = 4, 128  # of as urgent ones whose bytes flow: so many of the one or the other
MAX_STARTS_AT_ONCE = 16  # so that the first ones move on while the others are still to begin
_ROOM = MAX_LARGE_AT_A_TIME * MAX_SMALL_AT_A_TIME


def next_to_start(transfers: Iterable[Transfer], now: float) -> tuple[list[Transfer], bool]:
    """Return which of the waiting transfers begin now, and whether more can begin right after them.

    What is missing goes first, in the order of `Transfer.turn`; what is less urgent goes on, but keeps nothing waiting.
    What was proven in an earlier run needs no room. `Transfer.queued` is set where one waits for others. ``now`` is
    trio's clock.
    """
    under_way = Counter[int]()
    waiting, proven = list[Transfer](), list[Transfer]()
    for transfer in transfers:
        if transfer.held or transfer.part is not None:
            continue  # a parcel takes the room of none
        if transfer.state == "waiting":
            (waiting if transfer.record.verified_mtime_ns is None else proven).append(transfer)
        elif transfer.busy(now):
            under_way[transfer.urgency] += _share(transfer)
    starting = list[Transfer]()
    behind = False
    for transfer in sorted(waiting, key=lambda transfer: transfer.turn):
        if not behind:
            ahead = sum(share for urgency, share in under_way.items() if urgency <= transfer.urgency)
            # small ones behind a large one would take each bit of room before it is enough for the large one
            behind = ahead + _share(transfer) > _ROOM
        transfer.queued = behind
        if not behind:
            under_way[transfer.urgency] += _share(transfer)
            starting.append(transfer)
    starting += proven
    return starting[:MAX_STARTS_AT_ONCE], len(starting) > MAX_STARTS_AT_ONCE


def _share(transfer: Transfer) -> int:
    """Return how much of the room it takes."""
    return MAX_LARGE_AT_A_TIME if transfer.payload.length_bytes <= SMALL_BYTES else MAX_SMALL_AT_A_TIME

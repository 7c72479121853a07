"""When a neighbour is tried again, by why it is not connected. Pure."""

from p2pdist.shared.backoff import Backoff
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason

_AT_ONCE = Backoff(first_seconds=1.0, longest_seconds=30.0)  # it begins with a torrent a moment later than this PC
_AT_ONCE_REASONS = frozenset({PeerReason.NOT_SHARED, PeerReason.STILL_CHECKING})
_SOON = Backoff(first_seconds=2.0, longest_seconds=30.0)
_LATER = Backoff(first_seconds=60.0, longest_seconds=600.0)  # for reasons that last until a person or a renewal acts
_LATER_REASONS = frozenset(
    {
        PeerReason.CERTIFICATE_REFUSED,
        PeerReason.REFUSED_OUR_CERTIFICATE,
        PeerReason.SENT_BAD_DATA,
        PeerReason.ITSELF,
        PeerReason.BOTH_COMPLETE,
    }
)


def pause_seconds(reason: PeerReason, failures: int, jitter: float) -> float:
    """Return how long to wait after so many failures in a row, the last for ``reason``; as `Backoff.delay_seconds`."""
    backoff = _SOON
    if reason in _AT_ONCE_REASONS:
        backoff = _AT_ONCE
    elif reason in _LATER_REASONS:
        backoff = _LATER
    return Backoff(backoff.first_seconds, backoff.longest_seconds, failures).delay_seconds(jitter)

"""What the server may send, max-min fair over the sites. Pure."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

from bandwidth.core.allocator import share_max_min
from bandwidth.core.decision import LEAST_RATE
from bandwidth.core.units import BytesPerSecond

K = TypeVar("K", bound=Hashable)


def share_egress(total: BytesPerSecond, wanted: Mapping[K, BytesPerSecond]) -> dict[K, BytesPerSecond]:
    """Return the ceiling of each active site, from the rate that each would use.

    The ceilings add up to ``total`` at most, except that each is at least
    `LEAST_RATE`, which a site's sensors need. What nobody wants is divided
    equally, so that a site whose demand grows need not wait for the next division.
    """
    parts = share_max_min(total, wanted)
    spare = max(0, total - sum(parts.values())) // max(1, len(parts))
    return {site: BytesPerSecond(max(LEAST_RATE, part + spare)) for site, part in parts.items()}

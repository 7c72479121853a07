"""The round trips of the pings to all of a site's PCs, as one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

Key: TypeAlias = Any
"""How the caller identifies a link or an endpoint; hashable."""

KNOWN_PINGS_SHARE = 0.5  # of the pings of the endpoint with the most: with fewer, its minimum may be chance
MAX_ENDPOINTS_KNOWN = 4_096
NOBODY_LATE: Mapping[Key, float] = MappingProxyType({})


@dataclass
class _Endpoint:
    least_seconds: float
    pings: int = 1


class SitePings:
    """Keeps each endpoint's least round trip, in seconds."""

    def __init__(self) -> None:
        self._endpoints: dict[Key, _Endpoint] = {}

    @property
    def least_seconds(self) -> float | None:
        """The least round trip of all; None before the first one."""
        return min((endpoint.least_seconds for endpoint in self._endpoints.values()), default=None)

    def queue(self, pings: Mapping[Key, float], late: Mapping[Key, float]) -> float | None:
        """Return the queue that everybody's ``pings`` met, in seconds; None without pings.

        ``late``: so much of them, as the PCs say, was their own lateness.
        """
        for endpoint, seconds in pings.items():
            met = self._endpoints.get(endpoint)
            if met is None:
                if len(self._endpoints) >= MAX_ENDPOINTS_KNOWN:
                    self._endpoints.pop(next(key for key in self._endpoints if key not in pings))
                self._endpoints[endpoint] = _Endpoint(seconds)
            else:
                met.pings += 1
                met.least_seconds = min(met.least_seconds, seconds)
        if not pings:
            return None
        most = max(self._endpoints[endpoint].pings for endpoint in pings)
        known = [endpoint for endpoint in pings if self._endpoints[endpoint].pings >= KNOWN_PINGS_SHARE * most]
        # the line's queue delays all PCs: a delay of one PC alone is that PC's
        queue = min(pings[endpoint] - self._endpoints[endpoint].least_seconds for endpoint in known)
        # the least of these too: where one PC says that it is not late, no other one's word hides a queue
        return queue - min(late.get(endpoint, 0.0) for endpoint in known)

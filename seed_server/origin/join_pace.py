"""How often one endpoint may newly appear in its neighbours' lists. Pure.

Each time, 40 neighbours are told of it over the site's line. The endpoint may connect to the server as often as it
likes.
"""

from collections import OrderedDict

from p2pdist.shared.identifiers import EndpointId

FREE_JOINS = 3  # at once: a restart and two new addresses, as on a bad day …
JOIN_SECONDS = 30.0  # … then one in this time; mDNS finds the endpoint before that
MAX_REMEMBERED_JOINS = 40_000  # more than there are PCs; a forgotten endpoint has its free joins again


class JoinPace:
    """Counts joins by endpoint; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._paid_until: OrderedDict[EndpointId, float] = OrderedDict()
        """When the joins so far have been paid for, at one in `JOIN_SECONDS`."""

    def may_join(self, endpoint: EndpointId, now: float) -> bool:
        """Return whether ``endpoint`` may join now; if so, it counts as done."""
        paid_until = max(now, self._paid_until.get(endpoint, now))
        if paid_until - now > (FREE_JOINS - 1) * JOIN_SECONDS:
            return False
        self._paid_until[endpoint] = paid_until + JOIN_SECONDS
        self._paid_until.move_to_end(endpoint)
        while len(self._paid_until) > MAX_REMEMBERED_JOINS:
            self._paid_until.popitem(last=False)
        return True

"""Which PCs of a site are asked to open a data connection: those that shall fetch.

A second TLS connection costs the server as much memory as the first, and each handshake some 4 kB of the line. So a
PC opens it when it is asked. Where it was of no use, more are asked, one after the other: so whatever one PC does,
the others get their turns. Of those that have a former version as many are asked as of all: at a publication that is
nearly every PC. While the site may be sent nothing, nobody is asked: it would be for nothing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.features import INVITES
from p2pdist.shared.wire.fields import Features
from p2pdist.shared.wire.messages import DataWanted
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.leasing.turns import FetcherRank
from seed_server.origin.outbox import Outbox

INVITED_SECONDS = 3.0  # TCP and TLS take three round trips: whoever has not come by then is not waited for


class Guest(Protocol):
    """A connected endpoint, as far as its invitation is concerned."""

    endpoint: EndpointId
    features: Features
    rank: FetcherRank
    outbox: Outbox

    @property
    def link(self) -> object | None:
        """Its data connection."""


class Invitations:
    """Those of one site; ``now`` is any clock in seconds."""

    def __init__(
        self,
        ledger: SiteLedger,
        sessions: Mapping[EndpointId, Guest],
        may_send: Callable[[float], bool] = lambda _now: True,
    ) -> None:
        """``may_send``: whether the site may be sent pieces at a time."""
        self._ledger = ledger
        self._may_send = may_send
        self._sessions = sessions
        self._invited: dict[EndpointId, float] = {}
        """When who was asked that has not come yet."""
        self._next_at = 0.0

    def lacks(self, guest: Guest, now: float) -> None:
        """Ask ``guest``, which has just said that it lacks something, unless enough others can fetch."""
        coming = self._coming(now, building=self._ledger.builders.any_of(guest.endpoint))
        if coming < self._ledger.fetchers and self._may_send(now) and self._may_be_asked(guest, now):
            self._invite(guest, now)

    def builds(self, guest: Guest, now: float) -> None:
        """Ask ``guest``, which has just said of what it has a former version, unless enough others that have can."""
        if self._ledger.builders.any_of(guest.endpoint):
            self.lacks(guest, now)

    def news(self, ranked: Sequence[Guest], now: float, *, long: bool) -> None:
        """Ask who shall fetch as soon as there is news, where a round trip is ``long``: soon they will lack something.

        ``ranked``: all, the likeliest fetcher first. A connection stands after three
        round trips, and a PC knows what it lacks after two.
        """
        if not long or not self._may_send(now):
            return
        free = self._ledger.fetchers - self._coming(now)
        for guest in ranked[: max(0, free)]:
            if guest.link is None and INVITES in guest.features and not self._is_expected(guest.endpoint, now):
                self._invite(guest, now)

    def poll(self, now: float) -> None:
        """Ask one more, if pieces are needed that others have had time to fetch."""
        if now < self._next_at or not self._may_send(now):
            return
        self._next_at = now + INVITED_SECONDS
        waiting = [self._sessions[endpoint] for endpoint in self._ledger.lacking() if endpoint in self._sessions]
        for guest in sorted(waiting, key=self._order):
            if self._may_be_asked(guest, now):
                self._invite(guest, now)
                return

    def _may_be_asked(self, guest: Guest, now: float) -> bool:
        if guest.link is not None or INVITES not in guest.features:
            return False
        if self._is_expected(guest.endpoint, now):
            return False
        return self._ledger.could_fetch(guest.endpoint, now)

    def _is_expected(self, endpoint: EndpointId, now: float) -> bool:
        return now - self._invited.get(endpoint, -math.inf) < INVITED_SECONDS

    def _order(self, guest: Guest) -> tuple[float, bool, tuple[bool, bool, int, EndpointId]]:
        builds = self._ledger.builders.any_of(guest.endpoint)
        return (self._invited.get(guest.endpoint, -math.inf), not builds, guest.rank.order)

    def _coming(self, now: float, *, building: bool = False) -> int:
        """Return how many can fetch, or will in a moment; ``building``: of those that have a former version."""
        for endpoint in list(self._invited):
            if endpoint not in self._sessions or self._sessions[endpoint].link is not None:
                del self._invited[endpoint]
        soon = [endpoint for endpoint, asked_at in self._invited.items() if now - asked_at < INVITED_SECONDS]
        soon += filter(self._ledger.lacks, self._ledger.ready)
        return sum(map(self._ledger.builders.any_of, soon)) if building else len(soon)

    def _invite(self, guest: Guest, now: float) -> None:
        self._invited[guest.endpoint] = now
        self._next_at = now + INVITED_SECONDS
        guest.outbox.put("data_wanted", DataWanted())

"""The web port's part of each site's line: metadata is paced like pieces are, and counted where pieces are decided on.

One token bucket for each site, and one for the server's own line. Their rates follow what the site's controller
allows now; what is sent is reported to it, so that it sends that much less of pieces.

Answers that wait get their bytes one after the other, the first one first: if all went on at once over a slow line,
none would end before its client gives up. Whoever has had much lately comes after all others. A client that does not
read is not waiting, and holds up nobody.
"""

import heapq
import itertools
import weakref
from collections.abc import Callable
from typing import Protocol, TypeAlias

import trio

from bandwidth.core.sensors import SEGMENT_BYTES
from bandwidth.core.token_bucket import TokenBucket
from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId
from seed_server.line.control_budget import line_bytes
from seed_server.line.other_traffic import OtherTraffic
from seed_server.line.site_rate import SiteRate

SLICE_BYTES_MOST = 16 << 10  # sent at a time, …
LUMP_SECONDS = 0.1  # of the line: what goes to it as one lump is as long as that, …
LEAST_LUMP_BYTES = 4 << 10  # … or as one usual publication
SLICE_SECONDS = 0.02  # … or what the line carries in so long, or one segment
RATE_SEEN_SECONDS = 0.25  # how soon a wait sees that the rate has changed

Order: TypeAlias = tuple[int, int, int]
"""Of an answer: its rank, then when it began, then a number of its own; the lowest is served first."""


class Lines(Protocol):
    """Knows each site's line."""

    def rate_towards(self, address: str, endpoint: EndpointId) -> SiteRate:
        """Return the rate of the site of an endpoint that is seen at ``address``."""

    def known_rate(self, address: str) -> SiteRate | None:
        """Return the rate of the site of ``address``, None where nothing is known of it."""


class AnswerPace(Protocol):
    """Paces one answer."""

    async def may_send(self, wanted: int) -> int:
        """Wait until something may be sent; return how much of ``wanted`` bytes, which counts as sent."""


class AnswersLine(Protocol):
    """What the web port's answers are paced by and counted on."""

    def answer(self, address: str, endpoint: EndpointId, *, rank: int = 0) -> AnswerPace:
        """Return what paces an answer to ``address``; one of a lower ``rank`` goes first."""

    def sent(self, address: str, count: int) -> None:
        """Count a small answer to anybody, which is not delayed."""


class MetadataLine:
    """Says how much of a body may be sent now; one for the whole server."""

    def __init__(self, lines: Lines, *, egress: BytesPerSecond | None, others: OtherTraffic) -> None:
        """``egress``: what metadata may use of the server's line, None: no cap; ``others`` counts all that is sent."""
        self._lines = lines
        self._others = others
        self._egress = None if egress is None else _Bucket(lambda _: egress)
        self._sites: weakref.WeakKeyDictionary[SiteRate, _Bucket] = weakref.WeakKeyDictionary()
        self._begun = itertools.count()

    def answer(self, address: str, endpoint: EndpointId, *, rank: int = 0, begun: int | None = None) -> "PacedAnswer":
        """Return what paces an answer to ``address``; one of a lower ``rank`` goes first.

        ``begun``: the `PacedAnswer.begun` of an earlier part of the same answer, whose place in the order it keeps.
        """
        rate = self._lines.rate_towards(address, endpoint)
        site = self._sites.get(rate)
        if site is None:
            site = self._sites[rate] = _Bucket(_allowed(rate))
        number = next(self._begun)
        order = (rank, number if begun is None else begun, number)
        return PacedAnswer(rate, site, self._egress, self._others, order)

    def sent(self, address: str, count: int) -> None:
        """Count a small answer to anybody, which is not delayed."""
        _count(line_bytes(count), self._lines.known_rate(address), self._others)


class PacedAnswer:
    """Paces one answer."""

    def __init__(
        self, rate: SiteRate, site: "_Bucket", egress: "_Bucket | None", others: OtherTraffic, order: Order
    ) -> None:
        self._rate = rate
        self._site = site
        self._egress = egress
        self._others = others
        self._order = order

    @property
    def begun(self) -> int:
        """Its place among the answers of its rank."""
        return self._order[1]

    @property
    def lump_bytes(self) -> int:
        """How much may go at once as one lump, without a longer queue than a call takes."""
        return max(LEAST_LUMP_BYTES, int(self._rate.metadata_rate(trio.current_time()) * LUMP_SECONDS))

    async def may_send(self, wanted: int) -> int:
        """Wait until something may be sent; return how much of ``wanted`` bytes, which counts as sent."""
        part = min(wanted, self._site.slice_bytes)
        await self._site.take(part, self._order)
        if self._egress is not None:
            await self._egress.take(part, self._order)
        _count(line_bytes(part), self._rate, self._others)
        return part


def _allowed(rate: SiteRate) -> Callable[[float], BytesPerSecond]:
    known = weakref.ref(rate)  # a strong one would keep it for ever: it is the key under which the bucket is found

    def allowed(now: float) -> BytesPerSecond:
        rate = known()
        assert rate is not None, "an answer that is paced has the rate"
        return rate.metadata_rate(now)

    return allowed


class _Bucket:
    """A token bucket whose users are served in order; ``allowed`` tells its rate at a time."""

    def __init__(self, allowed: Callable[[float], BytesPerSecond]) -> None:
        self._allowed = allowed
        self._waiting: list[Order] = []
        """A heap."""
        self._first: dict[Order, trio.Event] = {}
        """What tells a waiting user that it may be the first now."""
        now = trio.current_time()
        self._tokens = TokenBucket(allowed(now), burst_bytes=SLICE_BYTES_MOST, now_ns=_ns(now))

    @property
    def slice_bytes(self) -> int:
        """What should be sent at a time."""
        rate = self._allowed(trio.current_time())
        return min(SLICE_BYTES_MOST, max(SEGMENT_BYTES, int(rate * SLICE_SECONDS)))

    async def take(self, count: int, order: Order) -> None:
        """Wait for ``count`` bytes' tokens, and take them."""
        heapq.heappush(self._waiting, order)
        try:
            while (wait_seconds := self._wait_seconds(count, order)) > 0:
                self._first[order] = trio.Event()
                with trio.move_on_after(wait_seconds):
                    await self._first[order].wait()
        finally:
            self._first.pop(order, None)
            self._waiting.remove(order)
            heapq.heapify(self._waiting)
            if self._waiting and (first := self._first.get(self._waiting[0])) is not None:
                first.set()
        await trio.lowlevel.checkpoint()

    def _wait_seconds(self, count: int, order: Order) -> float:
        """Return 0 and take the tokens if they are there and nobody comes before; else how long to wait."""
        if self._waiting[0] != order:
            return float("inf")  # who is first wakes the next one
        now = trio.current_time()
        self._tokens.set_rate(self._allowed(now), _ns(now))
        wait_ns = self._tokens.wait_ns(count, _ns(now))
        if wait_ns == 0:
            self._tokens.consume(count, _ns(now))
            return 0.0
        return RATE_SEEN_SECONDS if wait_ns is None else min(RATE_SEEN_SECONDS, wait_ns / 1e9)


def _count(count: int, rate: SiteRate | None, others: OtherTraffic) -> None:
    if rate is not None:
        rate.control.count(count)
    others.sent(count, trio.current_time())


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)

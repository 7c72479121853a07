"""Web pages: what a person at the site waits for.

A page is an HTML document on one connection, then objects on six connections
(the limit of browsers for HTTP/1.1; HTTP/2 to several hosts looks much the same).
A new connection costs TCP's and TLS 1.3's round trips, through the queue like
everything else. Sizes and times depend only on the seed and the page's number, so
that a page is the same in the runs that are compared.
"""

import random
from dataclasses import dataclass
from typing import Any

from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.flows.tcp import PACKET_BYTES, TcpSender
from bandwidth.simulator.path import NetworkPath

CONNECTIONS = 6
TLS_PACKETS = 3  # ServerHello to Finished with a certificate chain


@dataclass(frozen=True)
class PageShape:
    """What a page consists of, and how long a person looks at it."""

    document_bytes: int
    objects: int
    object_bytes: int
    """Of an object, on average."""
    varied: bool
    """Whether sizes and times have an exponential distribution; else sizes are equal, and times differ by half."""
    tls_packets: int
    """That the server sends before the first answer."""
    think_seconds: float
    """From the end of one page to the start of the next, on average."""

    def draw_object_bytes(self, draw: random.Random) -> float:
        """Return the size of an object."""
        return draw.expovariate(1 / self.object_bytes) if self.varied else self.object_bytes

    def draw_think_seconds(self, draw: random.Random) -> float:
        """Return how long a page is looked at."""
        return (draw.expovariate(1.0) if self.varied else draw.uniform(0.5, 1.5)) * self.think_seconds


USUAL_PAGE = PageShape(30_000, 30, 20_000, True, TLS_PACKETS, 3.0)
LAB_PAGE = PageShape(50_000, 18, 25_000, False, 0, 1.0)
"""As `bench.lab.programs` loads them, one soon after the other."""


def in_packets(size_bytes: float) -> int:
    """Return how many packets carry ``size_bytes``."""
    return max(1, -(-int(size_bytes) // PACKET_BYTES))


class WebUser:
    """Loads pages one after the other. ``pages`` are (started at, seconds until the last byte)."""

    __slots__ = (
        "_connections",
        "_left",
        "_objects",
        "_page_at",
        "_path",
        "_randomness",
        "_shape",
        "_simulator",
        "_stages",
        "delivered_before",
        "key",
        "pages",
        "running",
    )

    def __init__(self, path: NetworkPath, randomness: random.Random, shape: PageShape = USUAL_PAGE) -> None:
        self._path = path
        self._shape = shape
        self._simulator = path.simulator
        self._randomness = randomness
        self.key = path.next_key()
        self.pages: list[tuple[float, float]] = []
        self.running = False
        self.delivered_before = 0
        self._connections: list[CubicSender] = []
        self._stages: dict[int, list[int]] = {}
        self._objects: list[int] = []
        self._left = 0
        self._page_at = 0.0

    @property
    def delivered_bytes(self) -> int:
        """Of all connections so far."""
        return self.delivered_before + sum(connection.delivered_bytes for connection in self._connections)

    def connections(self) -> dict[int, int]:
        """See `BusinessFlow`."""
        return {connection.key: connection.delivered_bytes for connection in self._connections}

    def start(self, _: Any = None) -> None:
        """Open the first page."""
        self.running = True
        self._open_page(None)

    def stop(self, _: Any = None) -> None:
        """Open no more pages."""
        self.running = False

    def _open_page(self, _: Any) -> None:
        if not self.running:
            return
        self._page_at = self._simulator.now
        draw = self._randomness
        self._objects = [in_packets(self._shape.draw_object_bytes(draw)) for _ in range(self._shape.objects)]
        self._left = self._shape.objects
        self.delivered_before = self.delivered_bytes
        self._connections = []
        self._stages = {}
        self._connect([in_packets(self._shape.document_bytes)])

    def _connect(self, then: list[int]) -> None:
        connection = CubicSender(self._path, packets=1, on_done=self._stage_done)  # SYN and ACK
        self._connections.append(connection)
        handshake = [self._shape.tls_packets] if self._shape.tls_packets else []
        self._stages[connection.key] = [*handshake, *then]
        self._simulator.after(self._path.rtt_seconds / 2, connection.start)

    def _stage_done(self, sender: TcpSender) -> None:
        """Begin the next stage: the acknowledgement of a stage's last packet arrives with the next request."""
        stages = self._stages[sender.key]
        if stages:
            sender.give(stages.pop(0))
            sender.start()
            return
        if len(self._connections) == 1:
            # the document is there: its connection goes on, the others open
            for _ in range(CONNECTIONS - 1):
                self._connect([self._objects.pop()])
            sender.give(self._objects.pop())
            sender.start()
            return
        self._left -= 1
        if self._objects:
            sender.give(self._objects.pop())
            sender.start()
        elif self._left == 0:
            # the client has the last byte half a round trip before its acknowledgement is here
            seconds = self._simulator.now - self._path.rtt_seconds / 2 - self._page_at
            self.pages.append((self._page_at, seconds))
            self._simulator.after(self._shape.draw_think_seconds(self._randomness), self._open_page)

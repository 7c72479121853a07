"""When endpoints are pinged, and which of them do not answer: one queue for all connections.

A PC that is sent nothing has only to show, now and then, that it is still there. Where pieces flow, silence is noticed
within seconds: others get its turns. What the law of the rate needs, the site's controller asks by itself.
"""

import heapq
import itertools
from zlib import crc32

import trio

from seed_server.origin.limits import OriginLimits
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite

SHORTEST_SLEEP_SECONDS = 0.02  # with 25,000 PCs a look is due every millisecond: some at a time
LONGEST_SLEEP_SECONDS = 0.25  # so soon a newcomer's turn is seen
PATIENT_SINCE = 6  # the protocol from which on a PC waits for `client.SILENCE_SECONDS`, which are more than a minute
PING_JITTER = 0.1  # of the time to the next ping: those that came at the same time drift apart
FIRST_JITTER = 0.9  # of the time to the second one: all PCs come back within seconds of a restart

CERTIFICATE_EXPIRED = "the certificate has expired: renew it and connect again"


class Pinging:
    """Pings the connected endpoints; ``now`` is trio's clock."""

    def __init__(self, limits: OriginLimits) -> None:
        self._limits = limits
        self._queue: list[tuple[float, int, Session, LiveSite]] = []
        self._count = itertools.count()

    async def run(self) -> None:
        """Ping, until cancelled."""
        while True:
            now = trio.current_time()
            self.poll(now)
            seconds = self._queue[0][0] - now if self._queue else LONGEST_SLEEP_SECONDS
            await trio.sleep(min(LONGEST_SLEEP_SECONDS, max(SHORTEST_SLEEP_SECONDS, seconds)))

    def joined(self, session: Session, live: LiveSite, now: float) -> None:
        """Ping an endpoint that has connected, at once and from now on."""
        self._ping(session, live, now)

    def hurry(self, live: LiveSite, now: float) -> None:
        """Ask soon who of a site is there: it begins to be sent to."""
        for session in live.sessions.values():
            if session.link is not None:
                self._visit_at(
                    min(session.ping_look_at, now + self._limits.ping_seconds * _part(session)), session, live
                )

    def poll(self, now: float) -> None:
        """Ping whose turn it is, and end the connections of those that do not answer."""
        while self._queue and self._queue[0][0] <= now:
            due_at, _, session, live = heapq.heappop(self._queue)
            if due_at == session.ping_look_at and live.sessions.get(session.endpoint) is session:
                self._visit(session, live, now)

    def _visit(self, session: Session, live: LiveSite, now: float) -> None:
        if session.connection.certificate_expired:
            session.end(CERTIFICATE_EXPIRED)
            return
        if session.pings.echoes > session.echoes_before:
            session.missed_pings = 0
            due_at = self._due_at(session, live)
            if due_at > now:
                self._visit_at(due_at, session, live)
                return
        elif now < session.pinged_at + self._limits.ping_seconds:
            self._visit_at(session.pinged_at + self._limits.ping_seconds, session, live)
            return
        else:
            session.missed_pings += 1
            if session.missed_pings >= self._limits.max_missed_pings:
                session.end(f"no answer to {self._limits.max_missed_pings} pings")
                return
        self._ping(session, live, now)

    def _due_at(self, session: Session, live: LiveSite) -> float:
        """Return when to ping next an endpoint that has answered the last time."""
        limits = self._limits
        if session.link is not None and session.link in live.sending:
            return session.pinged_at + limits.ping_seconds
        old = session.protocol < PATIENT_SINCE
        idle_seconds = limits.idle_ping_seconds_of_old if old else limits.idle_ping_seconds
        jitter = FIRST_JITTER if session.pings.echoes == 1 else PING_JITTER
        due_at = session.pinged_at + idle_seconds * (1 - jitter * _part(session))
        if live.steered and session.link is not None:
            return min(due_at, max(session.pinged_at, session.heard_at) + limits.ping_seconds)
        return due_at

    def _ping(self, session: Session, live: LiveSite, now: float) -> None:
        session.pinged_at, session.echoes_before = now, session.pings.echoes
        session.outbox.put_ping()
        self._visit_at(now + self._limits.ping_seconds, session, live)

    def _visit_at(self, at: float, session: Session, live: LiveSite) -> None:
        session.ping_look_at = at
        heapq.heappush(self._queue, (at, next(self._count), session, live))


def _part(session: Session) -> float:
    """Return a number from 0 to 1 that is another one for each endpoint."""
    return crc32(session.endpoint.encode()) / (1 << 32)

"""The tasks that steer the sites' lines, each while anything is sent there.

Ten to twenty times a second: ping the endpoints that fetch, read TCP_INFO of
their data sockets, decide, pace the sockets. It ends when nothing is sent.
"""

from itertools import islice

import structlog
import trio

from bandwidth.core.states import State
from p2pdist.shared.identifiers import EndpointId
from seed_server.line.lateness import Lateness
from seed_server.line.pacing import renew_window
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite

MAX_PINGED = 8  # of a site's endpoints: two tell a busy PC from a busy line; only near ones are more that fetch
TELL_SECONDS = 10.0  # how often the debug log says how well the controllers keep time
FIT_SECONDS = 0.25  # how soon more endpoints fetch on a line that turns out to be fast

log = structlog.get_logger()


class Steering:
    """The controllers of all sites that are sent to now; `run` must be running."""

    def __init__(self, quiet_seconds: float) -> None:
        """Steer each site until nothing has been sent there for ``quiet_seconds``."""
        self._quiet_seconds = quiet_seconds
        self._lateness = Lateness()
        self._nursery: trio.Nursery | None = None
        self.late_seconds = 0.0
        """As late were all but one of a hundred steps lately; 0: nothing is steered."""

    def start(self, live: LiveSite) -> None:
        """Steer a site from now on."""
        if self._nursery is not None:
            self._nursery.start_soon(SiteController(live, self._quiet_seconds, self._lateness).run)

    async def run(self) -> None:
        """Run the controllers, and tell how late they are, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                while True:
                    await trio.sleep(TELL_SECONDS)
                    self._tell_lateness()
            finally:
                self._nursery = None

    def _tell_lateness(self) -> None:
        late = self._lateness.take()
        self.late_seconds = 0.0 if late is None else late.p99_seconds
        if late is not None:
            p99, worst = (f"{1_000 * seconds:.1f} ms" for seconds in (late.p99_seconds, late.worst_seconds))
            log.debug("how late the controllers were", steps=late.steps, p99=p99, worst=worst, classes=late.classes)


class SiteController:
    """Steers one `LiveSite`; `run` is one task in the nursery of `Steering.run`."""

    def __init__(self, live: LiveSite, quiet_seconds: float, lateness: Lateness) -> None:
        self._live = live
        self._lateness = lateness
        self._quiet_seconds = quiet_seconds
        self._sent_at = 0.0
        self._fitted_at = float("-inf")

    async def run(self) -> None:
        """Steer until nothing has been sent for ``quiet_seconds``."""
        live = self._live
        next_at = self._sent_at = trio.current_time()
        try:
            while live.sending or live.draining or trio.current_time() - self._sent_at < self._quiet_seconds:
                try:
                    if live.sending or live.draining:
                        now = trio.current_time()
                        self._lateness.count(now - next_at)
                        self._step(now, late_seconds=now - next_at)
                except Exception:
                    # a bug at one site: its last rates stay in force, and the other sites are not touched
                    log.exception("steering a site failed", site=live.site.name)
                    await trio.sleep(self._quiet_seconds)
                next_at = max(next_at + live.rate.sample_seconds, trio.current_time())
                await trio.sleep_until(next_at)
        finally:
            live.steering_ended()

    def _step(self, now: float, *, late_seconds: float) -> None:
        live = self._live
        if live.sending:
            self._sent_at = now
        pinged = self._pinged()
        pings: dict[EndpointId, float] = {}
        pings_late: dict[EndpointId, float] = {}
        for session in pinged:
            newest = session.pings.newest_round_trip()
            if newest is not None:
                pings[session.endpoint], pings_late[session.endpoint] = newest
            if session.link is not None:
                session.link.read_late_seconds = session.pings.read_late_seconds(now)
        decision = live.rate.decide(live.views(now), pings, now, late_seconds=late_seconds, pings_late=pings_late)
        if decision.renew_windows:
            for link in live.sending:
                renew_window(link.connection.socket)
        live.rest(now)
        live.set_rates(decision.shares)
        live.control.release(now)
        for session in self._asked(pinged, decision.state):
            session.outbox.put_ping()
        if live.ledger.emergencies_only:
            live.watch.end()
        else:
            live.watch.look(now)
        if now - self._fitted_at >= FIT_SECONDS:
            self._fitted_at = now
            live.fit_ledger(now)

    def _asked(self, fetching: list[Session], state: State) -> list[Session]:
        """Return whom to ping now.

        While nothing comes from those that fetch, others are asked too: is it them, or the line? (The law does not
        see these.) One ping waits for each: more would come all at once when the line is back.
        """
        if state is not State.STALL:
            return fetching
        others = islice(self._live.sessions.values(), MAX_PINGED)
        return [session for session in (*fetching, *others) if not session.pings.outstanding]

    def _pinged(self) -> list[Session]:
        """Return the endpoints that fetch."""
        fetching = [session for session in self._live.sessions.values() if session.link in self._live.sending]
        return fetching[:MAX_PINGED]

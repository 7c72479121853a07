"""Renews this PC's certificates at half of their life."""

import random
from collections.abc import Awaitable, Callable

import trio

from p2pdist.daemon.restarts import Restarts
from p2pdist.daemon.state import DaemonState
from p2pdist.daemon.wakeups import WakeUps
from p2pdist.identity.renewal import renew
from p2pdist.identity.server_change import own_address, store_address
from p2pdist.identity.store import Identity, renewal_due
from p2pdist.shared.backoff import Backoff
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.trust.http_answers import Http

CHECK_SECONDS = 300.0
CHECK_JITTER = 0.2  # either way
FIRST_BACKOFF_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 60.0  # short, as for connecting: an expired certificate keeps this PC out

Renew = Callable[[Identity, float, Http, str], Awaitable[Identity]]
"""Takes the identity, the time, who asks the server, and the URL of its web port. Raises `UserError`."""

log = lazy_log()


class Renewal:
    """Keeps the identity in the state one that the server and the neighbours accept."""

    def __init__(
        self,
        state: DaemonState,
        wakeups: WakeUps,
        restarts: Restarts,
        clock: Clock,
        *,
        renew: Renew = renew,
        first_backoff_seconds: float = FIRST_BACKOFF_SECONDS,
    ) -> None:
        self._state = state
        self._wakeups = wakeups
        self._restarts = restarts
        self._clock = clock
        self._renew = renew
        self._first_backoff_seconds = first_backoff_seconds

    @property
    def expired(self) -> bool:
        """Whether the certificates have expired: neither server nor neighbours accept this PC any more."""
        return self._clock.now() >= self._state.identity.not_after

    async def renew_now(self, http: Http) -> bool:
        """Try once; return whether it succeeded. A failure is written to the state's ``renewal_problem``."""
        state = self._state
        try:
            before, url = state.identity, state.servers.web.current.url
            renewed = await self._renew(before, self._clock.now(), http, url)
            if state.identity is not before:  # meanwhile somebody has said where the server is
                renewed = await trio.to_thread.run_sync(store_address, renewed, own_address(state.identity))
            state.identity = renewed
        except UserError as error:
            state.renewal_problem = f"The certificates cannot be renewed. {error.message}"
            log.warning("certificates could not be renewed", reason=error.message)
            return False
        state.renewal_problem = ""
        log.info("certificates renewed")
        return True

    async def run(self, http: Http, renewed: Callable[[], None]) -> None:
        """Renew when it is due, retry until that succeeds, and call ``renewed`` each time: others need the new ones."""
        backoff = Backoff(self._first_backoff_seconds, LONGEST_BACKOFF_SECONDS)
        while True:
            if not renewal_due(self._state.identity, self._clock.now()):
                jitter = random.uniform(1 - CHECK_JITTER, 1 + CHECK_JITTER)  # noqa: S311
                await self._wakeups.renewal.wait(CHECK_SECONDS * jitter)
                continue
            before = self._state.identity
            if await self.renew_now(http):
                backoff = backoff.succeeded()
                now = self._state.identity
                renewed()
                if (before.control_ca, before.swarm_ca) != (now.control_ca, now.swarm_ca):
                    await self._restarts.start_anew()  # every part was made with the old authority
            backoff = backoff.failed()
            await trio.sleep(backoff.delay_seconds(random.random()))  # noqa: S311 - jitter

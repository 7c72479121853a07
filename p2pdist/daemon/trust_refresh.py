"""Keeps the trusted catalogue fresh: at start, on notice, and every few minutes."""

import random

import structlog

from p2pdist.daemon.state import DaemonState
from p2pdist.daemon.wakeups import WakeUps
from p2pdist.install.service import InstallService
from p2pdist.pc.facts import PcFacts
from p2pdist.shared.backoff import Backoff
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import SiteName
from p2pdist.transfer.manager import Transfers
from p2pdist.trust.catalogue import Catalogue
from p2pdist.trust.errors import TrustError
from p2pdist.trust.store import TrustStore

FIRST_BACKOFF_SECONDS = 1.0
JITTER = 0.5  # of the interval, either way, so that a fleet does not refresh in step

log = structlog.get_logger()


class TrustRefresh:
    """Fetches the signed catalogue and gives it to the parts that act on it."""

    def __init__(  # what it works with, where the catalogue comes from, which parts get it
        self,
        state: DaemonState,
        wakeups: WakeUps,
        clock: Clock,
        store: TrustStore,
        pc: PcFacts,
        transfers: Transfers,
        patching: InstallService,
        *,
        refresh_seconds: float,
    ) -> None:
        self._state = state
        self._wakeups = wakeups
        self._clock = clock
        self._store = store
        self._pc = pc
        self._transfers = transfers
        self._patching = patching
        self._refresh_seconds = refresh_seconds
        self._anything_known = False

    async def run(self) -> None:
        """Refresh until cancelled. A failure is written to the state's ``trust_problem``, and retried with backoff."""
        backoff = Backoff(FIRST_BACKOFF_SECONDS, self._refresh_seconds)
        while True:
            try:
                await self._refresh()
                self._state.trust_problem = ""
                self._refuses("")
                backoff = backoff.succeeded()
                wait = self._refresh_seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
            except UserError as error:  # TrustError and its kinds
                self._state.trust_problem = error.message
                if error.kind is FaultKind.REFUSED or (
                    isinstance(error, TrustError) and error.reason == "certificate_time"
                ):
                    self._refuses(error.message)
                backoff = backoff.failed()
                wait = backoff.delay_seconds(random.random())  # noqa: S311 - jitter
                log.warning("trust refresh failed", reason=error.message, retry_seconds=round(wait, 1))
            self._state.clock_trust.note()
            await self._wakeups.trust.wait(wait)

    def _refuses(self, why: str) -> None:
        """Note why what the server has signed is not accepted; the server is told, as only its operator can help."""
        if why != self._state.refuses:
            self._state.refuses = why
            self._wakeups.transfers.ring()  # the reports go out with their steps

    async def _refresh(self) -> None:
        """Accept the catalogue on disk if none is known yet, then the server's. Raises `UserError`."""
        self._store.site = SiteName(self._state.site) if self._state.site else None
        self._store.choose, self._store.held = self._pc.chooser(), self._transfers.held()
        if not self._anything_known and (cached := await self._store.load_cached(self._clock.now())) is not None:
            await self._accept(cached)
            self._anything_known = True
        try:
            newest = await self._store.refresh(self._clock.now())
        except TrustError as error:
            self._state.clock_trust.certificate_fits(error.reason != "certificate_time")
            raise
        self._state.clock_trust.certificate_fits(True)
        await self._accept(newest)
        self._anything_known = True

    async def _accept(self, catalogue: Catalogue) -> None:
        state = self._state
        state.stale_problem = catalogue.stale
        state.clock_trust.metadata_says(catalogue.passed_at, catalogue.expires_at)
        state.refused = list(catalogue.refused)
        if catalogue.profile != state.site_profile:
            state.site_profile = catalogue.profile
            name = catalogue.profile and catalogue.profile.profile().name
            log.info("throttle profile", site=state.site, profile=name)
        await self._transfers.reconcile(catalogue)
        self._patching.follow_catalogue(catalogue)
        self._wakeups.transfers.ring()  # new transfers may have to be stepped more often

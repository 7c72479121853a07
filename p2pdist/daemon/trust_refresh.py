"""Keeps the trusted catalogue fresh: at start, on notice, and now and then.

While the server's word comes over a control connection, nothing is polled: the server says when there is something
new, and in the meantime the catalogue is read by this PC's new facts without a question. That nobody keeps news back is
looked at a few times in the life of a timestamp; without a connection, every few minutes.
"""

import math
import random
from collections.abc import Callable

import trio

from p2pdist.daemon.state import DaemonState
from p2pdist.daemon.wakeups import WakeUps
from p2pdist.install.service import InstallService
from p2pdist.pc.facts import PcFacts
from p2pdist.shared.backoff import Backoff
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.transfer.manager import Transfers
from p2pdist.trust.catalogue import Catalogue
from p2pdist.trust.errors import TrustError
from p2pdist.trust.ring_rules import RingMember
from p2pdist.trust.store import ServerWord, TrustStore

FIRST_BACKOFF_SECONDS = 1.0
JITTER = 0.5  # of the interval, either way, so that a fleet does not refresh in step
LOOKS_IN_A_LIFE = 4  # of the timestamp, while connected: 25,000 PCs and a day's life are one look a second

log = lazy_log()


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
        self.on_checkpoint: Callable[[bytes, bytes], None] = lambda _note, _anchor: None
        """Called with the newest checkpoint of the server's audit log, as it was signed for PCs, and its anchor."""
        self.on_servers: Callable[[bool], None] = lambda _elsewhere: None
        """Called with another list of the server's addresses; ``elsewhere``: the one in use is not listed any more."""
        self._anything_known = False
        self._ask_at = -math.inf
        """When the server is asked next, though it has not said that there is anything new; in trio's time."""
        self._changes_at = math.inf
        """When a patch may be taken that waits only for time to pass; seconds since 1970."""

    async def run(self) -> None:
        """Refresh until cancelled. A failure is written to the state's ``trust_problem``, and retried with backoff."""
        backoff = Backoff(FIRST_BACKOFF_SECONDS, self._refresh_seconds)
        rung = False
        while True:
            said = self._said() if rung else None
            try:
                await self._refresh(said)
                self._state.trust_problem = ""
                self._refuses("")
                backoff = backoff.succeeded()
                rung = await self._wait()
            except UserError as error:  # TrustError and its kinds
                self._state.trust_problem, self._state.accepted_timestamp = error.message, None
                if error.kind is FaultKind.REFUSED or (
                    isinstance(error, TrustError) and error.reason == "certificate_time"
                ):
                    self._refuses(error.message)
                if self._state.servers.web.more_now():
                    continue
                backoff = backoff.failed()
                wait = backoff.delay_seconds(random.random())  # noqa: S311 - jitter
                log.warning("trust refresh failed", reason=error.message, retry_seconds=round(wait, 1))
                if self._changes_in() <= 0:
                    await self._read_again()
                self._state.clock_trust.note()
                rung = await self._wakeups.trust.wait(wait)

    async def _wait(self) -> bool:
        """Wait until it is time to ask the server, or somebody rings; return whether somebody has."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_spare)
            rung = await self._wait_for_news()
            nursery.cancel_scope.cancel()
        return rung

    async def _keep_spare(self) -> None:
        """Get what the server has asked this PC to keep for others, at once: the server may be lost at any time."""
        try:
            await self._store.keep_spare()
        except UserError as error:
            log.warning("what this PC keeps for others could not be kept", reason=error.message)

    async def _wait_for_news(self) -> bool:
        while True:
            self._state.clock_trust.note()
            soon = min(self._refresh_seconds * _jitter(), self._changes_in())
            if await self._wakeups.trust.wait(max(0.0, min(soon, self._ask_at - trio.current_time()))):
                return True
            if self._changes_in() <= 0:
                return True
            if self._state.newest is None or trio.current_time() >= self._ask_at:
                return False

    def _changes_in(self) -> float:
        """Return the seconds until a patch that waits for time alone may be taken; infinite where no time is sure."""
        return math.inf if self._state.clock_trust.problem else self._changes_at - self._clock.now()

    async def _read_again(self) -> None:
        """Look what may be taken of what was accepted last: time has passed, and the server cannot be asked."""
        try:
            cached = await self._store.load_cached(self._clock.now())
        except UserError as error:
            log.warning("what was accepted cannot be read", reason=error.message)
            return
        if cached is not None:
            await self._accept(cached)

    def _said(self) -> ServerWord | None:
        """Return what need not be asked for, as the server has said it on this connection."""
        newest, accepted = self._state.newest, self._state.accepted_timestamp
        if newest is None or accepted is None:
            return None
        if newest.timestamp_version == accepted:
            return ServerWord()
        return ServerWord(newest.timestamp, newest.root_version) if newest.timestamp else None

    def _refuses(self, why: str) -> None:
        """Note why what the server has signed is not accepted; the server is told, as only its operator can help."""
        if why != self._state.refuses:
            self._state.refuses = why
            self._wakeups.transfers.ring()  # the reports go out with their steps

    async def _refresh(self, said: ServerWord | None) -> None:
        """Accept the catalogue on disk if none is known yet, then the server's. Raises `UserError`."""
        self._store.use_server(self._state.servers.web.current.url)
        self._store.site = SiteName(self._state.site) if self._state.site else None
        self._store.choose, self._store.held = self._pc.chooser(), self._transfers.held()
        self._store.installed = await self._patching.may_go_back()
        believed = 0.0 if self._state.clock_trust.problem else self._clock.now()
        self._store.member = RingMember(self._state.identity.endpoint_id, self._pc.for_rings, believed)
        if not self._anything_known and (cached := await self._store.load_cached(self._clock.now())) is not None:
            await self._accept(cached)
            self._anything_known = True
        try:
            newest = await self._store.refresh(self._clock.now(), said)
        except TrustError as error:
            self._state.clock_trust.certificate_fits(error.reason != "certificate_time")
            raise
        await self._accept(newest)
        self._anything_known = True
        self.on_checkpoint(newest.checkpoint, newest.log_anchor)
        self._state.accepted_timestamp = newest.timestamp_version
        if said is None:
            self._state.clock_trust.certificate_fits(True)
        if said is None or said.timestamp:
            life = newest.expires_at - newest.passed_at
            self._ask_at = trio.current_time() + max(0.0, life / LOOKS_IN_A_LIFE) * _jitter()

    async def _accept(self, catalogue: Catalogue) -> None:
        state = self._state
        state.stale_problem = catalogue.stale
        state.clock_trust.metadata_says(catalogue.passed_at, catalogue.expires_at)
        state.refused, state.not_yet = list(catalogue.refused), list(catalogue.not_yet)
        self._changes_at = catalogue.changes_at
        if catalogue.profile != state.site_profile:
            state.site_profile = catalogue.profile
            name = catalogue.profile and catalogue.profile.profile().name
            log.info("throttle profile", site=state.site, profile=name)
        if catalogue.servers is not None and not state.servers.has(catalogue.servers):
            elsewhere = state.servers.signed(catalogue.servers)
            log.info("the server's addresses", addresses=[str(one) for one in state.servers.origin.order])
            self.on_servers(elsewhere)
        await self._transfers.reconcile(catalogue)
        self._patching.follow_catalogue(catalogue)
        self._wakeups.transfers.ring()  # new transfers may have to be stepped more often


def _jitter() -> float:
    return random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311

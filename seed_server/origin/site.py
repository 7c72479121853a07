"""The live state of one site: its connected endpoints, its ledger, its share of the line."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from bandwidth.core.states import State
from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.fields import MAX_TEXT_CHARS
from p2pdist.shared.wire.line_messages import LinkReport, SiteLimit
from p2pdist.shared.wire.messages import Unavailable
from seed_server.leasing.fetchers import SLOW_FETCHERS, fit_ledger, is_long
from seed_server.leasing.holdings import ServedTorrents
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.leasing.standing import Standings
from seed_server.leasing.times import DEFAULT_TIMES, LedgerTimes
from seed_server.line.card_reports import CardUse
from seed_server.line.harm_bound import Resting
from seed_server.line.site_map import Site
from seed_server.line.site_rate import SiteRate
from seed_server.line.site_sample import LinkView
from seed_server.origin.change_notices import ChangeNotices
from seed_server.origin.control_pacer import ControlPacer
from seed_server.origin.data_link import DataLink
from seed_server.origin.holder_news import HolderNews
from seed_server.origin.invitations import Invitations
from seed_server.origin.join_pace import JoinPace
from seed_server.origin.limit_rows import limit_row
from seed_server.origin.line_watch import LineWatch
from seed_server.origin.peer_lists import SMALL_SITE_ENDPOINTS, PeerLists
from seed_server.origin.session import Session
from seed_server.signing.metadata import NewestTimestamp
from seed_server.store.rows import SiteLimitRow

ENDED_SECONDS = 0.5  # after its last piece, what a link has under way is still counted …
DRAINED_SECONDS = 5.0  # … and what the kernel still has to send has its share of the line
HEARD_SECONDS = 10.0  # after 5 s without a word pings go: who answers none may be behind a line that was down …
ANSWERS_SECONDS = 2.0  # … and when the fetchers do not answer, others are asked, and would have by then
POLICY_SECONDS = 1.0  # windows of a profile begin and end on the minute
AGE_STEP_SECONDS = 60.0  # of what was learned of the line: endpoints are told it only when it has changed

log = structlog.get_logger()


@dataclass(frozen=True)
class FleetParts:
    """What all sites share."""

    standings: Standings = field(default_factory=Standings)
    torrents: ServedTorrents = field(default_factory=ServedTorrents)
    """The patches that are served and not damaged."""
    joins: JoinPace = field(default_factory=JoinPace)
    has_former: Callable[[TorrentHash], bool] = lambda _: False
    """Whether pieces of a torrent can be coded by a former version."""


class LiveSite:
    """A site with at least one connected endpoint."""

    def __init__(
        self,
        site: Site,
        rate: SiteRate,
        *,
        fetchers: int,
        lease_seconds: float,
        fleet: FleetParts | None = None,
        times: LedgerTimes = DEFAULT_TIMES,
        on_active: "Callable[[LiveSite], None]" = lambda _: None,
        look_at_policy: "Callable[[LiveSite, float], None]" = lambda _live, _now: None,
    ) -> None:
        """``fetchers``: the server's setting, 0: as many as suit the line.

        ``on_active`` is called when the first link begins to send; the callee sees to it that the site is steered.
        ``look_at_policy`` sets what the site's profile says now; nobody else does at a site that is sent nothing.
        """
        self.site = site
        self.rate = rate
        fleet = fleet or FleetParts()
        self._fixed_fetchers = site.fetchers or fetchers
        self.ledger = SiteLedger(
            fetchers=self._fixed_fetchers or SLOW_FETCHERS,
            lease_seconds=lease_seconds,
            standings=fleet.standings,
            times=times,
            torrents=fleet.torrents,
        )
        self.sessions: dict[EndpointId, Session] = {}
        self.ledger.builders.are_awaited = lambda torrent: (
            fleet.has_former(torrent) and any(session.decoding for session in self.sessions.values())
        )
        self.holders = HolderNews(self.ledger, self.sessions)
        self.peers = PeerLists(fleet.joins, self._tell_peers, lacks=self.ledger.lacks)
        self.invitations = Invitations(self.ledger, self.sessions, self.may_send)
        self.control = ControlPacer(rate.control, lambda now: rate.control_rate(now, sending=bool(self.sending)))
        self.sending: set[DataLink] = set()
        self.steered_since: float | None = None
        """The site is being steered: ``on_active`` need not be called again. None: it is not."""
        self._on_active = on_active
        self._look_at_policy = look_at_policy
        self._policy_seen_at = -math.inf
        self._ended: dict[DataLink, float] = {}
        self.watch = LineWatch(self.ledger, rate, self.sessions)
        self._told_stopped = False
        """Endpoints were told last that nothing may be sent."""
        self._changes = ChangeNotices()
        self._complained = False

    # --- connected endpoints ------------------------------------------------------------

    def join(self, session: Session, now: float) -> None:
        """Add a connected endpoint."""
        self.sessions[session.endpoint] = session
        session.heard_at = now
        self.set_silent_aside(now)
        self.watch.joined(session)
        self.rate.sampler.connected(session.connection.least_rtt_seconds)
        self.peers.join(session, now)

    def leave(self, session: Session, now: float) -> None:
        """Remove an endpoint; its leases are void, its pieces no longer count."""
        if self.sessions.get(session.endpoint) is session:
            del self.sessions[session.endpoint]
            self.ledger.left(session.endpoint)
            self.rate.reports.left(session.endpoint)
            self.peers.leave(session.endpoint, now)
            session.outbox.close()
            self.wake_all()

    def attach(self, session: Session, link: DataLink, now: float) -> None:
        """Make ``link`` the data connection of ``session``; an older one ends."""
        if session.link is not None:
            session.link.ending.end("replaced by a newer data connection")
            self.detach(session, session.link, now)
        session.link, session.set_aside = link, False
        session.outbox.put_ping()  # the least delay is to be known before the first piece is sent
        self.ledger.data_connected(session.rank)

    def detach(self, session: Session, link: DataLink, now: float) -> None:
        """Remove the data connection ``link``; its leases are void."""
        self.stopped_sending(link, now)
        if session.link is link:
            session.link = None
            self.ledger.data_lost(session.endpoint)
            self.wake_all()

    def stop_serving(self, torrent: TorrentHash, said: Unavailable | None) -> None:
        """Send nothing more of a torrent; those that wait for it are ``said`` so, and may fetch another one."""
        ledger = self.ledger.ledger(torrent)
        if said is not None and ledger is not None:
            for endpoint in ledger.lacking & self.sessions.keys():
                self.sessions[endpoint].outbox.put(torrent, said)
        self.ledger.remove_torrent(torrent)
        self.wake_all()

    def wake_all(self) -> None:
        """Make every sender of the site look for a piece: something has become free."""
        for session in self.sessions.values():
            if session.link is not None:
                session.link.wake()

    # --- regular work -------------------------------------------------------------------

    def is_awake(self, now: float) -> bool:
        """Whether `poll` may find anything to do. Asked of every site, several times a second."""
        return bool(
            self.steered_since is not None
            or self.ledger.is_busy
            or self.control.waiting
            or self.holders.waiting
            or self._changes.waiting
            or self.peers.due_at <= now
        )

    def poll(self, now: float) -> None:
        """Say and send what is due by now."""
        self.tell_changed(now)
        self.peers.tell_changes(now)
        self.holders.tell_due(now)
        self.rest(now)
        self.invitations.poll(now)
        self.control.release(now)

    @property
    def steered(self) -> bool:
        """Whether the site is sent to, or was a moment ago."""
        return self.steered_since is not None

    # --- who answers --------------------------------------------------------------------

    def heard(self, session: Session, now: float) -> None:
        """Note that a frame has come from ``session``."""
        session.heard_at = now
        if session.set_aside:
            session.set_aside = False
            if session.link is not None:
                self.ledger.data_connected(session.rank)
                session.link.wake()

    def set_silent_aside(self, now: float) -> None:
        """Give the turns of endpoints that have long said nothing to those that answer, if there are any.

        After an outage TCP rests for as long as that lasted. What is sent there meanwhile is not confirmed. Of a site
        that is sent nothing, nobody is asked often enough to tell.
        """
        if self.steered_since is None:
            return
        asked_since = self.steered_since
        could_fetch = [session for session in self.sessions.values() if session.link is not None]
        silent = [s for s in could_fetch if now - max(s.heard_at, asked_since) >= HEARD_SECONDS]
        if not silent or all(now - session.heard_at >= HEARD_SECONDS for session in self.sessions.values()):
            return
        for session in silent:
            if not session.set_aside:
                session.set_aside = True
                self.ledger.data_lost(session.endpoint)
                self.wake_all()

    def is_cut_off(self, now: float) -> bool:
        """Whether pieces are being sent, and nobody at the site answers."""
        if not self.sending or self.rate.decision.state is not State.STALL:
            return False
        return all(now - session.heard_at >= ANSWERS_SECONDS for session in self.sessions.values())

    # --- news ---------------------------------------------------------------------------

    def repository_changed(self, timestamp_version: int, now: float, renewed: NewestTimestamp | None = None) -> None:
        """Tell every endpoint to refresh: those that fetch at once, the others in `tell_changed`."""
        ranked = sorted(self.sessions.values(), key=lambda session: session.rank.order)
        self._changes.changed(timestamp_version, renewed, [session.endpoint for session in ranked], now)
        if renewed is None:
            self.fit_ledger(now)
            self.invitations.news(ranked, now, long=is_long(self.rate.sampler.expected_rtt_seconds))
        self.tell_changed(now)

    def tell_changed(self, now: float) -> None:
        """Send the notice to the endpoints that are due by now."""
        for endpoint in self._changes.due(now):
            if (session := self.sessions.get(endpoint)) is not None:
                session.tell_changed(self._changes.message(session.features))

    def _tell_peers(self, endpoint: EndpointId) -> None:
        session = self.sessions[endpoint]
        session.outbox.put("peers", session.peer_list.message)

    # --- the line -----------------------------------------------------------------------

    def replace(self, site: Site) -> None:
        """Use another description of the line from now on."""
        self.site = site
        self.rate.set_line(site.line)

    def started_sending(self, link: DataLink, now: float) -> None:
        """Give ``link`` its share of the line; idle connections need none."""
        if link in self.sending:
            return
        if self.steered_since is None:
            self.steered_since = now
            self.watch.begin(now)
            self._on_active(self)
        if not self.sending:
            self.rate.resume(now)
        self.sending.add(link)
        self.rate.sampler.started(link, link.view())
        self._ended.pop(link, None)
        self._divide(now)

    def stopped_sending(self, link: DataLink, now: float) -> None:
        """Give the share of ``link`` to the others."""
        if link in self.sending:
            self.sending.remove(link)
            self._ended[link] = now
            self._divide(now)

    def may_send(self, now: float) -> bool:
        """Whether the site's profile, and the bound on harm, let any pieces be sent there now."""
        if now - self._policy_seen_at >= POLICY_SECONDS:
            self._policy_seen_at = now
            self._look_at_policy(self, now)
        self.rest(now)
        return self.rate.may_send_pieces and self.ledger.may_lease_any

    def rest(self, now: float) -> None:
        """Lease nothing but emergencies while business has to be spared; begin again when that is over."""
        pauses = self.rate.harm.resting(now) is Resting.PAUSE
        if pauses == self.ledger.emergencies_only:
            return
        self.ledger.emergencies_only = pauses
        if pauses:
            log.warning("leasing rests at a site", site=self.site.name, reason=self.rate.harm.reason(now))
        else:
            log.info("leasing goes on at a site", site=self.site.name)
            self.wake_all()

    @property
    def is_stopped(self) -> bool:
        """Whether PCs lack something, and the profile or the bound on harm forbids sending it."""
        return self.ledger.is_busy and not (self.rate.may_send_pieces and self.ledger.may_lease_any)

    def fit_ledger(self, now: float) -> None:
        """Let as many endpoints fetch, and as far ahead, as suit the line."""
        before = self.ledger.fetchers
        fit_ledger(self.ledger, self.rate, now, fixed=self._fixed_fetchers)
        if self.ledger.fetchers > before:
            self.wake_all()

    @property
    def link_rate(self) -> BytesPerSecond | None:
        """The lowest rate among the links that send; None when none does."""
        return min((link.rate for link in self.sending if link.rate is not None), default=None)

    @property
    def draining(self) -> bool:
        """Whether a link whose turn is over may still have something under way."""
        return bool(self._ended)

    def views(self, now: float) -> dict[DataLink, LinkView]:
        """Return the state of the links that send, and of those that have just stopped or still drain."""
        views = {link: link.view() for link in self.sending}
        ended = {link: link.view(sending=False) for link in self._ended}
        for link, view in ended.items():
            seconds = now - self._ended[link]
            unsent = view.look is not None and view.look.unsent_bytes > 0
            if seconds >= (DRAINED_SECONDS if unsent else ENDED_SECONDS):
                del self._ended[link]
            else:
                views[link] = view
        return views

    def _divide(self, now: float) -> None:
        self.set_rates(self.rate.divide(self.views(now)))

    def set_rates(self, shares: Mapping[DataLink, BytesPerSecond]) -> None:
        """Keep the shares from now on."""
        for link, share in shares.items():
            result = link.set_rate(share)
            if result is not None and not result.taken and not self._complained:
                self._complained = True
                log.warning("the site's line cannot be paced by the kernel", site=self.site.name, reason=result.reason)

    # --- what endpoints see of the line -----------------------------------------------------

    def steering_ended(self) -> None:
        """Note that nothing is sent any more, and tell every endpoint."""
        self.steered_since = None
        self.watch.end()

    def limit(self, now: float) -> SiteLimit:
        """Return how fast the site is sent to, and why."""
        rate, memory = self.rate, self.rate.memory(now)
        times, standing = rate.times, rate.standing(now)
        return SiteLimit(
            rate=standing.allowance,
            capacity=rate.capacity(now),
            configured=rate.configured is not None,
            state=standing.state.value,
            reason=standing.reason[:MAX_TEXT_CHARS],
            seconds={cause: round(seconds, 1) for cause, seconds in times.by_cause.items()},
            yield_seconds=round(times.yielding, 1),
            learned_seconds=None if memory is None else memory.age_seconds // AGE_STEP_SECONDS * AGE_STEP_SECONDS,
        )

    def tell_limit(self, now: float) -> None:
        """Send every endpoint how fast the site is sent to; of a large site, those that fetch, or would if it might.

        Of what is small, only that nothing may be sent, and that it may again.
        """
        limit, stopped = self.limit(now), self.is_stopped
        before, self._told_stopped = self._told_stopped, stopped or not limit.rate
        if not (self.watch.is_much or before or self._told_stopped):
            return
        everybody = len(self.sessions) <= SMALL_SITE_ENDPOINTS
        for session in self.sessions.values():
            concerned = everybody or session.link in self.sending or (stopped and self.ledger.lacks(session.endpoint))
            if concerned and session.told_limit != limit:
                session.told_limit = limit
                session.outbox.put("limit", limit)

    def limit_row(self, now: float, wall_clock: float) -> SiteLimitRow:
        """Return what `limit` returns, and the site's totals, for the operator and the next run of the server."""
        name, active = self.site.name, bool(self.sending) or self.is_stopped
        counts = {"endpoints": len(self.sessions), "fetchers": len(self.sending)}
        return limit_row(name, self.rate, self.limit(now), now, wall_clock, active=active, **counts)

    def reported(self, session: Session, report: LinkReport, now: float) -> None:
        """Record what an endpoint sees of others' traffic."""
        card_rate = None if report.card_rate is None else BytesPerSecond(report.card_rate)
        self.rate.reports.reported(
            session.endpoint,
            interval_seconds=report.interval_seconds,
            business_bytes=report.business_bytes,
            flows=report.flows,
            harm_seconds=report.harm_seconds,
            card=CardUse(card_rate, report.from_neighbours_bytes, report.to_neighbours_bytes),
            now=now,
        )

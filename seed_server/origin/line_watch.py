"""Asks the PCs of a site to report on its line while it is sent much: of little, their words would weigh more."""

from collections.abc import Mapping

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.line_messages import LinkWatch
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.line.business_reports import report_seconds
from seed_server.line.site_rate import SiteRate
from seed_server.origin.session import Session


class LineWatch:
    """What the endpoints of one site are asked; ``now`` is any clock in seconds."""

    def __init__(self, ledger: SiteLedger, rate: SiteRate, sessions: Mapping[EndpointId, Session]) -> None:
        self._ledger = ledger
        self._rate = rate
        self._sessions = sessions
        self._asked = LinkWatch(interval_seconds=None)
        self.is_much = True
        """The site is sent much, or was when it was sent to last: its endpoints are told how fast, and why."""

    def joined(self, session: Session) -> None:
        """Ask an endpoint that has connected, if the others are asked."""
        if self._asked.interval_seconds is not None:
            session.outbox.put("watch", self._asked)

    def begin(self, now: float) -> None:
        """Note that the site begins to be sent to. Call it before its first piece is leased."""
        self.is_much = False
        self.look(now)

    def wrote(self, count: int, now: float) -> None:
        """Note that so much has been written to a link."""
        if not self.is_much:
            self._rate.unwatched.sent(count, now)

    def look(self, now: float) -> None:
        """While the site is sent to, ask every endpoint: as soon as it is much that is sent, and from then on."""
        # what is on its way is counted as it is written
        if self.is_much or not self._rate.unwatched.suffice(self._ledger.unsent_bytes(now), now):
            self.is_much = True
            self._ask(report_seconds(len(self._sessions), self._rate.sample_seconds))

    def end(self) -> None:
        """Tell every endpoint that the site is quiet."""
        self._ask(None)

    def _ask(self, interval_seconds: float | None) -> None:
        if self._asked.interval_seconds != interval_seconds:
            self._asked = LinkWatch(interval_seconds=interval_seconds)
            for session in self._sessions.values():
                session.outbox.put("watch", self._asked)

"""What the daemon knows at the moment: each field is written by one task, and read by any."""

import ipaddress
import secrets

from bandwidth.core.states import Reason, State
from bandwidth.profiles.model import Profile
from p2pdist.identity.copies import Copies
from p2pdist.identity.server_change import own_address
from p2pdist.identity.servers import Servers
from p2pdist.identity.store import Identity
from p2pdist.pc import local_facts
from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.server_address import ServerAddress
from p2pdist.shared.wire.custody import CustodyWanted
from p2pdist.shared.wire.line_messages import LinkWatch, SiteLimit
from p2pdist.shared.wire.messages import RepositoryChanged
from p2pdist.status.why import ServerSays
from p2pdist.trust.catalogue import NotYet, RefusedPatch
from p2pdist.trust.clock_trust import ClockTrust

INSTANCE_BYTES = 16  # no two runs of any daemon draw the same


class DaemonState:
    """What the daemon's tasks tell each other. It outlives a restart of the parts."""

    takes_neighbours = False
    """Whether the server that is connected takes `NeighboursSeen`, and asks for it; written by `origin_events`."""
    lost_at: float | None = None
    """When the connection to the server was lost, by trio's clock; None: it is up, or there was none yet. Written by
    `origin_events`."""

    def __init__(
        self,
        identity: Identity,
        clock_trust: ClockTrust,
        *,
        site: str = "",
        home_profile: Profile | None = None,
        fixed_address: str | None = None,
        last_server: ServerAddress | None = None,
    ) -> None:
        """``site``: what the server said in an earlier run, ``last_server``: where; empty, or None: not known yet."""
        self.fixed_address = fixed_address
        """The one own address to use, or None for all; never changes."""
        self.home_profile = home_profile
        """The throttle profile in this PC's home; never changes."""
        self.servers = Servers(own_address(identity), last_server)
        """Where the server is looked for; the connections to it say what works."""
        self.clock_trust = clock_trust
        """Whether this PC's clock can be believed; `trust_refresh` and `origin_events` tell it what they hear."""
        # written by `addresses`
        self.facts = local_facts.UNKNOWN
        # by `renewal`
        self.identity = identity
        self.renewal_problem = ""
        # by `origin_events`
        self.site = site
        self.welcomes = 0
        """Counts the server's: each connection has been told nothing at first."""
        self.newest: RepositoryChanged | None = None
        """What the server has said last on this connection of its newest timestamp; None: there is no connection."""
        self.takes_facts = False
        """Whether the server that is connected takes `FactsChanged`."""
        self.takes_findings = False
        """Likewise `PcFindings`."""
        self.takes_spares = False
        """Likewise `SpareWanted`."""
        self.takes_custody = False
        """Likewise `CustodyTold`."""
        self.custody_wanted: CustodyWanted | None = None
        """What the server lacks of this PC's install records; `custody_news` takes it."""
        self.site_limit: SiteLimit | None = None
        self.link_watch = LinkWatch(interval_seconds=None)
        """How often the server wants a report of others' traffic."""
        self.large_packets_lost = False
        """Full packets do not get through between the server and this site."""
        self.copies = Copies()
        """Who else shows this PC's identity."""
        # by `replaced`, which the connection to the server calls before it says `instance` again
        self.instance = secrets.token_hex(INSTANCE_BYTES)
        """The number of this run of the daemon: see `shared.wire.messages.Instance`."""
        self.was_replaced = False
        """Whether another connection with this PC's identity has taken the place of its own."""
        # by `trust_refresh`
        self.site_profile: SiteProfile | None = None
        """The throttle profile of this PC's site, signed by the network admins."""
        self.refused: list[RefusedPatch] = []
        self.not_yet: list[NotYet] = []
        self.accepted_timestamp: int | None = None
        """The version that the last refresh of this run has accepted; None: the last one failed, or there was none."""
        self.trust_problem = ""
        self.refuses = ""
        """Why what the server has signed is not accepted, in words; empty: it is, or it could not be fetched."""
        self.stale_problem = ""
        # by `users`
        self.users_problem = ""
        """Why this PC's users are not answered, in words; empty: they are, or nobody wants it."""

    def replaced(self) -> None:
        """Note that another connection with this PC's identity has taken the place of its own.

        A virtual machine that was copied while the daemon ran has the same number as its copy: so it draws one more,
        once.
        """
        if not self.was_replaced:
            self.was_replaced, self.instance = True, secrets.token_hex(INSTANCE_BYTES)

    @property
    def copies_words(self) -> str:
        """What people are told of other PCs with this PC's identity; empty: there are none."""
        return self.copies.words(str(self.identity.home))

    @property
    def server_says(self) -> ServerSays:
        """What the server has said that concerns every patch."""
        return ServerSays(
            line_yields=self.line_yields,
            line_spared=self.line_spared,
            large_packets_lost=self.large_packets_lost,
            refused_as_copy=self.copies.refused,
            copies=self.copies_words,
        )

    @property
    def addresses(self) -> list[str]:
        """Own addresses that others may use, the best one first; empty without a network."""
        return [self.fixed_address] if self.fixed_address else list(self.facts.addresses)

    @property
    def address(self) -> str | None:
        """The own address that neighbours use; None without a network."""
        return next(iter(self.addresses), None)

    @property
    def listen_address(self) -> str:
        """Where neighbours can reach us: one address, or all of the family that leads to the server."""
        if self.fixed_address:
            return self.fixed_address
        best = ipaddress.ip_address(self.address) if self.address else None
        return "::" if best and best.version == 6 else "0.0.0.0"  # noqa: S104 - neighbours must reach it; TLS decides

    @property
    def profile(self) -> Profile | None:
        """The throttle profile that applies here: the site's, else the home's."""
        return self.home_profile if self.site_profile is None else self.site_profile.profile()

    @property
    def reports_link(self) -> bool:
        """Whether the server wants regular reports of others' traffic now: the site is fetching."""
        return self.link_watch.interval_seconds is not None

    @property
    def line_spared(self) -> str:
        """How business suffered while the server sent, and how long it pauses for that; empty: it does not."""
        reason = "" if self.site_limit is None else self.site_limit.reason
        cause, _, detail = reason.partition(": ")
        return detail if cause == Reason.HARM_PAUSE.value else ""

    @property
    def line_yields(self) -> bool:
        """Whether the site's line yields to business, as the server said last."""
        # without regular reports, the server sends nothing to this site, and its last word is old
        limit = self.site_limit if self.reports_link else None
        return limit is not None and limit.state == State.YIELD.value

"""One connected endpoint: what is known of it, and how its connections end."""

from collections.abc import Callable

from bandwidth.core.units import LARGEST_PACKET_BYTES
from p2pdist.shared.identifiers import SiteName, TorrentHash
from p2pdist.shared.wire.features import CODED_PIECES
from p2pdist.shared.wire.line_messages import SiteLimit
from p2pdist.shared.wire.messages import ControlHello, OtherPc, RepositoryChanged, SitePeer
from seed_server.leasing.turns import FetcherRank
from seed_server.line.ping_log import PingLog
from seed_server.origin.connection import OriginConnection
from seed_server.origin.data_link import DataLink, Ending
from seed_server.origin.decoding import Decoding
from seed_server.origin.message_budgets import MessageBudgets
from seed_server.origin.outbox import Outbox
from seed_server.origin.peer_lists import PeerList

NO_TORRENTS = frozenset[TorrentHash]()  # one for all: an empty set of its own would take 200 bytes


class Session:
    """A connected endpoint; lives as long as its control connection."""

    __slots__ = (
        "budgets", "claimed_site", "connection", "decoding", "echoes_before", "ending", "endpoint", "features",
        "heard_at", "instance", "link", "missed_pings", "outbox", "own_addresses", "packet_bytes", "peer", "peer_list",
        "ping_look_at", "pinged_at", "pings", "protocol", "rank", "set_aside", "software", "tell_changed", "told_limit",
        "told_others", "told_unavailable", "trusts",
    )  # fmt: skip

    def __init__(
        self,
        connection: OriginConnection,
        outbox: Outbox,
        rank: FetcherRank,
        peer: SitePeer,
        own_addresses: list[str],
        hello: ControlHello,
        claimed_site: SiteName | None = None,
        *,
        budgets: MessageBudgets,
    ) -> None:
        """``claimed_site``: where it says it is, if it is not seen there."""
        self.connection = connection
        self.endpoint = connection.endpoint
        self.rank = rank
        self.peer = peer
        self.own_addresses = own_addresses
        self.software = hello.software
        self.claimed_site = claimed_site
        self.instance = hello.instance
        self.protocol = hello.protocol
        self.features = hello.features
        self.decoding = Decoding() if CODED_PIECES in hello.features else None
        """None: it takes no coded pieces."""
        self.ending = Ending()
        self.outbox = outbox
        self.pings = PingLog()
        self.pinged_at = self.ping_look_at = 0.0
        """As `Pinging` keeps them: the last time, and when the answer is looked for; so the next two."""
        self.echoes_before = self.missed_pings = 0
        self.budgets = budgets
        self.link: DataLink | None = None
        self.told_unavailable = NO_TORRENTS
        self.peer_list = PeerList()
        self.packet_bytes = LARGEST_PACKET_BYTES
        """What it was told to use on its data connection."""
        self.tell_changed: Callable[[RepositoryChanged], None] = self._put_changed
        """Says that there is new metadata; the conversation has a better way."""
        self.trusts: tuple[int, int] | None = None
        """The versions of root and snapshot that it has, as far as is known."""
        self.told_limit: SiteLimit | None = None
        self.told_others: list[OtherPc] = []
        """Who else shows its identity, as it knows."""
        self.heard_at = 0.0
        """When the last frame came from it."""
        self.set_aside = False
        """It has said nothing for long, others have: see `LiveSite.set_silent_aside`."""

    def _put_changed(self, notice: RepositoryChanged) -> None:
        self.outbox.put("changed", notice)

    def end(self, reason: str | None) -> None:
        """End both connections."""
        if self.link is not None:
            self.link.ending.end(reason)
        self.ending.end(reason)

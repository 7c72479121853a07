"""What all ledgers of a site share, and what each counts. Pure."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from p2pdist.shared.identifiers import EndpointId, TorrentHash
from seed_server.leasing.builders import Builders
from seed_server.leasing.help import Help
from seed_server.leasing.standing import Standings
from seed_server.leasing.turns import FetcherRank


@dataclass
class LedgerCounters:
    """Pieces since the ledger was made; each granted one ends as exactly one of the others or is still leased."""

    granted: int = 0
    stored: int = 0
    rejected: int = 0
    expired: int = 0
    voided: int = 0
    """Ended with the endpoint's connection, or it could make no piece of what was sent."""


@dataclass(frozen=True)
class SiteParts:
    """What all ledgers of a site share."""

    ready: Mapping[EndpointId, FetcherRank]
    """The endpoints that have a data connection now; ledgers only read it."""
    standings: Standings
    """The fleet's."""
    help_of: Mapping[EndpointId, Help] = field(default_factory=dict)
    """How far each helps its neighbours; those that are not in it help in full. Ledgers only read it."""
    on_freed: Callable[[], None] = lambda: None
    """Called when a fetcher slot has become free: who waits should ask."""
    holding: Callable[[TorrentHash], Collection[EndpointId]] = lambda _: ()
    """Returns the endpoints of the site that have all of a torrent."""
    builders: Builders = field(default_factory=Builders)
    """Those to whom pieces can be coded. Ledgers only read it."""

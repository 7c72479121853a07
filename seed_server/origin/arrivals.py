"""Places the endpoints that connect, records where they are, and logs claims that are not believed."""

import structlog

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import EndpointId, InvalidIdentifierError, SiteName, parse_ip_address
from p2pdist.shared.wire.messages import ControlHello, SitePeer
from seed_server.leasing.turns import FetcherRank
from seed_server.line.site_map import Placement, SiteMap
from seed_server.origin.connection import OriginConnection, RefusedError
from seed_server.origin.message_budgets import MessageBudgets
from seed_server.origin.outbox import Outbox
from seed_server.origin.records import OriginRecords
from seed_server.origin.site import Session
from seed_server.store.database import SeenRow

UPTIME_COUNTED_SECONDS = int(DAY_SECONDS)  # a PC that is always on; to claim more is no reason to fetch for the site

log = structlog.get_logger()


class Arrivals:
    """Makes a `Session` for each endpoint that connects."""

    def __init__(self, site_map: SiteMap, records: OriginRecords, clock: Clock) -> None:
        self.site_map = site_map
        """The one in force; replaced when the operator changes it."""
        self._records = records
        self._clock = clock
        self._claims_logged: set[EndpointId] = set()
        """At most all enrolled endpoints: no others get as far as this."""

    def place(self, connection: OriginConnection, hello: ControlHello) -> Placement:
        """Return where an endpoint is. Raises `RefusedError` for an own address that is none."""
        try:
            return self.site_map.place(_own_addresses(hello), connection.address)
        except InvalidIdentifierError as error:
            raise RefusedError(str(error)) from error

    def session(
        self,
        connection: OriginConnection,
        hello: ControlHello,
        placement: Placement,
        outbox: Outbox,
        budgets: MessageBudgets,
    ) -> Session:
        """Return the session of an endpoint that has been placed."""
        uptime_seconds = min(hello.uptime_seconds, UPTIME_COUNTED_SECONDS)
        claimed = None if placement.claimed is None else placement.claimed.name
        if claimed is not None:
            self._log_claim(connection, placement, claimed)
        return Session(
            connection,
            outbox,
            rank=FetcherRank(connection.endpoint, hello.wired, hello.on_mains, uptime_seconds),
            peer=SitePeer(endpoint_id=connection.endpoint, address=placement.lan_address, port=hello.lan_port),
            own_addresses=_own_addresses(hello),
            software=hello.software,
            claimed_site=claimed,
            budgets=budgets,
        )

    def record(self, session: Session, site: SiteName, *, connected: bool) -> None:
        """Keep where an endpoint is, for the operator."""
        row = SeenRow(
            site=site,
            address=session.peer.address,
            software=session.software,
            connected=connected,
            last_seen_at=self._clock.now(),
            claimed_site=session.claimed_site or "",
        )
        self._records.seen(session.endpoint, row)

    def _log_claim(self, connection: OriginConnection, placement: Placement, claimed: SiteName) -> None:
        if connection.endpoint in self._claims_logged:
            return  # once, however often it connects
        self._claims_logged.add(connection.endpoint)
        log.warning(
            "an endpoint claims another site than the one where it is seen, and is not believed",
            endpoint=connection.endpoint,
            address=connection.address,
            site=placement.site.name,
            claimed_site=claimed,
        )


def _own_addresses(hello: ControlHello) -> list[str]:
    """Return the addresses that an endpoint claims. Raises `InvalidIdentifierError`."""
    return [parse_ip_address(address.partition("%")[0]) for address in hello.addresses]

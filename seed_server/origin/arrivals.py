"""Admits and places the endpoints that connect, records where they are, and logs what is not believed of them."""

from collections.abc import Mapping

import msgspec
import structlog

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import EndpointId, InvalidIdentifierError, SiteName, parse_ip_address
from p2pdist.shared.wire.fields import MAX_COPIES
from p2pdist.shared.wire.messages import ControlHello, OtherPc, SharedIdentity, SitePeer
from seed_server.leasing.turns import FetcherRank
from seed_server.line.site_map import Placement, SiteMap
from seed_server.origin.connection import OriginConnection, RefusedError
from seed_server.origin.message_budgets import MessageBudgets
from seed_server.origin.outbox import Outbox
from seed_server.origin.records import OriginRecords
from seed_server.origin.session import Session
from seed_server.origin.shared_identities import Caller, SharedIdentities
from seed_server.origin.site import LiveSite
from seed_server.store.rows import SeenRow

UPTIME_COUNTED_SECONDS = int(DAY_SECONDS)  # a PC that is always on; to claim more is no reason to fetch for the site
ONE_AT_A_TIME = "another PC shows this PC's identity too, and one of them at a time is served"
CURE = "p2pdist enrol --force --new-key"

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
        self._identities = SharedIdentities()
        self._shared: dict[EndpointId, SeenRow] = {}
        """What is recorded of endpoints whose identity is shared."""

    def admit(
        self, connection: OriginConnection, hello: ControlHello, now: float, connected: tuple[Session, LiveSite] | None
    ) -> None:
        """Raise `RefusedError` if another PC with the same identity holds the connection.

        ``connected``: who is, with this identity. It is told of the others; that there are any is logged once.
        """
        endpoint = connection.endpoint
        known = bool(self._identities.others(endpoint))
        may_connect = self._identities.may_connect(
            endpoint, Caller(hello.instance, hello.hostname, connection.address), now
        )
        if not known and self._identities.others(endpoint):
            log.warning(
                "several PCs show one identity: a copied disk, or a stolen key",
                endpoint=endpoint,
                cure=f"on each of them but one, with a new token: {CURE}",
                pcs=[f"{pc.hostname} at {pc.address}" for pc in self._identities.everybody(endpoint)],
            )
        if not may_connect:
            if connected is not None:
                self._tell(*connected)
            connection.cause = "shared_identity"
            connection.others = self.others(endpoint, hello.instance)
            raise RefusedError(ONE_AT_A_TIME)

    def joined(self, session: Session, live: LiveSite) -> None:
        """Note that ``session`` is connected, and tell it who else shows its identity."""
        self._identities.joined(session.endpoint)
        self.record(session, live.site.name, connected=True)
        self._tell(session, live)

    def left(self, session: Session, live: LiveSite, now: float) -> None:
        """Note that ``session``, the newest of its endpoint, has ended."""
        self._identities.left(session.endpoint, session.instance, now)
        self.record(session, live.site.name, connected=False)

    def _tell(self, session: Session, live: LiveSite) -> None:
        others = self.others(session.endpoint)
        if others != session.told_others:
            session.told_others = others
            session.outbox.put("shared", SharedIdentity(others=others))
            self.record(session, live.site.name, connected=True)

    def others(self, endpoint: EndpointId, instance: str = "") -> list[OtherPc]:
        """Return who shows the identity of ``instance`` (by default: of the PC that is served) too."""
        callers = self._identities.others(endpoint, instance)[:MAX_COPIES]
        return [OtherPc(hostname=caller.hostname, address=caller.address) for caller in callers]

    def tell_single(self, connected: Mapping[EndpointId, tuple[Session, LiveSite]], now: float) -> None:
        """Tell endpoints that they alone show their identity again; call it regularly."""
        for endpoint in self._identities.take_ended(now):
            log.info("one PC alone shows its identity again", endpoint=endpoint)
            if endpoint in connected:
                self._tell(*connected[endpoint])
            elif (row := self._shared.pop(endpoint, None)) is not None:
                self._records.seen(endpoint, msgspec.structs.replace(row, shared_with=""))

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
            hello=hello,
            claimed_site=claimed,
            budgets=budgets,
        )

    def record(self, session: Session, site: SiteName, *, connected: bool, news: bool = True) -> None:
        """Keep where an endpoint is, for the operator; ``news``: more than that it is still there."""
        row = SeenRow(
            site=site,
            address=session.peer.address,
            software=session.software,
            connected=connected,
            last_seen_at=self._clock.now(),
            claimed_site=session.claimed_site or "",
            shared_with=", ".join(f"{pc.hostname} at {pc.address}" for pc in self.others(session.endpoint)),
        )
        (self._records.seen if news else self._records.still_there)(session.endpoint, row)
        if row.shared_with:
            self._shared[session.endpoint] = row
        else:
            self._shared.pop(session.endpoint, None)

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

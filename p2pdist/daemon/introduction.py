"""How this PC introduces itself to its server and its neighbours."""

from p2pdist import __version__
from p2pdist.daemon.state import DaemonState
from p2pdist.neighbours.known_peer import Announcement
from p2pdist.shared.identifiers import opaque_tag
from p2pdist.shared.wire.features import PC_FEATURES
from p2pdist.shared.wire.messages import PROTOCOL_VERSION, ControlHello


class Introduction:
    """Builds what this PC says of itself. Ask it at each attempt: certificates, addresses and the site change."""

    def __init__(self, state: DaemonState) -> None:
        self._state = state

    def hello(self, lan_port: int) -> ControlHello:
        """Return the first message to the server."""
        facts = self._state.facts
        return ControlHello(
            protocol=PROTOCOL_VERSION,
            software=f"p2pdist {__version__}",
            hostname=facts.hostname,
            addresses=self._state.addresses,
            lan_port=lan_port,
            on_mains=facts.on_mains,
            wired=facts.wired,
            uptime_seconds=facts.uptime_seconds,
            instance=self._state.instance,
            features=PC_FEATURES,
        )

    def announcement(self, lan_port: int) -> Announcement:
        """Return what the neighbours are told by mDNS."""
        identity, site = self._state.identity, self._state.site
        return Announcement(
            endpoint_id=identity.endpoint_id,
            address=self._state.address or "0.0.0.0",  # noqa: S104 - means: no address
            port=lan_port,
            swarm_tag=opaque_tag(identity.swarm_ca),
            site_tag=opaque_tag(site) if site else "",
        )

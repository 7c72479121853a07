"""What outlives a restart of the daemon's parts: made once, before all of them."""

from dataclasses import dataclass
from pathlib import Path

from bandwidth.profiles.model import Profile
from p2pdist.daemon.addresses import AddressWatch
from p2pdist.daemon.introduction import Introduction
from p2pdist.daemon.renewal import Renewal
from p2pdist.daemon.restarts import Restarts
from p2pdist.daemon.state import DaemonState
from p2pdist.daemon.wakeups import WakeUps
from p2pdist.identity.last_server import load_last_server
from p2pdist.identity.store import Identity
from p2pdist.install.installer import Installer
from p2pdist.network.rights import PartUser, choose_user
from p2pdist.pc.facts import PcFacts, Surroundings
from p2pdist.pc.last_site import load_site
from p2pdist.pc.network import Medium
from p2pdist.settings import DaemonSettings, EndpointHome
from p2pdist.shared.clock import Clock
from p2pdist.transfer.cached_files import Writer
from p2pdist.trust.clock_trust import ClockTrust

MEDIA = {"wired": Medium.WIRED, "wifi": Medium.WIFI, "vpn": Medium.VPN, "metered": Medium.METERED}


@dataclass(frozen=True)
class Core:
    """What every part may know; it stays the same when the parts are started anew."""

    home: EndpointHome
    settings: DaemonSettings
    clock: Clock
    state: DaemonState
    wakeups: WakeUps
    restarts: Restarts
    installer: Installer
    around: Surroundings
    pc: PcFacts
    renewal: Renewal
    address_watch: AddressWatch
    introduction: Introduction
    part_user: PartUser
    """Who the network part runs as."""

    @property
    def writer(self) -> Writer | None:
        """Who fills the files in the cache, where it is not the daemon's own user."""
        return Writer(self.part_user.uid, self.part_user.gid) if self.part_user.separate else None


def build_core(
    home: EndpointHome,
    settings: DaemonSettings,
    identity: Identity,
    clock: Clock,
    *,
    address: str | None = None,
    home_profile: Profile | None = None,
) -> Core:
    """Make what outlives a restart of the parts. ``address``: the one own address to use, or None for all."""
    state = DaemonState(
        identity,
        ClockTrust(clock),
        site=load_site(home.last_site),
        home_profile=home_profile,
        fixed_address=address,
        last_server=load_last_server(home.last_server),
    )
    wakeups, restarts = WakeUps(), Restarts()
    root = Path(settings.install_root)
    installer = Installer(root, home.scratch)
    medium = MEDIA.get(settings.network)
    around = Surroundings(
        address=lambda: state.address,
        site=lambda: state.site,
        tags=lambda: state.identity.tags,
        medium=medium,
    )
    return Core(
        home=home,
        settings=settings,
        clock=clock,
        state=state,
        wakeups=wakeups,
        restarts=restarts,
        installer=installer,
        around=around,
        pc=PcFacts(home.root, root, around, changed=wakeups.facts_changed, list_rpm=installer.detector.list_packages),
        renewal=Renewal(state, wakeups, restarts, clock),
        address_watch=AddressWatch(state, restarts, clock, medium=medium),
        introduction=Introduction(state),
        part_user=choose_user(),
    )

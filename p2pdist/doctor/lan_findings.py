"""Judges this PC's neighbourhood: ports, mDNS, isolation, callers, networks, VPN, its own firewall. Pure."""

import ipaddress
from collections.abc import Sequence

from p2pdist.doctor.answers import fine, unknown, wrong
from p2pdist.doctor.facts import DoctorFacts
from p2pdist.doctor.way_findings import reported
from p2pdist.local_api.delivery_answers import Peer
from p2pdist.local_api.doctor_answers import CheckFinding
from p2pdist.pc.network import Medium
from p2pdist.status.neighbourhood import NO_WAY, callers_come_in, neighbourhood

_NO_DAEMON = "The daemon gave no answer, and it alone hears neighbours."
_OURS = "p2pdist"


def judge_lan_port(facts: DoctorFacts) -> CheckFinding:
    """Judge whether neighbours' port is there for the daemon."""
    port = facts.lan_port
    if port is None or port.port == 0:
        return unknown("lan-port", "The port for neighbours is any free one: no firewall rule can name it.")
    if port.taken is None:
        return unknown("lan-port", f"Port {port.port} could not be tried ({port.problem}).")
    if facts.daemon.hidden:
        return unknown("lan-port", "The daemon gave no answer: who listens there is not known.")
    if facts.daemon.status is None:
        if port.taken:
            return wrong(
                "lan-port",
                f"The daemon does not run, and another program listens on its port {port.port}.",
                "administrator",
                f"Stop what listens there ('ss -ltnp sport = :{port.port}' names it), or choose another lan_port on "
                "all PCs.",
            )
        return fine("lan-port", f"Port {port.port} is free for the daemon.")
    if not port.taken:
        return wrong(
            "lan-port",
            f"The daemon runs, and nothing listens on its port {port.port}.",
            "administrator",
            "Restart the service: it has begun with another lan_port, or could not listen; its log says so.",
        )
    return fine("lan-port", f"Something listens on port {port.port} while the daemon runs.")


def judge_lan_incoming(facts: DoctorFacts) -> CheckFinding:
    """Judge whether a firewall lets neighbours in: those that have called show it."""
    callers = None if facts.daemon.peers is None else facts.daemon.peers.callers
    come_in = callers_come_in(callers)
    if callers is None or come_in is None:
        return unknown(
            "lan-incoming",
            "No neighbour has called since the daemon began, and too few had a reason to, to judge by that.",
        )
    number = callers.callers
    if come_in:
        return fine("lan-incoming", f"Neighbours have connected to this PC: {number}.")
    reached = callers.reached
    return wrong(
        "lan-incoming",
        f"This PC has connected to {reached} neighbours that lacked pieces as it did, and none has connected to it.",
        "administrator",
        "Let TCP to the port of lan-port into this PC: its firewall's rules, or the group policy that sets them. On a "
        "neighbour, 'p2pdist peers' says \"timed out\" of this PC.",
    )


def judge_mdns(facts: DoctorFacts) -> CheckFinding:
    """Judge whether neighbours' announcements are heard."""
    if facts.daemon.status is None or facts.daemon.peers is None:
        return unknown("mdns", _NO_DAEMON)
    if said := reported(facts, "mdns"):
        return wrong(
            "mdns", said, "administrator", "Put mdns = true into config.toml, or see what keeps the port 5353 busy."
        )
    around = neighbourhood(facts.daemon.peers.peers)
    if heard := around.heard:
        return fine("mdns", f"Neighbours heard: {heard}.")
    if around.connected:
        return fine("mdns", "No neighbour is heard, and those that the server names are connected: other networks.")
    if around.is_unheard:
        others = around.named
        return wrong(
            "mdns",
            f"No neighbour was heard, although the server names some: {others}.",
            "network",
            "Let UDP port 5353 to 224.0.0.251 and ff02::fb pass between PCs of this network, and between its VLANs TCP "
            "to the port for neighbours.",
        )
    return unknown("mdns", "No neighbour is known: there may be none.")


def judge_mdns_port(facts: DoctorFacts) -> CheckFinding:
    """Judge whether another program keeps mDNS to itself."""
    port = facts.mdns_port
    if port is None or port.taken is None:
        return unknown("mdns-port", "The port of mDNS could not be tried.")
    if port.taken:
        return wrong(
            "mdns-port",
            f"Another program holds UDP port {port.port} for itself alone.",
            "administrator",
            f"Set up what holds it ('ss -lunp sport = :{port.port}' names it) to share it, or stop it.",
        )
    return fine("mdns-port", f"UDP port {port.port} can be shared.")


def judge_isolation(facts: DoctorFacts) -> CheckFinding:
    """Judge whether neighbours that are heard can be reached at all."""
    if facts.daemon.peers is None:
        return unknown("isolation", _NO_DAEMON)
    around = neighbourhood(facts.daemon.peers.peers)
    if around.connected:
        return fine("isolation", "Neighbours are connected.")
    if around.is_cut_off:
        return wrong(
            "isolation",
            f"Neighbours are heard, and none can be reached: {around.cut_off} of {around.heard} do not answer.",
            "network",
            "Switch client isolation (AP isolation, private VLAN) off for this network, and let TCP to the port for "
            "neighbours (lan_port, 7691 by default) pass between its PCs.",
        )
    return unknown("isolation", "No connection to a neighbour was tried yet.")


def judge_networks(facts: DoctorFacts) -> CheckFinding:
    """Judge whether neighbours in other networks (VLANs) can be reached."""
    peers, networks = facts.daemon.peers, facts.networks
    if peers is None:
        return unknown("networks", _NO_DAEMON)
    if not networks:
        return unknown("networks", "This system does not tell which networks this PC is in.")
    away = _elsewhere(peers.peers, networks)
    own = ", ".join(networks)
    if not away:
        return fine("networks", f"All neighbours that are known are in this PC's own networks: {own}.")
    if any(peer.connected for peer in away):
        return fine("networks", "Neighbours in other networks are reached.")
    lost = [peer for peer in away if peer.reason in NO_WAY]
    if lost:
        places = ", ".join(sorted({peer.address for peer in lost})[:4])
        number = len(lost)
        return wrong(
            "networks",
            f"This PC is in {own}, and {number} neighbours of its site in other networks do not answer: {places}.",
            "network",
            "Let TCP to the port for neighbours (7691) pass between the VLANs of a site. If they are not to share, "
            "part them into two sites in sites.toml, and do not repeat mDNS between them.",
        )
    return unknown("networks", "Neighbours in other networks are known, and none was tried yet.")


def _elsewhere(peers: Sequence[Peer], networks: Sequence[str]) -> list[Peer]:
    known = [ipaddress.ip_network(network, strict=False) for network in networks]
    return [peer for peer in peers if not any(ipaddress.ip_address(peer.address) in network for network in known)]


def judge_vpn(facts: DoctorFacts) -> CheckFinding:
    """Judge whether a VPN parts this PC from neighbours that are there."""
    limiter, peers = facts.daemon.limiter, facts.daemon.peers
    if limiter is None or peers is None:
        return unknown("vpn", "The daemon gave no answer, and it alone knows by which card it reaches its server.")
    if limiter.network != Medium.VPN.value:
        return fine("vpn", f"The server is not reached by a VPN ({limiter.network}).")
    heard = neighbourhood(peers.peers).heard
    if not heard:
        return fine("vpn", f"The server is reached by a VPN ({limiter.interface}): this PC fetches alone.")
    return wrong(
        "vpn",
        f"The server is reached by a VPN ({limiter.interface}), although neighbours are heard on the local network: "
        f"{heard}. This PC shares nothing with them.",
        "network",
        "In the company's own networks, let PCs reach the server without the VPN (split tunnel, or none).",
    )


def judge_firewall(facts: DoctorFacts) -> CheckFinding:
    """Judge this PC's own firewall, as far as its files say."""
    firewall = facts.firewall
    port = 0 if facts.lan_port is None else facts.lan_port.port
    if firewall is None or firewall.lets_in is None:
        why = "" if firewall is None else firewall.why
        return unknown("firewall", why or "This system's firewall is not known to p2pdist.")
    name = firewall.name
    if firewall.lets_in:
        return fine("firewall", f"{name} lets neighbours in." if name else "No firewall of this PC is switched on.")
    return wrong(
        "firewall",
        f"{name} is switched on, and no rule of it lets TCP to port {port} in.",
        "administrator",
        firewall.mend,
    )


def judge_port_users(facts: DoctorFacts) -> CheckFinding:
    """Judge who else uses the ports for neighbours and of mDNS."""
    users = facts.port_users
    if users is None:
        return unknown("port-users", "This system does not tell which programs use a port, or not to this user.")
    strangers = ", ".join(sorted({name for name in users.lan if name != _OURS}))
    others = ", ".join(sorted({name for name in users.mdns if name != _OURS}))
    if strangers:
        return wrong(
            "port-users",
            f"The port for neighbours is used by another program: {strangers}.",
            "administrator",
            "Give that program (a BitTorrent client, perhaps) another port, or choose another lan_port on all PCs.",
        )
    if others:
        return fine("port-users", f"UDP port 5353 is shared with other programs, as it may be: {others}.")
    return fine("port-users", "No other program uses the ports for neighbours and of mDNS.")

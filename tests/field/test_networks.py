"""Networks of PCs as they are in the field: bridges of containers, tunnels, addresses that come and go.

Each test makes real cards in a network namespace of its own, in the order in which they are found on such PCs.
"""

import json

from seed_server.line.site_map import parse_site_map
from tests.helpers.namespaces import in_own_network

CARDS = """
bridge("docker0", "172.17.0.1/16")
bridge("virbr0", "192.168.122.1/24")
card("eth0", "10.9.0.5/24", "2001:db8:9::5/64")
sh("ip tuntap add tun0 mode tun", "ip addr add 10.8.0.3/24 dev tun0", "ip link set tun0 up")
"""

TELL = """
import json
from p2pdist.pc.local_facts import read_local_facts
print(json.dumps([read_local_facts((host, 7690), 2e9).addresses for host in {hosts}]))
"""

WATCH = """
import trio
from p2pdist.shared.logs import configure_log
from dataclasses import replace
from p2pdist.daemon.addresses import AddressWatch
from p2pdist.shared.clock import SystemClock
from tests.helpers.daemon_states import made_up_identity, made_up_state

class Heard(list):
    def reconnect(self):
        self.append("server")
    async def announce(self):
        self.append("neighbours")
    async def start_anew(self):
        self.append("restart")

async def watch(*steps):
    configure_log("info")
    heard = Heard()
    state = made_up_state(made_up_identity(server_address="192.0.2.9"))
    watching = AddressWatch(state, heard, SystemClock())
    state.facts = await watching.read_facts()
    for step in steps:
        heard.clear()
        step()
        await watching.accept(await watching.read_facts(), heard, heard)
        print(state.address, *heard)
"""


def told(hosts: list[str], *, more: str = "") -> list[list[str]]:
    """Return the addresses that a PC with `CARDS` tells to its server, one list for each host of a server."""
    found: list[list[str]] = json.loads(in_own_network(CARDS + more + TELL.format(hosts=hosts)))
    return found


def test_a_bridge_of_containers_or_a_tunnel_is_told_to_nobody() -> None:
    by_cable, by_ipv6, by_tunnel = told(
        ["192.0.2.9", "2001:db8:9::77", "10.8.0.1"], more='sh("ip route add default via 10.9.0.1")'
    )
    assert by_cable == ["10.9.0.5", "2001:db8:9::5"]
    assert by_ipv6 == ["2001:db8:9::5", "10.9.0.5"], "the one in use comes first"
    assert by_tunnel == ["10.8.0.3"], "a server behind the tunnel is reached over it"


def test_while_the_name_of_the_server_cannot_be_looked_up_no_bridge_stands_in() -> None:
    assert told(["server.invalid"], more='sh("ip route add default via 10.9.0.1")') == [["10.9.0.5", "2001:db8:9::5"]]
    assert told(["server.invalid"]) == [[]], "no way out and no hardware: nothing to tell"


def test_the_address_of_a_bridge_does_not_choose_among_sites_behind_one_router() -> None:
    sites = parse_site_map(
        """
        [[site]]
        name = "first-of-the-map"
        networks = ["172.16.0.0/12"]
        nat = ["198.51.100.7"]
        [[site]]
        name = "where-it-is"
        networks = ["10.9.0.0/24"]
        nat = ["198.51.100.7"]
        """,
        source="sites.toml",
    )
    for own in (["10.9.0.5", "172.17.0.1"], ["10.9.0.5"]):
        placement = sites.place(own, "198.51.100.7")
        assert (placement.site.name, placement.lan_address) == ("where-it-is", "10.9.0.5")
    contradicting = sites.place(["10.9.0.5", "172.17.0.1"], "203.0.113.9").claimed
    assert contradicting
    assert contradicting.name == "where-it-is", "the operator is shown the claim of the address in use"


def test_a_bridge_that_comes_up_drops_no_connection() -> None:
    steps = """
def bridge_comes():
    bridge("docker0", "172.17.0.1/16")
def bridge_goes():
    sh("ip link del docker0")
def second_address():
    sh("ip addr add 10.9.0.77/24 dev eth0")
def cable_is_out():
    sh("ip link set eth0 down")
def cable_is_in():
    sh("ip link set eth0 up", "ip route add default via 10.9.0.1")
def other_address():
    sh("ip addr del 10.9.0.5/24 dev eth0")
def other_network():
    card("wlan0", "10.20.0.5/24")
    sh("ip route replace default via 10.20.0.1")
card("eth0", "10.9.0.5/24")
sh("ip route add default via 10.9.0.1")
sh("sysctl -q net.ipv4.conf.eth0.promote_secondaries=1")
trio.run(watch, bridge_comes, bridge_goes, second_address, cable_is_out, cable_is_in, other_address, other_network)
"""
    assert in_own_network(WATCH + steps).splitlines() == [
        *["10.9.0.5"] * 5,
        "10.9.0.77 server neighbours",
        "10.20.0.5 server neighbours",
    ]

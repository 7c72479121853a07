"""Servers whose own address changes under their enrolled PCs: a real card of a machine in a namespace of the test."""

import json

from tests.helpers.namespaces import in_own_network

MOVED = """
import json, pathlib, tempfile, structlog.testing, trio
from seed_server.service.upkeep import Upkeep
from seed_server.settings.server_toml import ServerSettings

with tempfile.NamedTemporaryFile("w") as hosts:
    print("10.9.0.5 patches.example", "127.0.0.1 localhost", sep="\\n", file=hosts, flush=True)
    sh(f"mount --bind {hosts.name} /etc/hosts")
card("eth0", "10.9.0.5/24")

async def warned(address, listen_address=""):
    settings = ServerSettings(name="hq", address=address, listen_address=listen_address)
    with structlog.testing.capture_logs() as logs, trio.move_on_after(0.5):
        await Upkeep(None, settings, None, None, None).watch_address()
    return [line for line in logs if line["log_level"] == "warning"]

def show(*arguments):
    print(json.dumps(trio.run(warned, *arguments)))

show("patches.example")
show("10.9.0.5")
sh("ip addr add 10.9.0.6/24 dev eth0", "ip addr del 10.9.0.5/24 dev eth0", "ip addr add 10.9.0.7/24 dev eth0")
show("patches.example")
show("patches.example", "0.0.0.0")
"""


def test_a_name_that_no_longer_leads_to_the_server_is_warned_of() -> None:
    by_name, by_address, moved, translated = map(json.loads, in_own_network(MOVED).splitlines())
    assert (by_name, by_address) == ([], [])
    (warning,) = moved
    assert "PCs do not find this server" in warning["event"]
    assert warning["address"] == "patches.example"
    assert "10.9.0.5, which this machine does not have" in warning["reason"]
    assert translated == [], "who sets listen_address says that the address is another machine's: a router's"

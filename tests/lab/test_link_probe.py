"""The link probe on a real card: two network namespaces joined by a cable (needs root)."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None,
        reason="network namespaces need root and iproute2 on Linux",
    ),
]

SENDER = """
import socket
for family, host in ((socket.AF_INET, "10.77.1.1"), (socket.AF_INET6, "fd77::1")):
    listener = socket.create_server((host, 7000), family=family)
    globals()[host] = listener
print("ready", flush=True)
import threading
def serve(listener):
    while True:
        connection, _ = listener.accept()
        size = int(connection.recv(16))
        connection.sendall(bytes(size))
        connection.close()
for host in ("10.77.1.1", "fd77::1"):
    threading.Thread(target=serve, args=(globals()[host],), daemon=True).start()
threading.Event().wait()
"""

FETCH = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 7000))
connection.sendall(sys.argv[2].encode())
left = int(sys.argv[2])
while left:
    left -= len(connection.recv(min(left, 1 << 20)))
print("got", flush=True)
sys.stdin.read()
"""

PROBE = """
import json, socket, subprocess, sys, time
from p2pdist.limiter.link_report import LinkMeter
from p2pdist.limiter.link_probe import LinkProbe
from p2pdist.pc.network_look import network_state
from p2pdist.shared.clock import SystemClock
fetch, host, others, own = sys.argv[1:]
state = network_state("10.77.2.2")
probe = LinkProbe(SystemClock())
probe.refresh_addresses()
meter = LinkMeter()
meter.observe(probe.counters(state.counted))
other = subprocess.Popen([sys.executable, "-c", fetch, host, others], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
mine = socket.create_connection((host, 7000))
mine.sendall(own.encode())
left = int(own)
while left:
    left -= len(mine.recv(min(left, 1 << 20)))
assert other.stdout.readline() == b"got\\n"
time.sleep(0.05)
look = meter.observe(probe.counters(state.counted))
other.stdin.close()
print(json.dumps({
    "interface": state.interface, "medium": state.medium, "gateway": state.gateway, "speed": state.speed,
    "business": look.report.business_bytes, "received": look.business_received_bytes,
    "own": look.own_received_bytes, "flows": look.report.flows, "harm": look.report.harm_seconds,
}))
"""


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=20)


@pytest.fixture
def namespaces() -> Iterator[tuple[str, str]]:
    far, here = f"p2pd-far-{os.getpid()}", f"p2pd-pc-{os.getpid()}"
    try:
        for name in (far, here):
            run("ip", "netns", "add", name)
        run("ip", "link", "add", "far0", "netns", far, "type", "veth", "peer", "name", "lan0", "netns", here)
        # the far end is behind a router for IPv4 (another network), and a neighbour for IPv6
        for name, card, addresses in (
            (far, "far0", ["10.77.1.1/32", "10.77.2.1/24", "fd77::1/64"]),
            (here, "lan0", ["10.77.2.2/24", "fd77::2/64"]),
        ):
            for address in addresses:
                run("ip", "-n", name, "addr", "add", address, "dev", card, *(["nodad"] if ":" in address else []))
            run("ip", "-n", name, "link", "set", card, "up")
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", here, "route", "add", "default", "via", "10.77.2.1")
        yield far, here
    finally:
        for name in (far, here):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True, timeout=20)


@pytest.mark.parametrize(("host", "on_the_line"), [("10.77.1.1", True), ("fd77::1", False)], ids=["line", "LAN"])
def test_business_is_what_others_receive(namespaces: tuple[str, str], host: str, on_the_line: bool) -> None:
    far, here = namespaces
    others, own = 3_000_000, 5_000_000
    command = ["ip", "netns", "exec", far, sys.executable, "-c", SENDER]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as sender:
        assert sender.stdout is not None
        assert sender.stdout.readline() == b"ready\n"
        probe = subprocess.run(
            ["ip", "netns", "exec", here, sys.executable, "-c", PROBE, FETCH, host, str(others), str(own)],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        sender.terminate()
    assert probe.returncode == 0, probe.stderr
    seen = json.loads(probe.stdout)
    assert (seen["interface"], seen["medium"], seen["gateway"]) == ("lan0", "wired", "10.77.2.1")
    assert seen["speed"] == 1_250_000_000  # what a veth says of itself
    # veth carries bundles of segments under one header, so the exact sum is between payload and full headers
    assert own <= seen["own"] <= 1.08 * own
    assert 0.9 * others <= seen["received"] <= 1.08 * others
    if on_the_line:
        assert seen["business"] == seen["received"]
        ((_, size),) = seen["flows"]
        assert size in (others, others + 1)  # the kernel counts the end of the stream as a byte
        assert seen["harm"] is None or 0 <= seen["harm"] < 1.0
    else:
        assert seen["business"] < 0.1 * others
        assert seen["flows"] == []

"""`p2pdist.pc.link_neighbours_linux`: what the kernel says of machines on a link, whatever it says."""

import ipaddress
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from p2pdist.pc import link_neighbours_linux, netlink_dump
from p2pdist.pc.link_neighbours import link_neighbours
from p2pdist.pc.link_neighbours_linux import Entry, neighbours_of, own_cards, read_entry
from p2pdist.pc.network import Medium, NetworkState

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells it so")

CARD = bytes.fromhex("525400123456")
REACHABLE, FAILED, ROUTER = 2, 0x20, 0x80


def take(data: bytes, found: list[Entry]) -> bool:
    return netlink_dump.take(data, found, read_entry, what="neighbours")


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(body: bytes, kind: int = 28) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body


def told(address: str, card: bytes = CARD, *, link: int = 2, state: int = REACHABLE, flags: int = 0) -> bytes:
    packed = ipaddress.ip_address(address).packed
    body = struct.pack("=B3xiHBB", socket.AF_INET, link, state, flags, 1)
    return message(body + attribute(1, packed) + attribute(2, card))


def test_each_entry_is_read() -> None:
    found: list[Entry] = []
    data = told("10.0.0.7") + told("fe80::7", state=FAILED, flags=ROUTER) + told("10.0.0.8", b"")
    assert not take(data, found)
    assert found == [
        Entry(2, ipaddress.ip_address("10.0.0.7"), CARD, True, False),
        Entry(2, ipaddress.ip_address("fe80::7"), CARD, False, True),
        Entry(2, ipaddress.ip_address("10.0.0.8"), b"", True, False),
    ]
    assert take(message(bytes(4), 3), found)
    for cut in range(16, len(told("10.0.0.7"))):
        with pytest.raises(OSError, match="does not list"):
            take(told("10.0.0.7")[:cut], [])
    with pytest.raises(OSError, match="does not list"):
        take(message(bytes(4), 2), [])


def test_machines_are_those_that_answered_on_this_link_without_routers(monkeypatch: pytest.MonkeyPatch) -> None:
    data = (
        told("10.0.0.7")
        + told("2001:db8::7")
        + told("fe80::9", bytes.fromhex("525400000009"))
        + told("2001:db8::9", bytes.fromhex("525400000009"))
        + told("10.0.0.1", bytes.fromhex("525400000001"))
        + told("fe80::1", bytes.fromhex("525400000001"))
        + told("10.0.0.2", bytes.fromhex("525400000002"), flags=ROUTER)
        + told("10.0.0.10", bytes.fromhex("52540000000a"), link=3)
        + told("10.0.0.11", bytes.fromhex("52540000000b"), state=FAILED)
        + told("10.0.0.255", bytes.fromhex("ffffffffffff"))
        + told("10.0.0.12", bytes(6))
        + told("10.0.0.13", bytes(8))
    )
    entries: list[Entry] = []
    take(data, entries)
    monkeypatch.setattr(link_neighbours_linux, "_entries", lambda: entries)
    monkeypatch.setattr(socket, "if_nametoindex", lambda _name: 2)
    assert neighbours_of("lan0", "10.0.0.1") == {
        "52:54:00:12:34:56": "10.0.0.7",
        "52:54:00:00:00:09": "2001:db8::9",
    }


def test_own_cards_are_those_in_use_and_the_hardware(tmp_path: Path) -> None:
    for name, text, real in (
        ("lan0", "52:54:00:00:00:01\n", False), ("eth0", "52:54:00:00:00:02\n", True),
        ("br0", "52:54:00:00:00:03\n", False),
        ("tun0", "\n", True), ("lo", "00:00:00:00:00:00\n", True),
    ):  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "address").write_text(text)
        if real:
            (tmp_path / name / "device").mkdir()
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(link_neighbours_linux, "hardware", lambda _cards: ("eth0", "lo", "tun0"))
        assert own_cards("lan0", tmp_path) == ("52:54:00:00:00:01", "52:54:00:00:00:02")


@pytest.mark.parametrize("medium", sorted(set(Medium) - {Medium.WIRED, Medium.WIFI}))
def test_of_other_networks_nothing_is_looked_at(medium: Medium) -> None:
    assert link_neighbours(NetworkState(interface="lo", medium=medium)) is None
    assert link_neighbours(NetworkState(interface=None, medium=Medium.WIRED)) is None


# --- a real cable --------------------------------------------------------------------------

LOOK = """
import json, socket, time
from p2pdist.pc.link_neighbours import link_neighbours
from p2pdist.pc.network_look import network_state
for host in ("10.78.1.3", "10.78.1.1"):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (host, 9))
state = network_state("10.78.1.2")
until = time.monotonic() + 10
while not (found := link_neighbours(state)).seen and time.monotonic() < until:
    time.sleep(0.05)
print(json.dumps([found.own, found.seen]))
"""


@pytest.fixture
def cable() -> Iterator[tuple[str, str]]:
    """Yield the namespaces of a PC, and of a printer and a router that nobody has enrolled, joined by a cable."""
    names = (f"p2pn-{os.getpid()}-a", f"p2pn-{os.getpid()}-b")

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    try:
        for name in names:
            ip("netns", "add", name)
        ip("-n", names[0], "link", "add", "lan0", "type", "veth", "peer", "name", "lan0", "netns", names[1])
        for name, hosts in zip(names, (("10.78.1.2",), ("10.78.1.3",)), strict=True):
            for host in hosts:
                ip("-n", name, "address", "add", f"{host}/24", "dev", "lan0")
            ip("-n", name, "link", "set", "lan0", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None,
    reason="network namespaces need root and iproute2 on Linux",
)
def test_a_machine_that_answers_arp_is_seen_with_its_card(cable: tuple[str, str]) -> None:
    pc, printer = cable
    command = ["ip", "netns", "exec", pc, sys.executable, "-c", LOOK]
    own, seen = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)

    def card_in(name: str) -> str:
        shown = subprocess.run(["ip", "-n", name, "-j", "link", "show", "lan0"], check=True, capture_output=True)
        return str(json.loads(shown.stdout)[0]["address"])

    assert own[0] == card_in(pc)
    assert seen == {card_in(printer): "10.78.1.3"}

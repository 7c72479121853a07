"""`p2pdist.limiter.link_probe` and what it reads below /proc and /sys; cards and traffic are in `tests/lab`."""

import errno
import sys
from pathlib import Path

import pytest
import trio

from p2pdist.limiter import link_probe, link_probe_linux, link_probe_other, sock_diag
from p2pdist.limiter.gateway_ping import GatewayPing
from p2pdist.pc import system
from p2pdist.pc.network import Medium

if sys.platform != "linux":
    pytest.skip("the files are Linux's", allow_module_level=True)

ROUTES = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wlan0	00000000	0101A8C0	0003	0	0	600	00000000	0	0	0
eth0	00000000	0100000A	0003	0	0	100	00000000	0	0	0
eth0	00000000	0200000A	0003	0	0	50	00000000	0	0	0
eth0	0000000A	00000000	0001	0	0	100	00FFFFFF	0	0	0
tun0	00000000	00000000	0001	0	0	50	00000000	0	0	0
"""
ROUTES6 = (
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00"
    " fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00"
    " 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
)


def test_the_gateway_is_the_default_routes_with_the_least_metric() -> None:
    assert link_probe_linux.gateway_in(ROUTES, "eth0") == "10.0.0.2"
    assert link_probe_linux.gateway_in(ROUTES, "wlan0") == "192.168.1.1"
    assert link_probe_linux.gateway_in(ROUTES, "tun0") is None
    assert link_probe_linux.gateway6_in(ROUTES6, "eth0") == "fe80::1%eth0"
    assert link_probe_linux.gateway6_in(ROUTES6, "lo") is None


def test_routes_that_cannot_be_read_give_no_gateway(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(link_probe_linux, "ROUTES", tmp_path)
    assert link_probe_linux.gateway("eth0") is None
    (tmp_path / "route").write_text("header\neth0 nonsense\n")
    assert link_probe_linux.gateway("eth0") is None


@pytest.mark.parametrize(
    ("files", "medium"),
    [
        ({"type": "772"}, Medium.LOOPBACK),
        ({"type": "1"}, Medium.WIRED),
        ({"type": "1", "wireless/x": ""}, Medium.WIFI),
        ({"type": "1", "uevent": "DEVTYPE=wlan\n"}, Medium.WIFI),
        ({"type": "65534", "uevent": "DEVTYPE=wireguard\n"}, Medium.VPN),
        ({"type": "1", "uevent": "INTERFACE=w\nDEVTYPE=wwan\n"}, Medium.METERED),
        ({"type": "1", "tun_flags": "0x1002"}, Medium.VPN),
        ({"type": "512"}, Medium.VPN),
        ({}, Medium.UNKNOWN),
    ],
)
def test_the_kind_of_a_card(
    files: dict[str, str], medium: Medium, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, text in files.items():
        path = tmp_path / "card" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(link_probe_linux, "CARDS", tmp_path)
    assert link_probe_linux.medium("card") is medium


@pytest.mark.parametrize(
    ("text", "speed"),
    [("1000", 125_000_000), ("-1", None), ("0", None), ("", None), ("1000000", 125_000_000_000), ("1000001", None)],
)
def test_the_speed_of_a_card(text: str, speed: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "speed").write_text(text)
    monkeypatch.setattr(link_probe_linux, "CARDS", tmp_path)
    assert link_probe_linux.speed("card") == speed


def test_tunnels_over_real_cards_are_not_counted_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(link_probe_linux, "CARDS", tmp_path)
    assert link_probe_linux.counted_cards("veth") == ("veth",)
    for name, kind in (("eth0", "1"), ("wlan0", "1"), ("tun0", "65534"), ("veth", "1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(kind)
    for name in ("eth0", "wlan0"):
        (tmp_path / name / "device").mkdir()
    assert link_probe_linux.counted_cards("eth0") == ("eth0", "wlan0")
    assert link_probe_linux.counted_cards("tun0") == ("eth0", "wlan0")
    assert link_probe_linux.counted_cards(None) == ("eth0", "wlan0")
    assert link_probe_linux.counted_cards("veth") == ("veth",)


@pytest.mark.parametrize(
    ("name", "medium"),
    [("Wi-Fi", Medium.WIFI), ("Ethernet", Medium.WIRED), ("utun3", Medium.VPN), ("lo0", Medium.LOOPBACK)],
)
def test_elsewhere_the_name_tells(name: str, medium: Medium) -> None:
    assert link_probe_other.medium(name) is medium


def test_the_state_of_loopback() -> None:
    state = link_probe.network_state("127.0.1.9")
    assert (state.interface, state.medium) == ("lo", Medium.LOOPBACK)
    assert link_probe.network_state("127.0.1.9", Medium.METERED).medium is Medium.METERED


def test_an_address_that_is_not_ours_has_no_card() -> None:
    assert link_probe.network_state("203.0.113.77").interface is None
    assert link_probe.network_state(None).medium is Medium.UNKNOWN


def test_connections_within_this_pc_are_no_business() -> None:
    probe = link_probe.LinkProbe()
    probe.look_around()
    sockets = probe.counters(("lo",)).sockets
    assert sockets is not None
    assert probe._stays_here(b"\x7f\x00\x01\x05")
    assert probe._stays_here(bytes(15) + b"\1")
    assert not probe._stays_here(b"\xc0\x00\x02\xfe")


def test_the_lan_is_what_an_own_network_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [("10.1.2.3", 24), ("127.0.0.1", 8), ("2001:db8::5", 64)]
    monkeypatch.setattr(system, "own_networks", lambda: own)
    probe = link_probe.LinkProbe()
    probe.look_around()
    assert probe._is_on_link(bytes([10, 1, 2, 200]))
    assert not probe._is_on_link(bytes([10, 1, 3, 200]))
    assert probe._is_on_link(bytes.fromhex("20010db8000000000000000000000099"))
    assert not probe._is_on_link(bytes.fromhex("20010db8000000010000000000000099"))
    assert probe._stays_here(bytes([10, 1, 2, 3]))


def test_a_system_that_does_not_tell_is_a_problem_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> list:
        raise OSError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(sock_diag, "tcp_connections", refused)
    probe = link_probe.LinkProbe()
    assert probe.counters(()).sockets is None
    assert "cannot be seen: No such file" in probe.problem


def test_the_processors_time_goes_on() -> None:
    busy, total = system.processor_seconds()
    assert 0 <= busy <= total
    sum(range(2_000_000))
    again = system.processor_seconds()
    assert again[1] > total
    assert again[0] >= busy


def _ping(address: str) -> GatewayPing:
    try:
        return GatewayPing(address)
    except PermissionError:
        pytest.skip("this system allows pings to root alone")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_round_trip_is_measured(address: str) -> None:
    ping = _ping(address)
    try:
        trips = [await ping.ping(0.1) for _ in range(3)]
    finally:
        ping.close()
    assert all(trip is not None and 0 < trip < 0.1 for trip in trips)


async def test_no_answer_is_no_round_trip() -> None:
    ping = _ping("192.0.2.253")
    try:
        assert await ping.ping(0.05) is None
    finally:
        ping.close()


def test_what_is_no_answer_to_ours_is_ignored() -> None:
    async def check() -> None:
        ping = _ping("127.0.0.1")
        try:
            ping._sent[5] = (100.0, 1_000.0)
            answer = b"\0" * 8 + ping._nonce + (5).to_bytes(8, "big")
            for other in (b"", answer[:-1], answer + b"x", b"\x08" + answer[1:], b"\0" * 24, b"\x45" + bytes(80)):
                assert ping._answer(other, [], 100.01) is None
            assert ping._answer(bytes([0x45]) + bytes(19) + answer, [], 100.01) == pytest.approx(0.01)
            assert ping._answer(answer, [], 100.02) is None  # a second answer to the same
            ping._sent[5] = (100.0, 1_000.0)
            assert ping._answer(answer, [], 102.0) is None  # too late
        finally:
            ping.close()

    trio.run(check)

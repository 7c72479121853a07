"""`p2pdist.pc.network_look` and what it reads below /proc and /sys."""

import sys
from pathlib import Path

import pytest

from p2pdist.pc import network_look, network_look_linux, network_look_other, system
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
    assert network_look_linux.gateway_in(ROUTES, "eth0") == "10.0.0.2"
    assert network_look_linux.gateway_in(ROUTES, "wlan0") == "192.168.1.1"
    assert network_look_linux.gateway_in(ROUTES, "tun0") is None
    assert network_look_linux.gateway6_in(ROUTES6, "eth0") == "fe80::1%eth0"
    assert network_look_linux.gateway6_in(ROUTES6, "lo") is None


def test_routes_that_cannot_be_read_give_no_gateway(tmp_path: Path) -> None:
    assert network_look_linux.gateway("eth0", routes=tmp_path) is None
    (tmp_path / "route").write_text("header\neth0 nonsense\n")
    assert network_look_linux.gateway("eth0", routes=tmp_path) is None


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
def test_the_kind_of_a_card(files: dict[str, str], medium: Medium, tmp_path: Path) -> None:
    for name, text in files.items():
        path = tmp_path / "card" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert network_look_linux.medium("card", cards=tmp_path) is medium


@pytest.mark.parametrize(
    ("text", "speed"),
    [("1000", 125_000_000), ("-1", None), ("0", None), ("", None), ("1000000", 125_000_000_000), ("1000001", None)],
)
def test_the_speed_of_a_card(text: str, speed: int | None, tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "speed").write_text(text)
    assert network_look_linux.speed("card", cards=tmp_path) == speed


def test_tunnels_over_real_cards_are_not_counted_twice(tmp_path: Path) -> None:
    assert network_look_linux.counted_cards("veth", cards=tmp_path) == ("veth",)
    for name, kind in (("eth0", "1"), ("wlan0", "1"), ("tun0", "65534"), ("veth", "1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "type").write_text(kind)
    for name in ("eth0", "wlan0"):
        (tmp_path / name / "device").mkdir()
    assert network_look_linux.counted_cards("eth0", cards=tmp_path) == ("eth0", "wlan0")
    assert network_look_linux.counted_cards("tun0", cards=tmp_path) == ("eth0", "wlan0")
    assert network_look_linux.counted_cards(None, cards=tmp_path) == ("eth0", "wlan0")
    assert network_look_linux.counted_cards("veth", cards=tmp_path) == ("veth",)


@pytest.mark.parametrize(
    ("name", "medium"),
    [("Wi-Fi", Medium.WIFI), ("Ethernet", Medium.WIRED), ("utun3", Medium.VPN), ("lo0", Medium.LOOPBACK)],
)
def test_elsewhere_the_name_tells(name: str, medium: Medium) -> None:
    assert network_look_other.medium(name) is medium


def test_the_state_of_loopback() -> None:
    state = network_look.network_state("127.0.1.9")
    assert (state.interface, state.medium) == ("lo", Medium.LOOPBACK)
    assert network_look.network_state("127.0.1.9", Medium.METERED).medium is Medium.METERED


def test_an_address_that_is_not_ours_has_no_card() -> None:
    assert network_look.network_state("203.0.113.77").interface is None
    assert network_look.network_state(None).medium is Medium.UNKNOWN


@pytest.mark.parametrize(("megabits", "speed"), [(100, 12_500_000), (None, None)])
def test_elsewhere_the_system_tells_the_speed(
    megabits: int | None, speed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "link_megabits", lambda interface: megabits)
    assert network_look_other.speed("Ethernet") == speed

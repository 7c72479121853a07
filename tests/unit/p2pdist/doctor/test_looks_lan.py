"""What is seen of this PC's networks, its own firewall, and who uses which port."""

import os
import socket
import sys
from pathlib import Path

import pytest

from p2pdist.doctor import looks_lan
from p2pdist.doctor.looks_lan import look_at_firewall, look_at_users, own_networks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these files are Linux's")
PORT = 7_691


def written(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A system without a firewall."""
    written(tmp_path, "proc/modules", "ext4 1 1 - Live 0x0\n")
    return tmp_path


def test_networks_are_those_of_routes_without_a_gateway(tmp_path: Path) -> None:
    head = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
    rows = "eth0 00000000 0100000A 0003 0 0 100 00000000 0 0 0\neth0 0000000A 00000000 0001 0 0 100 00FFFFFF 0 0 0\n"
    written(tmp_path, "net/route", head + rows)
    zero = "0" * 32
    v6 = f"fd000000000000000000000000000000 40 {zero} 00 {zero} 00000100 00000001 00000000 00000001 eth0\n"
    written(tmp_path, "net/ipv6_route", v6 + v6.replace("fd00", "ff00", 1) + v6.replace(" 40 ", " 80 ", 1))
    assert own_networks(tmp_path) == ("10.0.0.0/24", "fd00::/64")
    assert own_networks(tmp_path / "none") == ()


def test_a_system_without_a_firewall_lets_in(plain: Path) -> None:
    seen = look_at_firewall(PORT, plain)
    assert seen is not None
    assert (seen.name, seen.lets_in) == ("", True)
    assert look_at_firewall(0, plain) is None


@pytest.mark.parametrize(
    ("rules", "policy", "lets_in"),
    [
        ("", "DROP", False),
        ("", "ACCEPT", True),
        ("-A ufw-user-input -p tcp --dport 7691 -j ACCEPT\n", "DROP", True),
        ("-A ufw-user-input -p tcp -m multiport --dports 80,7000:8000 -j ACCEPT\n", "DROP", True),
        ("-A ufw-user-input -p udp --dport 7691 -j ACCEPT\n", "DROP", False),
        ("-A ufw-user-input -p tcp --dport 22 -j ACCEPT\n", "DROP", False),
        ("-A ufw-user-input -p tcp --dport 7691 -j DROP\n", "DROP", False),
        ("-A ufw-user-input -s 10.0.0.0/8 -j ACCEPT\n", "DROP", True),
    ],
)
def test_ufw(plain: Path, rules: str, policy: str, lets_in: bool) -> None:
    written(plain, "etc/ufw/ufw.conf", "LOGLEVEL=low\nENABLED=yes\n")
    written(plain, "etc/default/ufw", f'DEFAULT_INPUT_POLICY="{policy}"\n')
    written(plain, "etc/ufw/user.rules", rules)
    seen = look_at_firewall(PORT, plain)
    assert seen is not None
    assert (seen.name, seen.lets_in) == ("ufw", lets_in)
    assert "ufw allow 7691/tcp" in seen.mend


def test_ufw_that_is_off_says_nothing(plain: Path) -> None:
    written(plain, "etc/ufw/ufw.conf", "ENABLED=no\n")
    seen = look_at_firewall(PORT, plain)
    assert seen is not None
    assert seen.lets_in


@pytest.mark.parametrize(
    ("zone", "lets_in"),
    [
        ('<zone><service name="ssh"/></zone>', False),
        ('<zone><port protocol="tcp" port="7691"/></zone>', True),
        ('<zone><port port="7000-8000" protocol="tcp"/></zone>', True),
        ('<zone><port protocol="udp" port="7691"/></zone>', False),
        ('<zone target="ACCEPT"></zone>', True),
    ],
)
def test_firewalld(plain: Path, zone: str, lets_in: bool) -> None:
    written(plain, "run/firewalld.pid", "1")
    written(plain, "etc/firewalld/firewalld.conf", "DefaultZone=office\n")
    written(plain, "usr/lib/firewalld/zones/office.xml", zone)
    seen = look_at_firewall(PORT, plain)
    assert seen is not None
    assert (seen.name, seen.lets_in) == ("firewalld", lets_in)
    assert "--zone=office --add-port=7691/tcp" in seen.mend


def test_rules_that_only_the_kernel_has_are_not_known(plain: Path) -> None:
    written(plain, "proc/modules", "nf_tables 1 1 - Live 0x0\n")
    seen = look_at_firewall(PORT, plain)
    assert seen is not None
    assert seen.lets_in is None
    assert "nft list ruleset" in seen.why


def test_a_rule_file_that_cannot_be_read_is_not_known(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(looks_lan, "_text", refuse)
    seen = look_at_firewall(PORT, plain)
    assert seen is not None
    assert seen.lets_in is None
    assert "run this as root" in seen.why


def test_who_listens_on_a_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        inode = os.fstat(tcp.fileno()).st_ino
        me = (Path("/proc/self/comm")).read_text().strip()
        ports = tcp.getsockname()[1], udp.getsockname()[1]
        users = look_at_users(*ports)
        assert users is not None
        assert users.lan in (("p2pdist",), (me,))
        assert users.mdns == users.lan
        # a system whose processes hide their files
        written(tmp_path, "net/tcp", Path("/proc/net/tcp").read_text())
        assert str(inode) in (tmp_path / "net/tcp").read_text()
        assert look_at_users(ports[0], 1, tmp_path) is None
    nobody = look_at_users(*ports)
    assert nobody is not None
    assert nobody.lan == ()


def test_our_own_daemon_is_known_whichever_python_runs_it(tmp_path: Path) -> None:
    written(tmp_path, "comm", "python3\n")
    for command, name in (
        ("/usr/bin/python3\0-P\0-m\0p2pdist.network\0", "p2pdist"),
        ("/opt/p2pdist/bin/python3\0/opt/p2pdist/bin/p2pdist\0daemon\0", "p2pdist"),
        ("/usr/bin/python3\0/opt/p2pdist-like/x\0", "python3"),
    ):
        written(tmp_path, "cmdline", command)
        assert looks_lan._program(tmp_path) == name

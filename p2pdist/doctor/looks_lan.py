"""Looks at this PC's networks, its own firewall, and who uses which port. Changes nothing. Blocking: for a thread.

Linux alone tells, in files: no program is started, and no rule is asked of the kernel.
"""

import contextlib
import ipaddress
import itertools
import re
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from p2pdist.doctor.facts import FirewallFacts, PortUsers
from p2pdist.doctor.looks_pc import MDNS_PORT

MAX_TABLE_BYTES = 4 << 20  # of sockets or routes: a PC has hundreds
MAX_RULES_BYTES = 1 << 20
MAX_PROCESSES = 5_000
MAX_OPEN_FILES = 4_000  # of one process that are looked at
_LISTENING = "0A"
_GATEWAY_FLAG = 0x2
_OWN = re.compile(rb"p2pdist(?:\x00|\.| |$)")


def own_networks(proc: Path = Path("/proc")) -> tuple[str, ...]:
    """Return the networks that this PC's cards are in, as prefixes; empty: not known."""
    found: dict[str, None] = {}
    for line in _lines(proc / "net/route")[1:]:
        parts = line.split()
        if len(parts) > 7 and parts[1] != "00000000" and not int(parts[3], 16) & _GATEWAY_FLAG:
            place, mask = (socket.inet_ntoa(struct.pack("=L", int(parts[at], 16))) for at in (1, 7))
            with contextlib.suppress(ValueError):
                found[str(ipaddress.ip_network(f"{place}/{mask}", strict=False))] = None
    for line in _lines(proc / "net/ipv6_route"):
        parts = line.split()
        if len(parts) > 9 and parts[4] == "0" * 32 and 0 < int(parts[1], 16) < 128 and parts[9] != "lo":
            network = ipaddress.ip_network((bytes.fromhex(parts[0]), int(parts[1], 16)), strict=False)
            if not network.is_multicast:
                found[str(network)] = None
    return tuple(found)


def _lines(path: Path) -> list[str]:
    try:
        with path.open(errors="replace") as file:
            return file.read(MAX_TABLE_BYTES).splitlines()
    except OSError:
        return []


def look_at_firewall(port: int, root: Path = Path("/")) -> FirewallFacts | None:
    """Return whether ufw or firewalld lets TCP to ``port`` in, by their files; None: this system has neither kind."""
    if sys.platform != "linux" or not port:
        return None
    try:
        return _ufw(port, root) or _firewalld(port, root) or _kernel(root)
    except OSError as error:
        return FirewallFacts(why=f"The firewall's rules cannot be read ({error.strerror}): run this as root.")


def _ufw(port: int, root: Path) -> FirewallFacts | None:
    if not re.search(r"^ENABLED=yes", _text(root / "etc/ufw/ufw.conf"), re.MULTILINE | re.IGNORECASE):
        return None
    policy = re.search(r'^DEFAULT_INPUT_POLICY="?(\w+)', _text(root / "etc/default/ufw"), re.MULTILINE)
    let_in = policy is not None and policy[1] == "ACCEPT"
    for line in _text(root / "etc/ufw/user.rules").splitlines():
        if line.startswith("-A ufw-user-input ") and line.rstrip().endswith("-j ACCEPT") and _covers(line, port):
            let_in = True
    return FirewallFacts("ufw", let_in, mend=f"Run: ufw allow {port}/tcp")


def _covers(rule: str, port: int) -> bool:
    if "-p udp" in rule:
        return False
    named = re.search(r"--dports? (\S+)", rule)
    if named is None:
        return True
    return any(_within(part, port, ":") for part in named[1].split(","))


def _within(text: str, port: int, between: str) -> bool:
    first, _, last = text.partition(between)
    return first.isdigit() and int(first) <= port <= (int(last) if last.isdigit() else int(first))


def _firewalld(port: int, root: Path) -> FirewallFacts | None:
    if not (root / "run/firewalld").is_dir() and not (root / "run/firewalld.pid").exists():
        return None
    name = re.search(r"^DefaultZone=(\S+)", _text(root / "etc/firewalld/firewalld.conf"), re.MULTILINE)
    zone = name[1] if name else "public"
    rules = _text(root / f"etc/firewalld/zones/{zone}.xml") or _text(root / f"usr/lib/firewalld/zones/{zone}.xml")
    ports = re.findall(r"<port\b[^>]*>", rules)
    let_in = re.search(r'<zone\b[^>]*target="ACCEPT"', rules) is not None or any(
        'protocol="tcp"' in one and (found := re.search(r'port="([\d-]+)"', one)) and _within(found[1], port, "-")
        for one in ports
    )
    mend = f"Run: firewall-cmd --permanent --zone={zone} --add-port={port}/tcp && firewall-cmd --reload"
    return FirewallFacts("firewalld", let_in, mend=mend)


def _kernel(root: Path) -> FirewallFacts:
    tables = _text(root / "proc/net/ip_tables_names") + _text(root / "proc/net/ip6_tables_names")
    modules = _text(root / "proc/modules")
    if "filter" in tables.split() or re.search(r"^nf_tables ", modules, re.MULTILINE):
        return FirewallFacts(why="The kernel filters packets by rules that no file has: see 'nft list ruleset'.")
    return FirewallFacts(lets_in=True)


def _text(path: Path) -> str:
    try:
        with path.open(errors="replace") as file:
            return file.read(MAX_RULES_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return ""


def look_at_users(port: int, mdns_port: int = MDNS_PORT, proc: Path = Path("/proc")) -> PortUsers | None:
    """Return which programs use the ports for neighbours and of mDNS; None: this system, or this user, cannot tell."""
    if sys.platform != "linux":
        return None
    lan = {*_sockets(proc / "net/tcp", port, _LISTENING), *_sockets(proc / "net/tcp6", port, _LISTENING)}
    mdns = {*_sockets(proc / "net/udp", mdns_port), *_sockets(proc / "net/udp6", mdns_port)}
    owners = dict(_owners(proc, lan | mdns)) if lan or mdns else {}
    if lan and not any(inode in owners for inode in lan):
        return None
    return PortUsers(_names(owners, lan), _names(owners, mdns))


def _names(owners: dict[str, str], inodes: set[str]) -> tuple[str, ...]:
    return tuple(sorted({owners[inode] for inode in inodes if inode in owners}))


def _sockets(table: Path, port: int, state: str = "") -> Iterator[str]:
    for line in _lines(table)[1:]:
        parts = line.split()
        if len(parts) > 9 and int(parts[1].rpartition(":")[2], 16) == port and state in ("", parts[3]):
            yield parts[9]


def _owners(proc: Path, inodes: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the sockets among ``inodes`` that a process has whose files may be looked at, with its name."""
    processes = [one for one in proc.iterdir() if one.name.isdigit()]
    for process in processes[:MAX_PROCESSES]:
        with contextlib.suppress(OSError):
            for opened in itertools.islice((process / "fd").iterdir(), MAX_OPEN_FILES):
                with contextlib.suppress(OSError):
                    inode = str(opened.readlink()).removeprefix("socket:[").removesuffix("]")
                    if inode in inodes:
                        yield inode, _program(process)


def _program(process: Path) -> str:
    """Return a program's name; p2pdist for our own, whichever Python runs it."""
    with (process / "cmdline").open("rb") as file:
        if _OWN.search(file.read(4_096)):
            return "p2pdist"
    return (process / "comm").read_text(errors="replace").strip()[:32]

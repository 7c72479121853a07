"""The lab's networks: head office, branches, and the lines between them, each host in a namespace of its own.

    head office 10.77.0.1 ──(shared uplink, where there is one)── core
        └── line ── branch b: router 10.77.b.1 = bridge ── endpoints 10.77.b.11 onwards, business PC 10.77.b.200

A namespace has no way out: nothing that runs in the lab reaches this machine's networks.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import trio

from bandwidth.core.units import MBIT
from bench.lab.namespaces import LabError, add, inside, name_prefix, remove, remove_stale, run, why_not
from bench.lab.wan_link import LineShape, WanLine, open_line

NETWORK = "10.77"
HEAD_ADDRESS = f"{NETWORK}.0.1"
FIRST_ENDPOINT = 11
BUSINESS_HOST = 200  # wan_link.c counts this last byte and those above as business
MAX_ENDPOINTS = 100
LAN_BUFFER_MS = 50
CARD_SPEED = "/sys/class/net/eth0/speed"
_LABS = itertools.count(1)
_TUN_QUEUE_PACKETS = 10_000  # the device hands every packet on at once; what waits, waits in the line


@dataclass(frozen=True, slots=True)
class LabShape:
    """What lab to build."""

    lines: tuple[LineShape, ...]
    """One per branch."""
    endpoints: int
    """Per branch."""
    uplink: LineShape | None = None
    """Shared by all branches, before their lines; ``down`` is from head office to the branches."""
    lan_mbit: float | None = None
    """Of each PC's network card, both directions; None: as fast as the machine."""


@dataclass(frozen=True, slots=True)
class Host:
    """A namespace with an address."""

    namespace: str
    address: str
    speed_file: Path | None = None
    """Holds the card's speed in Mbit/s; None: the kernel's value, which for a virtual card is 10 Gbit/s."""

    @property
    def prefix(self) -> tuple[str, ...]:
        """The prefix that runs a command on this host; the process keeps its number."""
        if self.speed_file is None:
            return inside(self.namespace)
        # `ip netns exec` gives each command its own view of /sys
        mount = f'mount --bind "$0" {CARD_SPEED} && exec "$@"'
        return (*inside(self.namespace), "sh", "-c", mount, str(self.speed_file))

    def command(self, *words: str | Path | float) -> list[str]:
        """Return a command as it runs on this host; the process that is started is the command itself."""
        return [*self.prefix, *(str(word) for word in words)]


@dataclass
class Branch:
    """One branch."""

    number: int
    router: Host
    line: WanLine
    endpoints: list[Host] = field(default_factory=list)
    business: Host = Host("", "")

    @property
    def network(self) -> str:
        """The branch's own network, as the site map has it."""
        return f"{NETWORK}.{self.number}.0/24"


@dataclass
class Lab:
    """The lab's hosts and lines; made by `open_lab`."""

    shape: LabShape
    directory: Path
    head: Host
    branches: list[Branch]
    uplink: WanLine | None = None

    @property
    def lines(self) -> list[WanLine]:
        """The branches' lines, then the shared uplink."""
        return [*(branch.line for branch in self.branches), *([self.uplink] if self.uplink else [])]


@asynccontextmanager
async def open_lab(shape: LabShape, directory: Path) -> AsyncIterator[Lab]:
    """Build the lab, and remove it however the context ends. Raises `LabError`.

    ``directory`` gets the lines' logs. First, what killed labs left behind is removed.
    """
    reason = await trio.to_thread.run_sync(why_not)
    if reason is not None:
        raise LabError(reason)
    if not (0 <= shape.endpoints <= MAX_ENDPOINTS and 1 <= len(shape.lines) <= 200):
        raise LabError(f"a lab has 1 to 200 branches and at most {MAX_ENDPOINTS} endpoints in each")
    await remove_stale()
    async with AsyncExitStack() as stack:
        builder = _Builder(stack, directory)
        yield await builder.build(shape)


class _Builder:
    """Builds a lab. Namespaces are removed in reverse order, after the lines between them have ended."""

    def __init__(self, stack: AsyncExitStack, directory: Path) -> None:
        self._stack = stack
        self._directory = directory
        self._number = next(_LABS)

    async def build(self, shape: LabShape) -> Lab:
        head = Host(await self._namespace("head"), HEAD_ADDRESS)
        core, uplink = head, None
        if shape.uplink is not None:
            core = Host(await self._namespace("core"), f"{NETWORK}.254.1")
            uplink = await self._line(shape.uplink, (head, "uplink"), (core, "uplink"), "uplink")
            await route(head, f"{NETWORK}.0.0/16", "uplink", source=HEAD_ADDRESS)
            await route(core, f"{HEAD_ADDRESS}/32", "uplink")
        lab = Lab(shape, self._directory, head, [], uplink)
        for number, line in enumerate(shape.lines, 1):
            lab.branches.append(await self._branch(number, line, core, shape))
        return lab

    async def _branch(self, number: int, shape: LineShape, core: Host, lab: LabShape) -> Branch:
        router = Host(await self._namespace(f"b{number}-router"), f"{NETWORK}.{number}.1")
        line = await self._line(shape, (core, f"wan{number}"), (router, "wan"), f"line{number}")
        source = HEAD_ADDRESS if core.address == HEAD_ADDRESS else None
        await route(core, f"{NETWORK}.{number}.0/24", f"wan{number}", source=source)
        await run(*router.command("ip", "link", "add", "lan", "type", "bridge", "mcast_snooping", 0))
        await run(*router.command("ip", "address", "add", f"{router.address}/24", "dev", "lan"))
        await run(*router.command("ip", "link", "set", "lan", "up"))
        await route(router, "default", "wan")
        branch = Branch(number, router, line)
        for k in range(lab.endpoints):
            branch.endpoints.append(await self._pc(router, number, FIRST_ENDPOINT + k, lab.lan_mbit))
        branch.business = await self._pc(router, number, BUSINESS_HOST, lab.lan_mbit)
        return branch

    async def _pc(self, router: Host, number: int, last: int, lan_mbit: float | None) -> Host:
        host = Host(await self._namespace(f"b{number}-pc{last}"), f"{NETWORK}.{number}.{last}")
        port = f"pc{last}"
        await run(*router.command("ip", "link", "add", port, "type", "veth", "peer", "eth0", "netns", host.namespace))
        await run(*router.command("ip", "link", "set", port, "master", "lan", "up"))
        await run(*host.command("ip", "address", "add", f"{host.address}/24", "dev", "eth0"))
        await run(*host.command("ip", "link", "set", "eth0", "up"))
        await route(host, f"{NETWORK}.{number}.0/24", "eth0", source=host.address, verb="replace")
        await route(host, "default", "eth0", via=router.address)
        if lan_mbit is not None:
            for command in (host.command, router.command):
                device = "eth0" if command == host.command else port
                await run(*command(*limit_rate(device, lan_mbit)))
            speed_file = self._directory / f"{host.namespace}.speed"
            await trio.Path(speed_file).write_text(f"{lan_mbit:.0f}\n")
            host = replace(host, speed_file=speed_file)
        return host

    async def _line(self, shape: LineShape, head: tuple[Host, str], branch: tuple[Host, str], name: str) -> WanLine:
        ends = ((head[0].namespace, head[1]), (branch[0].namespace, branch[1]))
        line = await self._stack.enter_async_context(open_line(shape, *ends, self._directory / f"{name}.log"))
        for host, device in (head, branch):
            await run(*host.command("ip", "link", "set", device, "txqueuelen", _TUN_QUEUE_PACKETS, "up"))
            if host.address == HEAD_ADDRESS:  # on each line's device: a program may bind to the device of its address
                await run(*host.command("ip", "address", "add", f"{HEAD_ADDRESS}/32", "dev", device))
        return line

    async def _namespace(self, node: str) -> str:
        name = f"{name_prefix()}-{self._number}-{node}"
        self._stack.push_async_callback(_remove_surely, name)
        await add(name)
        return name


async def _remove_surely(name: str) -> None:
    with trio.CancelScope(shield=True):
        await remove(name)


async def route(
    host: Host, network: str, device: str, *, source: str | None = None, via: str | None = None, verb: str = "add"
) -> None:
    """Send a network's packets to a device, with CUBIC where a program does not choose: a machine's default may differ.

    A namespace cannot set the system's default, but it can set a route's.
    """
    words = ["ip", "route", verb, network, *(("via", via) if via else ()), "dev", device, "congctl", "cubic"]
    await run(*host.command(*words, *(("src", source) if source else ())))


def limit_rate(device: str, rate_mbit: float) -> list[str | float]:
    """Return the command that makes a network card as slow as ``rate_mbit``."""
    burst = max(16_000, round(rate_mbit * MBIT * 0.002))  # 2 ms: what a timer of the kernel surely keeps to
    limit = burst + round(rate_mbit * MBIT * LAN_BUFFER_MS / 1000)
    words = ["tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{rate_mbit}mbit"]
    return [*words, "burst", burst, "limit", limit]

"""Thousands of played PCs in one process: what all kinds of them have in common.

The process connects to a socket of the benchmark, which sends commands, a word a line: connect, report, quiet, tell,
write. The PCs go when that ends. Twice a second it is told how far they are: a `Progress` a line.
"""

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import trio

from bench.fleet_size import speech
from bench.fleet_size.identities import Pc, written
from bench.fleet_size.speech import LivePatch
from bench.until_signal import cause_of
from p2pdist.shared.wire.messages import Welcome

PROGRESS_SECONDS = 0.5
TICK_SECONDS = 0.05  # between two looks which PCs are to report
SHOWN_REASONS = 5


class Plan(msgspec.Struct, frozen=True):
    """What a crowd is to do."""

    control: str
    """The path of the benchmark's socket."""
    host: str
    port: int
    ca_pem: str
    pcs: list[Pc]
    patches: list[LivePatch]
    """That each PC has."""
    told: bool
    """Whether each says so after its welcome, as a PC does."""
    pieces: bool
    """Whether each also opens its connection for pieces, as a PC does; frames have none."""
    report_seconds: float
    """Between two reports of one PC, once they are to report."""
    at_once: int
    """That connect at the same time."""
    packages: int
    """That each PC tells, at the word tell."""
    stamps: str
    """The file to write what was reported last into, at the word write."""


class Progress(msgspec.Struct):
    """How far a crowd is."""

    connected: int = 0
    """Welcomed, and connected now."""
    lost: int = 0
    """Connections that ended without our will, or did not begin."""
    reasons: dict[str, int] = msgspec.field(default_factory=dict)
    pings: int = 0
    reports: int = 0
    bytes_to_pcs: int = 0
    unread: int = 0
    """Frames that the server has not read yet; known of those alone that are in its process."""
    written: int = 0
    """How often stamps were written."""


class Said(msgspec.Struct, frozen=True):
    """What one PC has reported."""

    stamp: int
    """Of the last report."""
    reports: int


class Player(ABC):
    """A played PC that is connected."""

    __slots__ = ("connection", "pc", "recorded", "reports", "serial", "stamp")

    def __init__(self, pc: Pc) -> None:
        self.pc = pc
        self.stamp = 0
        self.reports = 0
        self.connection = self.recorded = self.serial = 0

    def was_welcomed(self, welcome: Welcome) -> None:
        """Take note of what the server knows."""
        self.connection, self.recorded = welcome.connection, welcome.recorded
        self.serial = welcome.recorded

    @abstractmethod
    async def say(self, bodies: Sequence[bytes]) -> None:
        """Send frames."""

    async def tell(self) -> None:
        """Say what it is and has; those with real connections have nothing."""
        return

    async def report(self, patches: Sequence[LivePatch]) -> None:
        """Report on the next patch."""
        patch = patches[self.reports % len(patches)]
        self.stamp = round(time.time() * speech.STAMPS_PER_SECOND)
        self.reports += 1
        self.serial += 1
        await self.say([speech.changed(patch, self.stamp, self.serial, self.connection)])

    async def say_everything(self, wants: Sequence[bytes], patches: Sequence[LivePatch]) -> None:
        """Say what a PC says after its welcome: what it has, and what of it the server has not recorded yet."""
        reports: list[bytes] = []
        if self.recorded < speech.first_serials(patches):
            reports = speech.first_reports(patches, self.connection)
            self.serial = len(reports)
        await self.say([*wants, *reports])


class Crowd(ABC):
    """All PCs of one process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.progress = Progress()
        self.players: dict[int, Player] = {}
        """Those that are connected and welcomed, by number."""
        self.said: dict[str, Said] = {}
        self._wants = speech.has_everything(plan.patches) if plan.told else []
        self._reasons = Counter[str]()
        self._reporting = False
        self._turns = trio.CapacityLimiter(plan.at_once)

    @abstractmethod
    async def live(self, pc: Pc, welcomed: Callable[[Player], Awaitable[None]]) -> None:
        """Connect a PC and keep it so; call ``welcomed`` once. Raises `Exception` when that ends."""

    async def run(self) -> None:
        """Obey until the benchmark closes its socket."""
        async with await trio.open_unix_socket(self.plan.control) as stream, trio.open_nursery() as outer:
            outer.start_soon(self._show, stream)
            async with trio.open_nursery() as nursery:
                async for command in lines_of(stream):
                    if command == b"connect":
                        nursery.start_soon(self._connect_all)
                    elif command == b"report":
                        nursery.start_soon(self._report_on)
                    elif command == b"quiet":
                        self._reporting = False
                    elif command == b"tell":
                        nursery.start_soon(self._tell_all)
                    elif command == b"write":
                        written(Path(self.plan.stamps), self.said)
                        self.progress.written += 1
                nursery.cancel_scope.cancel()
            outer.cancel_scope.cancel()

    async def _connect_all(self) -> None:
        async with trio.open_nursery() as nursery:
            for pc in self.plan.pcs:
                if pc.number not in self.players:
                    await self._turns.acquire_on_behalf_of(pc.number)
                    nursery.start_soon(self._live, pc)

    async def _live(self, pc: Pc) -> None:
        async def welcomed(player: Player) -> None:
            self.players[pc.number] = player
            self._free(pc.number)
            if self.plan.told:
                await player.say_everything(self._wants, self.plan.patches)

        try:
            await self.live(pc, welcomed)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on, and it is counted
            self.progress.lost += 1
            self._reasons[cause_of(error)] += 1
        finally:
            self.players.pop(pc.number, None)
            self._free(pc.number)

    def _free(self, number: int) -> None:
        """Let the next one connect, if this one has not done so before."""
        try:
            self._turns.release_on_behalf_of(number)
        except RuntimeError:
            return

    async def _report_on(self) -> None:
        """Let all report, evenly over time."""
        begun, done = trio.current_time(), 0
        self._reporting = True
        async with trio.open_nursery() as nursery:
            while self._reporting:
                due = int((trio.current_time() - begun) / self.plan.report_seconds * len(self.plan.pcs))
                for at in range(done, due):
                    player = self.players.get(self.plan.pcs[at % len(self.plan.pcs)].number)
                    if player is not None:
                        nursery.start_soon(self._report, player)
                done = due
                await trio.sleep(TICK_SECONDS)

    async def _report(self, player: Player) -> None:
        try:
            await player.report(self.plan.patches)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # its connection ends, which is counted
        self.progress.reports += 1
        self.said[player.pc.endpoint] = Said(player.stamp, player.reports)

    async def _tell_all(self) -> None:
        for player in list(self.players.values()):
            await player.tell()

    async def _show(self, stream: trio.SocketStream) -> None:
        while True:
            self.progress.connected = len(self.players)
            self.progress.reasons = dict(self._reasons.most_common(SHOWN_REASONS))
            await stream.send_all(msgspec.json.encode(self.progress) + b"\n")
            await trio.sleep(PROGRESS_SECONDS)


async def lines_of(stream: trio.SocketStream) -> AsyncIterator[bytes]:
    """Yield each line that arrives, until the stream ends."""
    rest = b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line


def read_plan(path: str) -> Plan:
    """Return the plan that `written` wrote."""
    return msgspec.msgpack.decode(Path(path).read_bytes(), type=Plan)

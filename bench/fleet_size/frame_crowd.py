"""Played PCs without TLS and without sockets: their frames go straight to the server, in the server's own process.

`python -m bench.fleet_size.frame_crowd HOME PLAN` is `seed-server serve` with such PCs in its origin part. So it can be
measured what more PCs cost than a process may have files. What the playing itself takes is counted as the server's; it
is little.
"""

import socket
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, cast, get_args

import trio

from bench.fleet_size import speech
from bench.fleet_size.crowd import Crowd, Plan, Player, Progress, read_plan
from bench.fleet_size.identities import Pc
from bench.fleet_size.played_inventories import KINDS, inventory_of_kind, part_of, stated, telling_of
from p2pdist.pc.kept_inventories import TellingOf
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.channels import Hello, decode_from_server
from p2pdist.shared.wire.frames import FRAME_HEADER_BYTES
from p2pdist.shared.wire.inventory import InventoryWanted
from p2pdist.shared.wire.messages import GoodbyeCause, OtherPc, Welcome
from p2pdist.shared.wire.pings import echo_frame, ping_number
from seed_server.origin.connection import OriginConnection
from seed_server.origin.hello import hello_of
from seed_server.origin.server import OriginServer
from seed_server.service import origin_part, part, supervisor
from seed_server.service.messages import PartName
from seed_server.settings.home import ServerHome

Serve = Callable[[OriginConnection, Hello], Awaitable[str | None]]


class FrameConnection:
    """Stands for an `OriginConnection`, with what is asked of one that carries control messages."""

    certificate_expired = False
    least_rtt_seconds: float | None = None

    def __init__(self, pc: Pc, progress: Progress, telling: TellingOf | None = None) -> None:
        """``telling``: what it tells of itself when it is asked."""
        self.telling = telling
        self.endpoint = EndpointId(pc.endpoint)
        self.address = pc.address
        self.cause: GoodbyeCause = ""
        self.others: list[OtherPc] = []
        self.welcomed = trio.Event()
        self.welcome: object = None
        self._progress = progress
        self._bodies = deque[bytes]()
        self._waiting = trio.lowlevel.ParkingLot()

    def put(self, bodies: Sequence[bytes]) -> None:
        """Let the server receive these."""
        self._bodies.extend(bodies)
        self._progress.unread += len(bodies)
        self._waiting.unpark()

    async def receive(self) -> bytes:
        """Return the next frame's body."""
        while not self._bodies:
            await self._waiting.park()
        self._progress.unread -= 1
        return self._bodies.popleft()

    async def send_frame(self, frame: bytes) -> None:
        """Take one or more frames of the server; answer a ping."""
        await trio.lowlevel.checkpoint()  # as a socket does
        self._progress.bytes_to_pcs += len(frame)
        at = 0
        while at < len(frame):
            begin = at + FRAME_HEADER_BYTES
            at = begin + int.from_bytes(frame[at:begin], "big")
            self._take(frame[begin:at])

    def _take(self, body: bytes) -> None:
        if (number := ping_number(body)) is not None:
            self._progress.pings += 1
            self.put([echo_frame(number)[FRAME_HEADER_BYTES:]])
        elif not self.welcomed.is_set():  # the first that is no ping
            self.welcome = decode_from_server(body)
            self.welcomed.set()
        elif self.telling is not None and isinstance(wanted := decode_from_server(body), InventoryWanted):
            self.put([part_of(self.telling, wanted)])

    def hurry(self) -> None:
        """No frame is under way, ever."""


class FramePlayer(Player):
    """A PC whose frames go straight to the server."""

    __slots__ = ("_connection",)

    def __init__(self, pc: Pc, connection: FrameConnection) -> None:
        super().__init__(pc)
        self._connection = connection

    async def say(self, bodies: Sequence[bytes]) -> None:
        """Send frames."""
        self._connection.put(bodies)

    async def tell(self) -> None:
        """Say what it is and has; parts follow as the server asks for them."""
        if self._connection.telling is not None:
            await self.say([stated(self._connection.telling)])


class FrameCrowd(Crowd):
    """PCs in the server's process."""

    def __init__(self, plan: Plan, serve: Serve) -> None:
        super().__init__(plan)
        self._serve = serve
        kinds = min(KINDS, len(plan.pcs)) if plan.packages else 0
        self._tellings = [telling_of(inventory_of_kind(kind, plan.packages)) for kind in range(kinds)]

    async def live(self, pc: Pc, welcomed: Callable[[Player], Awaitable[None]]) -> None:
        """As `Crowd` says."""
        telling = self._tellings[pc.number % len(self._tellings)] if self._tellings else None
        connection = FrameConnection(pc, self.progress, telling)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._served, connection, hello_of(speech.hello(pc)))
            await connection.welcomed.wait()
            player = FramePlayer(pc, connection)
            assert isinstance(connection.welcome, Welcome)
            player.was_welcomed(connection.welcome)
            await welcomed(player)

    async def _served(self, connection: FrameConnection, hello: Hello) -> None:
        reason = await self._serve(cast("OriginConnection", connection), hello)
        raise RuntimeError(reason or "ended")


class PlayedOrigin(OriginServer):
    """The product's origin server, to which played PCs connect once it runs."""

    plan: ClassVar[Plan]

    async def run(
        self,
        sockets: list[socket.socket] | None = None,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve, and play the PCs."""
        async with trio.open_nursery() as nursery:
            await nursery.start(super().run, sockets)
            task_status.started()
            await FrameCrowd(self.plan, self._serve_endpoint).run()


def main() -> None:
    """Serve the home that is the first argument, with the plan that is the second."""
    home, plan = sys.argv[1:3]
    if plan in get_args(PartName):  # a part, which the server starts: then the plan is the first argument
        sys.argv[1:] = [plan]
        PlayedOrigin.plan = read_plan(home)
        origin_part.OriginServer = PlayedOrigin  # type: ignore[attr-defined]
        part.main()
    command = (sys.executable, "-m", "bench.fleet_size.frame_crowd", plan)
    trio.run(partial(supervisor.serve, ServerHome(Path(home)), part_command=command))


if __name__ == "__main__":
    main()

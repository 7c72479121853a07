"""A seed server and endpoints as real processes on loopback addresses, driven by their public commands.

The endpoints' daemons are asked directly for their state, as `p2pdist status` does: a process
for each question would cost more processor time than what is measured.

The demo, the benchmarks and the tests with real parts share this module. Every
process that it starts ends with `open_fleet`: by SIGTERM, then by SIGKILL.
"""

import json
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import trio

from bench import fleet_processes
from bench.fleet_processes import (
    OURS,
    SCRIPTS,
    STOP_SECONDS,
    FleetError,
    Running,
    free_ports,
    keep,
    run_command,
    start_process,
)
from p2pdist.local_api.delivery_answers import PeersAnswer, StatusAnswer, StatusPatch
from p2pdist.local_api.messages import PEERS, STATUS, AnswerT, Command, Question
from p2pdist.local_api.socket import ask_daemon
from p2pdist.settings import EndpointHome
from p2pdist.shared import durable_files
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef

SERVER_START_SECONDS = 30.0  # importing the web stack on a busy machine takes seconds
ENDPOINT_START_SECONDS = 30.0
POLL_SECONDS = 0.1
FOLLOW_SECONDS = 0.2  # between two questions to an endpoint
TOKEN_TTL = "30d"  # longer than any benchmark
LOG_TAIL_LINES = 15

NOT_KNOWN = StatusPatch(
    id="", version="", title="", severity="", length_bytes=0, state="waiting", progress=0.0, bytes_from_origin=0,
    bytes_from_peers=0, bytes_wasted=0, seconds=0.0, path=None, error=None, install=None, install_reason=None,
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a process runs."""

    address: str
    prefix: tuple[str, ...] = ()
    """Put before each of its commands: how the lab enters a network namespace. The process must stay the same."""


@dataclass
class Member:
    """One process of the fleet: the seed server, or one endpoint."""

    name: str
    home: Path
    place: Place
    process: Running | None = None
    stopping: bool = False
    """It shall end, or has been stopped."""
    tags: tuple[str, ...] = ()
    """With which it is enrolled."""
    latest: StatusAnswer | None = None
    """What `p2pdist status --json` would say, kept up to date while the fleet is open."""

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.place.address

    @property
    def log(self) -> Path:
        """Standard output and standard error of all its runs."""
        return self.home.with_suffix(".log")

    @property
    def has_died(self) -> bool:
        """Whether it ended without being stopped."""
        return self.process is not None and self.process.returncode is not None and not self.stopping

    def log_tail(self) -> str:
        """Return the log's last lines, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return f"--- {self.name}, end of its log:\n" + "\n".join(lines[-LOG_TAIL_LINES:])

    def patch(self, patch_id: str) -> StatusPatch:
        """Return one patch of `latest`; one that is not known there yet is waiting, with nothing of it here."""
        return next((patch for patch in self.patches if patch.id == patch_id), NOT_KNOWN)

    @property
    def patches(self) -> list[StatusPatch]:
        """Return all patches of `latest`."""
        return self.latest.patches if self.latest else []

    def install_state(self, patch_id: str, version: str) -> str:
        """Return what has become of a patch beyond its file, as `latest` says; empty while that is not known."""
        states = self.latest.installs if self.latest else {}
        return states.get(str(PatchRef(patch_id, version)), "")


class Fleet:
    """A seed server and endpoints; made by `open_fleet`. Endpoints are numbered from 1."""

    def __init__(self, directory: Path, server: Place, endpoints: Sequence[Place], nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.follow_seconds = FOLLOW_SECONDS
        """Between two questions to an endpoint; each costs its daemon some milliseconds of processor time."""
        self.serve_up_to_cpu_percent: float | None = 100.0
        """Endpoints serve however busy the processor is: they all share this machine's. None: as the product does."""
        self.serve_command: tuple[str | Path, ...] = ("seed-server", "serve", "--home")
        """What serves, before its home. A test may have a server that does harm."""
        self.server = Member("server", directory / "server", server)
        self.endpoints = {
            k: Member(f"endpoint {k}", directory / f"endpoint{k}", place) for k, place in enumerate(endpoints, 1)
        }
        self.web_port, self.origin_port = free_ports(2)
        self.api_port = 0
        """Of pages and API; 0: there are none."""
        self._token = ""
        self._token_lock = trio.Lock()
        self.following = True
        """Whether the endpoints are asked for their status, which costs them processor time; `poll` asks once."""

    @property
    def members(self) -> list[Member]:
        """The server, then the endpoints."""
        return [self.server, *self.endpoints.values()]

    # --- the seed server -------------------------------------------------------------

    async def init_server(self, *options: str) -> None:
        """Run `seed-server init`."""
        await run_command(
            "seed-server", "init", "--home", self.server.home, "--name", "fleet", "--address", self.server.address,
            "--web-port", self.web_port, "--origin-port", self.origin_port, "--api-port", self.api_port, *options,
        )  # fmt: skip

    async def start_server(self) -> None:
        """Start `seed-server serve`, after `init` if needed, and wait until both ports answer."""
        if not (self.server.home / "server.toml").exists():
            await self.init_server()
        await self._start(self.server, *self.serve_command, self.server.home)
        for port in (self.web_port, self.origin_port):
            await self.wait_until(
                partial(accepts_connections, self.server.place, port),
                SERVER_START_SECONDS,
                f"the server listening on {self.server.address}:{port}",
            )

    async def publish(self, file: Path, patch_id: str, version: str = "1.0", *options: str) -> str:
        """Run `seed-server publish` and return what it printed."""
        return await run_command(
            "seed-server", "publish", "--home", self.server.home, file, "--patch-id", patch_id, "--version", version,
            *options,
        )  # fmt: skip

    async def publish_recipe(self, recipe: Path) -> str:
        """Run `seed-server publish --recipe` and return what it printed."""
        return await run_command("seed-server", "publish", "--home", self.server.home, "--recipe", recipe)

    async def on_server(self, command: str, *arguments: str | Path) -> str:
        """Run a command of the seed server, or of one of its groups, and return what it printed."""
        return await run_command("seed-server", command, *arguments, "--home", self.server.home)

    async def token(self, *options: str) -> str:
        """Run `seed-server token` and return the token."""
        return (await run_command("seed-server", "token", "--home", self.server.home, *options)).strip()

    # --- endpoints -------------------------------------------------------------------

    async def enrol(self, k: int) -> None:
        """Enrol endpoint ``k`` with the fleet's token."""
        member = self.endpoints[k]
        async with self._token_lock:
            self._token = self._token or await self.token("--uses", str(len(self.endpoints)), "--ttl", TOKEN_TTL)
        token = self._token
        if member.tags:
            token = await self.token("--ttl", TOKEN_TTL, *(part for tag in member.tags for part in ("--tag", tag)))
        token_file = member.home.with_suffix(".token")
        durable_files.write_file(token_file, token.encode(), mode=0o600)
        await run_command(
            "p2pdist", "enrol", "--home", member.home, "--token-file", token_file, "--address", member.address,
            prefix=member.place.prefix,
        )  # fmt: skip
        # any free port, so that a second fleet on the same addresses does not collide
        # each installs below a directory of its own, and leaves this machine's programs alone
        limit = self.serve_up_to_cpu_percent
        willing = f"serve_up_to_cpu_percent = {limit:g}\n" if limit is not None else ""
        (member.home / "config.toml").write_text(
            f"lan_port = 0\n{willing}install_root = {json.dumps(str(member.home / 'root'))}\n"
        )

    async def start_endpoint(self, k: int) -> None:
        """Start `p2pdist run`, after enrolment if needed, and wait until it is connected to the server."""
        member = self.endpoints[k]
        if not (member.home / "identity").exists():
            await self.enrol(k)
        await self.launch_endpoint(k)
        await self.wait_until(lambda: is_connected(member), ENDPOINT_START_SECONDS, f"{member.name} being connected")

    async def launch_endpoint(self, k: int) -> None:
        """Start `p2pdist run` without waiting, and follow its status."""
        member = self.endpoints[k]
        following = member.process is not None
        await self._start(member, "p2pdist", "run", "--home", member.home, "--address", member.address)
        member.latest = None  # it was about the process before
        if not following:
            self._nursery.start_soon(self._follow, member)

    async def poll(self) -> None:
        """Bring `Member.latest` of every running endpoint up to date, once."""
        for member in self.endpoints.values():
            if member.process is not None:
                await self._refresh(member)

    async def status(self, k: int) -> StatusAnswer:
        """Return what `p2pdist status --json` says now. (`Member.latest` costs no new process.)"""
        return await self._ask(k, STATUS)

    async def peers(self, k: int) -> PeersAnswer:
        """Return what `p2pdist peers --json` says now."""
        return await self._ask(k, PEERS)

    async def _ask(self, k: int, command: Command[Question, AnswerT]) -> AnswerT:
        printed = await run_command("p2pdist", command.name, "--home", self.endpoints[k].home, "--json")
        return msgspec.json.decode(printed, type=command.answer)

    async def _follow(self, member: Member) -> None:
        """Keep `Member.latest` up to date."""
        while True:
            if self.following:
                await self._refresh(member)
            await trio.sleep(self.follow_seconds)

    async def _refresh(self, member: Member) -> None:
        process = member.process
        with suppress(UserError):  # it is down, or not up yet
            answer = await ask_daemon(EndpointHome(member.home).socket, STATUS)
            if member.process is process:
                member.latest = answer

    # --- processes -------------------------------------------------------------------

    async def _start(self, member: Member, *command: str | Path | int) -> None:
        program, *arguments = (str(part) for part in command)
        member.stopping = False
        ours = program in OURS and not member.place.prefix
        start = fleet_processes.start_ours if ours else start_process
        with member.log.open("ab") as log:
            process = await start([*member.place.prefix, str(SCRIPTS / program), *arguments], log)
        member.process = process
        self._nursery.start_soon(keep, process)

    async def stop(self, member: Member) -> int:
        """Stop a member by SIGTERM and return its exit code. Raises `FleetError` when it does not end."""
        return await self._signal(member, signal.SIGTERM)

    async def kill9(self, member: Member) -> None:
        """Kill a member with no chance to tidy up."""
        await self._signal(member, signal.SIGKILL)

    async def _signal(self, member: Member, number: signal.Signals) -> int:
        if member.process is None:
            raise FleetError(f"{member.name} was never started")
        member.stopping = True
        member.process.send_signal(number)
        with trio.move_on_after(STOP_SECONDS):
            return await member.process.wait()
        raise FleetError(f"{member.name} did not end within {STOP_SECONDS:.0f} s of {number.name}\n{member.log_tail()}")

    async def wait_until(self, predicate: Callable[[], bool], timeout_seconds: float, what: str) -> None:
        """Wait until ``predicate()``. Raises `FleetError` after the timeout or when a member dies meanwhile."""
        with trio.move_on_after(timeout_seconds):
            while not predicate():
                for member in self.members:
                    if member.has_died:
                        raise FleetError(f"{member.name} ended by itself\n{member.log_tail()}")
                await trio.sleep(POLL_SECONDS)
            return
        tails = "\n".join(member.log_tail() for member in self.members)
        raise FleetError(f"{what} did not happen within {timeout_seconds:.0f} s\n{tails}")


@asynccontextmanager
async def open_fleet(directory: Path, *, network: str, endpoints: int) -> AsyncIterator[Fleet]:
    """Yield a fleet with homes in ``directory`` and addresses ``network``.1 (server) and ``network``.11 onwards.

    Nothing runs yet. Whatever was started has ended when the context closes.
    """
    places = [Place(f"{network}.{10 + k}") for k in range(1, endpoints + 1)]
    async with open_fleet_at(directory, Place(f"{network}.1"), places) as fleet:
        yield fleet


@asynccontextmanager
async def open_fleet_at(directory: Path, server: Place, endpoints: Sequence[Place]) -> AsyncIterator[Fleet]:
    """As `open_fleet`, with the processes at these places."""
    async with trio.open_nursery() as nursery:
        fleet = Fleet(directory, server, endpoints, nursery)
        try:
            yield fleet
        finally:
            for member in fleet.members:
                member.stopping = True
            nursery.cancel_scope.cancel()


def is_connected(member: Member) -> bool:
    """Whether the endpoint said, when last asked, that it is connected to the server."""
    return member.latest is not None and member.latest.server_connection == "connected"


def is_verified(member: Member, patch_id: str) -> bool:
    """Whether the endpoint said, when last asked, that it has proven the patch."""
    return member.patch(patch_id).state == "verified"


def accepts_connections(place: Place, port: int) -> bool:
    """Whether something listens there now."""
    if place.prefix:  # our sockets cannot reach a namespace
        command = [*place.prefix, "ss", "-Hltn", f"sport = :{port}"]
        return bool(subprocess.run(command, capture_output=True, check=False).stdout.strip())
    with socket.socket() as probe:
        probe.settimeout(1.0)  # loopback answers at once
        return probe.connect_ex((place.address, port)) == 0

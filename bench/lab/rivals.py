"""The usual alternatives, with their defaults: each runs in the same lab as ours and starts when it is told to."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from bench.lab.business import Program, launch, listens
from bench.lab.delivery import LOOK_SECONDS, now_ms
from bench.lab.namespaces import LabError, run
from bench.lab.rival_programs import TRACKER_PORT
from bench.lab.topology import HEAD_ADDRESS, Host, Lab

WEB_PORT = 80
SEEDER_START_SECONDS = 30.0
LOW_TARGET_MS = 15
FIXED_SHARE = 0.8  # of the line, divided among all PCs by a policy: a fixed limit for each, as BITS has
PACKAGES = {"nginx": "nginx-light", "curl": "curl", "aria2c": "aria2", "transmission-daemon": "transmission-daemon"}
"""Debian's packages, by program."""


@dataclass
class Job:
    """What a rival's commands are built from."""

    lab: Lab
    payload: Path
    directory: Path
    torrent: Path

    def home(self, name: str) -> Path:
        """Make and return the directory of one client."""
        path = self.directory / name
        path.mkdir(exist_ok=True)
        return path

    @property
    def address(self) -> str:
        """The file's URL."""
        return f"http://{HEAD_ADDRESS}/{self.payload.name}"


def done_script(home: Path) -> Path:
    """Write a script that marks a client as finished, for clients that can call one."""
    script = home / "finished.sh"
    script.write_text(f"#!/bin/sh\ntouch {home}/done\n")
    script.chmod(0o755)
    return script


# --- the clients: a command for each PC --------------------------------------------------------


def curl(job: Job, _host: Host, home: Path) -> Sequence[str | Path]:
    """Fetch the whole file from the web server, on every PC."""
    return ("sh", "-c", f"curl -sS -o {home}/{job.payload.name} {job.address} && touch {home}/done")


def fixed_share(job: Job, _host: Host, home: Path) -> Sequence[str | Path]:
    """Fetch like `curl`, with a fixed rate limit."""
    line_bits = job.lab.shape.lines[0].down.rate_mbit * 1e6
    limit = round(line_bits * FIXED_SHARE / 8 / job.lab.shape.endpoints)
    get = f"curl -sS --limit-rate {limit} -o {home}/{job.payload.name} {job.address}"
    return ("sh", "-c", f"{get} && touch {home}/done")


def aria2(job: Job, host: Host, home: Path) -> Sequence[str | Path]:
    """Use BitTorrent with local peer discovery."""
    return (
        "aria2c", f"--dir={home}", "--seed-ratio=0", "--enable-dht=false", "--bt-enable-lpd=true",
        f"--interface={host.address}", f"--on-bt-download-complete={done_script(home)}", "--listen-port=6881",
        "--file-allocation=none", "--check-integrity=true", "--no-conf", "--quiet", job.torrent,
    )  # fmt: skip


def transmission(job: Job, host: Host, home: Path) -> Sequence[str | Path]:
    """Run a daemon that finds the torrent in its watched directory."""
    watched = home / "watched"
    watched.mkdir(exist_ok=True)
    shutil.copy(job.torrent, watched)
    script = done_script(home)
    settings = (
        f'{{"script-torrent-done-enabled": true, "script-torrent-done-filename": "{script}", "dht-enabled": false, '
        f'"lpd-enabled": true, "port-forwarding-enabled": false, "rpc-enabled": false, "peer-port": 6881, '
        f'"ratio-limit-enabled": false, "bind-address-ipv4": "{host.address}"}}'
    )
    (home / "settings.json").write_text(settings)
    return ("transmission-daemon", "--foreground", "-g", home, "-w", home, "-c", watched)


def libtorrent(target_delay_ms: int) -> Callable[[Job, Host, Path], Sequence[str | Path]]:
    """Return the command of libtorrent over its own uTP."""

    def client(job: Job, host: Host, home: Path) -> Sequence[str | Path]:
        words = (host.address, str(job.torrent), str(home), str(target_delay_ms), str(home / "done"))
        return (sys.executable, "-m", "bench.lab.rival_programs", "torrent", *words)

    return client


@dataclass(frozen=True)
class Rival:
    """One alternative."""

    name: str
    client: Callable[[Job, Host, Path], Sequence[str | Path]]
    programs: tuple[str, ...]
    uses_torrent: bool
    """Otherwise it uses the web server."""


CURL = Rival("curl", curl, ("nginx", "curl"), uses_torrent=False)
FIXED = Rival("fixed share", fixed_share, ("nginx", "curl"), uses_torrent=False)
ARIA2 = Rival("aria2", aria2, ("aria2c",), uses_torrent=True)
TRANSMISSION = Rival("transmission", transmission, ("transmission-daemon",), uses_torrent=True)
LIBTORRENT = Rival("libtorrent", libtorrent(0), (), uses_torrent=True)
LIBTORRENT_LOW = Rival("libtorrent, low target", libtorrent(LOW_TARGET_MS), (), uses_torrent=True)
RIVALS = {rival.name: rival for rival in (CURL, ARIA2, TRANSMISSION, LIBTORRENT, LIBTORRENT_LOW, FIXED)}


def missing_packages() -> list[str]:
    """Return the packages of programs that this machine lacks."""
    return sorted({package for program, package in PACKAGES.items() if shutil.which(program) is None})


# --- at work -----------------------------------------------------------------------------------


class RivalDelivery:
    """The delivery of a rival; made by `open_rival`."""

    def __init__(self, rival: Rival, job: Job, nursery: trio.Nursery, parts: list[Program]) -> None:
        self._rival = rival
        self._job = job
        self._nursery = nursery
        self._parts = parts
        self.finished_ms: dict[int, float] = {}
        self._hosts = dict(enumerate((pc for branch in job.lab.branches for pc in branch.endpoints), 1))

    def _home(self, k: int) -> Path:
        return self._job.home(f"client{k}")

    async def start(self) -> None:
        """Start the client on every PC."""
        for k, host in self._hosts.items():
            command = self._rival.client(self._job, host, self._home(k))
            await launch(self._nursery, host, f"client{k}", command, self._job.directory)

    async def follow(self) -> None:
        """Look which clients have marked themselves as finished."""
        while True:
            for k in self._hosts:
                if k not in self.finished_ms and (self._home(k) / "done").exists():
                    self.finished_ms[k] = now_ms()
            await trio.sleep(LOOK_SECONDS)

    def check(self) -> None:
        """Fail the run if a server has ended."""
        for part in self._parts:
            part.check()


@asynccontextmanager
async def open_rival(rival: Rival, lab: Lab, payload: Path, directory: Path) -> AsyncIterator[RivalDelivery]:
    """Start what serves the file at head office; the PCs' clients wait for `RivalDelivery.start`."""
    gone = [PACKAGES[program] for program in rival.programs if shutil.which(program) is None]
    if gone:
        raise LabError(f"{rival.name} needs the packages {', '.join(gone)}: `make bench-lab` as root installs them")
    job = Job(lab, payload, directory, directory / "payload.torrent")
    async with trio.open_nursery() as nursery:
        try:
            parts = await (_torrent_servers if rival.uses_torrent else _web_server)(rival, job, nursery)
            yield RivalDelivery(rival, job, nursery, parts)
        finally:
            nursery.cancel_scope.cancel()


async def _web_server(_rival: Rival, job: Job, nursery: trio.Nursery) -> list[Program]:
    home = job.home("nginx")
    configuration = home / "nginx.conf"
    configuration.write_text(
        f"daemon off; worker_processes 1; pid {home}/pid; error_log stderr; user root; events {{}}\n"
        f"http {{ access_log off; sendfile on; server {{ listen {HEAD_ADDRESS}:{WEB_PORT}; "
        f"root {job.payload.parent}; }} }}\n"
    )
    server = await launch(nursery, job.lab.head, "nginx", ("nginx", "-p", home, "-c", configuration), job.directory)
    await _listening(job.lab.head, WEB_PORT, server)
    return [server]


async def _torrent_servers(rival: Rival, job: Job, nursery: trio.Nursery) -> list[Program]:
    own = (sys.executable, "-m", "bench.lab.rival_programs")
    head, announce = job.lab.head, f"http://{HEAD_ADDRESS}:{TRACKER_PORT}/announce"
    await run(*own, "make-torrent", job.payload, job.torrent, announce)
    tracker = await launch(nursery, head, "tracker", (*own, "tracker", HEAD_ADDRESS), job.directory)
    await _listening(head, TRACKER_PORT, tracker)
    home = job.home("seeder")
    # a hard link: clients write beside their file, and must not touch the source's directory
    os.link(job.payload, home / job.payload.name)
    seeder = await launch(nursery, head, "seeder", rival.client(job, head, home), job.directory)
    with trio.fail_after(SEEDER_START_SECONDS):
        while not await announced(head):
            seeder.check()
            await trio.sleep(LOOK_SECONDS)
    return [tracker, seeder]


async def _listening(host: Host, port: int, server: Program) -> None:
    with trio.fail_after(SEEDER_START_SECONDS):
        while not await listens(host, port):
            server.check()
            await trio.sleep(LOOK_SECONDS)


async def announced(head: Host) -> bool:
    """Whether the tracker knows a peer: by then the seeder has checked its file."""
    ask = f"http://{HEAD_ADDRESS}:{TRACKER_PORT}/announce?port=0"
    answer = await run(*head.command("curl", "-sS", "--max-time", 5, "-o", "-", "-w", "%{size_download}", ask))
    return "5:peers0:" not in answer

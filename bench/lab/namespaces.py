"""Network namespaces with an owner in their name, so that a lab removes what a killed one left behind.

A name is ``p2plab-PID-START-NODE``: the owner's process number and start time (another process that gets the same
number later is not the owner). Only processes inside such a namespace are ever ended.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path

import trio

PREFIX = "p2plab"
NAMESPACES = Path("/run/netns")
TUN = Path("/dev/net/tun")
END_SECONDS = 5.0
POLL_SECONDS = 0.05


class LabError(Exception):
    """The lab could not be built, or a part of it failed; the text says which and why."""


def why_not() -> str | None:
    """Return why no lab can be built here, or None when one can."""
    if os.name != "posix" or not Path("/proc/self/ns/net").exists():
        return "the lab needs Linux with network namespaces"
    if os.geteuid() != 0:
        return "the lab needs root, to make network namespaces"
    for program, package in (("ip", "iproute2"), ("tc", "iproute2"), ("gcc", "gcc"), ("sysctl", "procps")):
        if shutil.which(program) is None:
            return f"the lab needs `{program}` (package {package})"
    if not TUN.exists():
        return f"the lab needs {TUN} (kernel module tun)"
    trial = f"{name_prefix()}-trial"
    made = subprocess.run(["ip", "netns", "add", trial], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"this environment allows no network namespaces: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", trial], check=True)
    return None


def start_ticks(pid: int) -> str | None:
    """Return when a process started, in the kernel's ticks since boot; None when there is no such process."""
    try:
        # the second field is the program's name in brackets, and may hold anything
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[19]


def name_prefix() -> str:
    """Return the prefix of the names of this process's namespaces."""
    return f"{PREFIX}-{os.getpid()}-{start_ticks(os.getpid())}"


def owner_lives(name: str) -> bool | None:
    """Return whether the owner of a namespace still runs; None for a name that is not a lab's."""
    match name.split("-"):
        case [prefix, pid, ticks, _, *_] if prefix == PREFIX and pid.isdecimal() and ticks.isdecimal():
            return start_ticks(int(pid)) == ticks
    return None


def stale_namespaces(names: Sequence[str], lives: Callable[[str], bool | None] = owner_lives) -> list[str]:
    """Return the names of labs whose owners have gone."""
    return [name for name in names if lives(name) is False]


def all_namespaces() -> list[str]:
    """Return the names of all network namespaces."""
    return sorted(path.name for path in NAMESPACES.iterdir()) if NAMESPACES.is_dir() else []


async def run(*command: str | Path | float, wanted: bool = True) -> str:
    """Run a command to its end and return its output. Raises `LabError` if it fails, unless ``wanted`` is false."""
    words = [str(word) for word in command]
    result = await trio.run_process(words, capture_stdout=True, capture_stderr=True, check=False)
    if wanted and result.returncode != 0:
        raise LabError(f"`{' '.join(words)}` ended with code {result.returncode}: {result.stderr.decode().strip()}")
    return result.stdout.decode(errors="replace")


def inside(namespace: str) -> tuple[str, ...]:
    """Return the prefix that runs a command in a namespace; the process keeps its number."""
    return ("ip", "netns", "exec", namespace)


async def remove(name: str) -> None:
    """End every process in a namespace, by number, and remove the namespace with its devices."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        processes = await processes_in(name)
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if processes and number == signal.SIGTERM:
            await _empty(name)
    await run("ip", "netns", "delete", name, wanted=False)


async def _empty(name: str) -> None:
    for _ in range(ceil(END_SECONDS / POLL_SECONDS)):
        if not await processes_in(name):
            return
        await trio.sleep(POLL_SECONDS)


async def processes_in(name: str) -> list[int]:
    """Return the processes whose network namespace is ``name``."""
    return [int(word) for word in (await run("ip", "netns", "pids", name, wanted=False)).split()]


async def remove_stale() -> list[str]:
    """Remove what killed labs left behind, and return the names."""
    stale = stale_namespaces(all_namespaces())
    for name in stale:
        await remove(name)
    return stale


async def add(name: str) -> None:
    """Make a namespace with its loopback up, without IPv6 (the lab is IPv4) and without memory of earlier flows."""
    await run("ip", "netns", "add", name)
    await run(*inside(name), "ip", "link", "set", "lo", "up")
    settings = (
        "net.ipv6.conf.all.disable_ipv6=1",
        "net.ipv4.ip_forward=1",
        "net.ipv4.tcp_no_metrics_save=1",  # a flow starts as if it were the first
        "net.ipv4.conf.all.rp_filter=0",
        "net.ipv4.ip_local_port_range=32768 60999",
    )
    await run(*inside(name), "sysctl", "-q", "-w", *settings)

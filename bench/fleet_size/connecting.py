"""Scenarios of connections: many that have nothing to do, and all PCs that return after a restart."""

import contextlib
from pathlib import Path

import trio

from bench.fleet_size import speech
from bench.fleet_size.company import Company, open_company
from bench.fleet_size.crowd_process import CrowdError, Crowds
from bench.fleet_size.machine import Use, use_of
from bench.fleet_size.records import Outcome
from bench.fleet_size.sizes import Sizes
from seed_server.fleet.context import Context
from seed_server.store.rows import Recorded

SECONDS_PER_CONNECTION = 0.05  # at most, and at least …
CONNECT_SECONDS = 30.0  # … so long: a slower server is given up
RETURN_SECONDS = 900.0  # then it is said how far they were
UNREAD_SHARE = 0.01  # of the PCs: so many echoes may be on their way at any moment
PART_WITH_TLS = 10  # of the connections that the machine holds


async def connections(sizes: Sizes, directory: Path) -> Outcome:
    """Connect PCs that have no patches, and watch the server while nothing happens."""
    count = sizes.connections
    async with open_company(directory, sites=sizes.sites, pcs=count, certificates=count) as company:
        await company.fleet.start_server()
        await trio.sleep(sizes.settle_seconds)
        before = company.use()
        async with company.tls_crowds() as crowds:
            await crowds.connect(CONNECT_SECONDS + count * SECONDS_PER_CONNECTION)
            arrived = company.use()
            await trio.sleep(sizes.settle_seconds)
            begun, pings = company.use(), crowds.total(lambda progress: progress.pings)
            sent = crowds.total(lambda progress: progress.bytes_to_pcs)
            players = [use_of(one.process.pid) for one in crowds.processes]
            await trio.sleep(sizes.idle_seconds)
            ended = company.use()
            after = [use_of(one.process.pid) for one in crowds.processes]
            outcome = Outcome("real TLS connections, the control connection alone")
            connected = crowds.total(lambda progress: progress.connected)
            outcome.figures = {
                "connected": connected,
                "lost": crowds.total(lambda progress: progress.lost),
                "bytes_per_connection": (ended.memory_bytes - before.memory_bytes) / max(1, connected),
                "memory_before_bytes": before.memory_bytes,
                "memory_bytes": ended.memory_bytes,
                "idle_cpu_share": ended.cpu_share_since(begun),
                "connect_seconds": arrived.at - before.at,
                "connect_cpu_seconds_each": (arrived.cpu_seconds - before.cpu_seconds) / max(1, connected),
                "pings_per_second": (crowds.total(lambda progress: progress.pings) - pings) / sizes.idle_seconds,
                "bytes_to_pcs_per_second": (crowds.total(lambda progress: progress.bytes_to_pcs) - sent)
                / sizes.idle_seconds,
                "players_cpu_share": sum(map(Use.cpu_share_since, after, players)),
            }
            outcome.notes = _reasons(crowds)
            if connected < count:
                outcome.notes.append(f"only {connected} of {count} PCs were connected")
            return outcome


async def returning(sizes: Sizes, directory: Path) -> Outcome:
    """Let all PCs connect to a server that has just started, and say what they have; it has recorded their reports.

    As frames all of them. Some also do it with real connections (one each, as they lack nothing) and with nothing to
    say, and the same ones as frames with nothing to say: the difference is what TLS takes for each. What that
    server takes before anybody comes counts, as the other one also has what plays the PCs.
    """
    some = max(1, min(sizes.connections, sizes.pcs) // PART_WITH_TLS)
    async with open_company(
        directory, sites=sizes.sites, pcs=sizes.pcs, patches=sizes.live_patches, certificates=some
    ) as company:
        record_all(company)
        async with company.frame_crowd(told=True) as crowds:
            frames = await _return(sizes, crowds, crowds.processes[0].process.pid)
        async with company.frame_crowd(most=some) as crowds:
            silent = await _return(sizes, crowds, crowds.processes[0].process.pid)
        await company.fleet.start_server()
        async with company.tls_crowds() as crowds:
            real = await _return(sizes, crowds, company.pid)
    cpu_each = (real["cpu_seconds"] - silent["cpu_seconds"]) / some
    bytes_each = (real["added_bytes"] - silent["added_bytes"]) / some
    outcome = Outcome(f"{sizes.pcs:,} PCs as frames; TLS of each as {some:,} with real connections took it")
    outcome.figures = {f"frames_{name}": value for name, value in frames.items()} | {
        "memory_before_bytes": real["memory_before_bytes"],
        "tls_cpu_seconds_each": cpu_each,
        "tls_bytes_each": bytes_each,
    }
    missing = sizes.pcs - frames["connected"]
    if frames["unread"] > sizes.pcs * UNREAD_SHARE or missing:
        why = f"after {frames['seconds']:.0f} s {missing:.0f} PCs were missing, {frames['unread']:.0f} frames not read"
        outcome.missing = {"cpu_seconds": why, "memory_bytes": why}
    else:
        outcome.figures["cpu_seconds"] = frames["cpu_seconds"] + sizes.pcs * cpu_each
        # what the played PCs' own plan takes in the server's process is not the server's
        outcome.figures["memory_bytes"] = real["memory_before_bytes"] + frames["added_bytes"] + sizes.pcs * bytes_each
    return outcome


def record_all(company: Company) -> None:
    """Let the server have recorded what its PCs reported before. Blocking."""
    serials = speech.first_serials(company.patches)
    with Context(company.home).database() as database:
        database.save_recorded({pc.endpoint: Recorded(speech.instance_of(pc), serials) for pc in company.pcs})


async def _return(sizes: Sizes, crowds: Crowds, pid: int) -> dict[str, float]:
    """Let all connect, and measure until the server has read what they say."""
    await trio.sleep(sizes.settle_seconds)
    begun = use_of(pid)
    wanted = sum(len(one.plan.pcs) for one in crowds.processes)
    await crowds.say("connect")

    def all_read() -> bool:
        here = crowds.total(lambda progress: progress.connected + progress.lost)
        return here >= wanted and crowds.total(lambda progress: progress.unread) <= wanted * UNREAD_SHARE

    with contextlib.suppress(CrowdError):  # the figures say how far they were
        await crowds.wait_until(all_read, RETURN_SECONDS, "all PCs returning")
    ended = use_of(pid)
    return {
        "connected": crowds.total(lambda progress: progress.connected),
        "lost": crowds.total(lambda progress: progress.lost),
        "unread": crowds.total(lambda progress: progress.unread),
        "seconds": ended.at - begun.at,
        "cpu_seconds": ended.cpu_seconds - begun.cpu_seconds,
        "memory_before_bytes": begun.memory_bytes,
        "memory_bytes": ended.memory_bytes,
        "added_bytes": ended.memory_bytes - begun.memory_bytes,
    }


def _reasons(crowds: Crowds) -> list[str]:
    return [f"{count} × {reason}" for reason, count in crowds.reasons.items()]

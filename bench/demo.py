"""The demo: a seed server and four endpoints on this machine, as real processes, share one large file.

Then they install an application: its first version everywhere, and the next one, which is built from the first, where
it applies and is healthy. Two more come by rings: a bad one is halted in the second ring and withdrawn, the good one
goes on after an approval.

Usage: `make demo [FILE=path] [JSON=1] [KEEP=1]`. With KEEP=1 all of it stays up until Ctrl-C, with its pages, whose
address and passwords are printed. Exits 0 when every endpoint has verified
the file, the origin sent it (almost) once, every installation and rollout ended as it
should, and the audit log is whole. It always cleans up after itself.
"""

import hashlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import trio
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bandwidth.core.quantities import bytes_text, duration_text
from bench.demo_app import KIOSK, life_table, patch_life, smaller_words
from bench.demo_pages import DemoPages
from bench.demo_payload import ENOUGH_BYTES, build_payload
from bench.demo_rollouts import TESTER, Company, audit_table, rollout_table, rollouts
from bench.fleet import Fleet, is_verified, open_fleet
from bench.fleet_processes import FleetError, free_ports
from p2pdist.shared.errors import first_error

NETWORK = "127.0.1"
ENDPOINTS = 4
PATCH_ID = "demo"
MAX_SENT_RATIO = 1.02  # what the origin sent, as it was before it was compressed for the line, ÷ file size
TIMEOUT_SECONDS = 180.0  # many times what all of it takes on two cores
SLOWEST_BYTES_PER_SECOND = 20e6  # a larger file gets this much more time
COPIES_ON_DISK = ENDPOINTS + 2  # the default payload, the server's, each endpoint's
DISK_MARGIN_BYTES = 600 << 20  # what each endpoint keeps free beside the file, and logs
SCREEN_SECONDS = 0.2
BAR_CELLS = 40


@dataclass
class Demo:
    """One run: what it shows, and its results."""

    console: Console
    file: Path
    scratch: Path
    """Where the application is built."""
    step: str = "starting"
    started: float = field(default_factory=time.monotonic)

    @property
    def file_bytes(self) -> int:
        """Size of the payload."""
        return self.file.stat().st_size

    async def run(self, fleet: Fleet) -> dict[str, Any]:
        """Run the demo and return its facts. Raises `FleetError`."""
        with trio.move_on_after(TIMEOUT_SECONDS + self.file_bytes / SLOWEST_BYTES_PER_SECOND) as scope:
            self.say(f"seed server on {fleet.server.address}: init, serve")
            await fleet.start_server()
            fleet.endpoints[KIOSK].tags, fleet.endpoints[TESTER].tags = ("kiosk",), ("test",)
            company = Company(fleet, self.scratch)
            self.say(f"{ENDPOINTS} endpoints on {NETWORK}.11 to {NETWORK}.{10 + ENDPOINTS}: enrol, run")
            async with trio.open_nursery() as nursery:
                for k in fleet.endpoints:
                    nursery.start_soon(fleet.start_endpoint, k)
                nursery.start_soon(company.hire)
            self.say(f"publish {self.file.name}, {bytes_text(self.file_bytes)}")
            await fleet.publish(self.file, PATCH_ID)
            await self.follow(fleet)
            self.say("compare every endpoint's file with the source")
            await self.compare(fleet)
            facts = self.facts(fleet)
            facts |= await patch_life(fleet, self.scratch, self.say)
            return facts | await rollouts(company, self.scratch, self.say)
        assert scope.cancelled_caught
        tails = "\n".join(member.log_tail() for member in fleet.members)
        raise FleetError(
            f"not finished within {TIMEOUT_SECONDS:.0f} s and what its size adds, at: {self.step}\n{tails}"
        )

    def say(self, step: str) -> None:
        """Print a step, with the seconds since the start."""
        self.step = step
        self.console.print(Text(f"{time.monotonic() - self.started:6.1f} s  {step}"))

    async def follow(self, fleet: Fleet) -> None:
        """Show the swarm at work until every endpoint has verified the file."""
        with Live(console=self.console, auto_refresh=False, transient=True) as live:
            said: set[str] = set()
            while len(said) < len(fleet.endpoints):
                for member in fleet.endpoints.values():
                    patch = member.patch(PATCH_ID)
                    if is_verified(member, PATCH_ID) and member.name not in said:
                        said.add(member.name)
                        self.say(f"{member.name} verified")
                    elif patch.state == "failed":
                        raise FleetError(f"{member.name} failed: {patch.error}\n{member.log_tail()}")
                    if member.has_died or fleet.server.has_died:
                        dead = member if member.has_died else fleet.server
                        raise FleetError(f"{dead.name} ended by itself\n{dead.log_tail()}")
                live.update(self.bars(fleet), refresh=True)
                await trio.sleep(SCREEN_SECONDS)

    def bars(self, fleet: Fleet) -> Group:
        """Return one bar for each endpoint: what came from the origin and from neighbours, and what is missing."""
        grid = Table.grid(padding=(0, 1))
        for member in fleet.endpoints.values():
            patch = member.patch(PATCH_ID)
            origin, peers = patch.bytes_from_origin, patch.bytes_from_peers
            grid.add_row(
                member.name,
                split_bar(origin + patch.bytes_built, peers, self.file_bytes),
                Text(bytes_text(origin), "cyan", justify="right"),
                Text(bytes_text(peers), "green", justify="right"),
                patch.state,
            )
        legend = Text.assemble("  ", ("█", "cyan"), " from the origin   ", ("▓", "green"), " from neighbours")
        return Group(grid, legend)

    async def compare(self, fleet: Fleet) -> None:
        """Check that each verified file has the source's SHA-256."""
        wanted = await trio.to_thread.run_sync(sha256_of, self.file, abandon_on_cancel=True)
        for k, member in fleet.endpoints.items():
            member.latest = await fleet.status(k)
            path = Path(member.patch(PATCH_ID).path or "")
            if await trio.to_thread.run_sync(sha256_of, path, abandon_on_cancel=True) != wanted:
                raise FleetError(
                    f"{member.name} says verified, and {path} differs from the source\n{member.log_tail()}"
                )

    def facts(self, fleet: Fleet) -> dict[str, Any]:
        """Return what `--json` prints."""
        endpoints: list[dict[str, Any]] = []
        for member in fleet.endpoints.values():
            assert member.latest is not None
            patch = member.patch(PATCH_ID)
            endpoints.append(
                {
                    "id": member.latest.endpoint_id,
                    "state": patch.state,
                    "seconds": patch.seconds,
                    "bytes_from_origin": patch.bytes_from_origin,
                    "bytes_from_peers": patch.bytes_from_peers,
                    "bytes_built": patch.bytes_built,
                }
            )
        crossed, saved = (sum(each[key] for each in endpoints) for key in ("bytes_from_origin", "bytes_built"))
        return {
            "file_bytes": self.file_bytes,
            "origin_ratio": crossed / self.file_bytes,
            "sent_ratio": (crossed + saved) / self.file_bytes,
            "seconds": max(each["seconds"] for each in endpoints),
            "endpoints": endpoints,
        }


def split_bar(origin: int, peers: int, total: int) -> Text:
    """Return a bar that tells its two sources apart with and without colour."""
    of_origin = min(BAR_CELLS, round(BAR_CELLS * origin / total))
    of_both = max(of_origin, min(BAR_CELLS, round(BAR_CELLS * (origin + peers) / total)))
    return Text.assemble(
        ("█" * of_origin, "cyan"), ("▓" * (of_both - of_origin), "green"), ("░" * (BAR_CELLS - of_both), "dim")
    )


def result_table(facts: dict[str, Any]) -> Table:
    """Return the facts for people."""
    size = facts["file_bytes"]
    table = Table(title=f"One file of {bytes_text(size)} to {len(facts['endpoints'])} endpoints", title_justify="left")
    for column, justify in (("endpoint", "left"), ("state", "left"), ("seconds", "right")):
        table.add_column(column, justify="right" if justify == "right" else "left")
    for column in ("from origin", "from peers", "saved"):
        table.add_column(column, justify="right")
    for each in facts["endpoints"]:
        table.add_row(
            each["id"],
            Text(each["state"], "green" if each["state"] == "verified" else "red"),
            f"{each['seconds']:.1f}",
            bytes_text(each["bytes_from_origin"]),
            bytes_text(each["bytes_from_peers"]),
            bytes_text(each["bytes_built"]),
        )
    table.add_section()
    table.add_row(
        "total",
        "",
        f"{facts['seconds']:.1f}",
        bytes_text(sum(each["bytes_from_origin"] for each in facts["endpoints"])),
        bytes_text(sum(each["bytes_from_peers"] for each in facts["endpoints"])),
        bytes_text(sum(each["bytes_built"] for each in facts["endpoints"])),
    )
    return table


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256. Blocking."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def make_payload(console: Console, path: Path) -> None:
    """Build the default payload with a progress bar."""
    built = 0

    def grow(size: int) -> None:
        nonlocal built
        trio.from_thread.check_cancelled()
        built = size

    async def show() -> None:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(Text.assemble("  archive  ", split_bar(built, 0, ENOUGH_BYTES)), refresh=True)
                await trio.sleep(SCREEN_SECONDS)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(show)
        await trio.to_thread.run_sync(build_payload, path, grow)
        nursery.cancel_scope.cancel()


def check_disk(directory: Path, size: int) -> None:
    """Raise `FleetError` if the copies of the file would not fit on the disk."""
    needed = COPIES_ON_DISK * size + DISK_MARGIN_BYTES
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise FleetError(
            f"the demo needs {bytes_text(needed)} in {directory} and {bytes_text(free)} are free; "
            "free some space, or name another directory in TMPDIR"
        )


async def run(file: Path | None, as_json: bool, keep: bool = False) -> int:
    """Run the demo until its end or a signal, and return the exit code; ``keep``: a signal is its end."""
    console = Console(stderr=as_json, highlight=False)
    exit_code = 1
    kept = False
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            def found(code: int) -> None:
                nonlocal exit_code, kept
                exit_code, kept = code, keep

            async def job() -> None:
                await run_in_directory(console, file, as_json, keep, found)
                nursery.cancel_scope.cancel()

            nursery.start_soon(job)
            async for number in signals:
                console.print(f"{signal.Signals(number).name}: ending the processes and removing their files")
                exit_code = exit_code if kept else 128 + number
                nursery.cancel_scope.cancel()
                break
    return exit_code


async def run_in_directory(
    console: Console, file: Path | None, as_json: bool, keep: bool, found: Callable[[int], None]
) -> None:  # fmt: skip
    """Run the demo in a temporary directory that is removed at the end; ``found`` is told the exit code."""
    with tempfile.TemporaryDirectory(prefix="p2pdist-demo-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        try:
            check_disk(directory, file.stat().st_size if file else ENOUGH_BYTES)
            demo = Demo(console, file or directory / "python-library.tar", directory)
            if file is None:
                demo.say("archive this Python's standard library and packages")
                await make_payload(console, demo.file)
            async with open_fleet(directory, network=NETWORK, endpoints=ENDPOINTS) as fleet:
                if keep:
                    (fleet.api_port,) = free_ports(1)
                facts = await demo.run(fleet)
                if keep:
                    pages = DemoPages(fleet, directory)
                    await pages.hire()
                    found(report(console, facts, as_json))
                    console.print(pages.invitation(), soft_wrap=True)
                    await trio.sleep_forever()
            found(report(console, facts, as_json))
        except* (FleetError, OSError) as group:
            Console(stderr=True, highlight=False).print(Text(f"error: {first_error(group)}"), soft_wrap=True)


def report(console: Console, facts: dict[str, Any], as_json: bool) -> int:
    """Print the result and return the exit code: 0 when everything is as promised."""
    ratio = facts["sent_ratio"]
    console.print(result_table(facts))
    console.print(life_table(facts["patch_life"]))
    console.print(Text(smaller_words(facts["smaller_update"])))
    console.print(rollout_table(facts["rollouts"]))
    console.print(audit_table(facts["audit"]))
    good = ratio <= MAX_SENT_RATIO and all(each["state"] == "verified" for each in facts["endpoints"])
    console.print(
        Text.assemble(
            "pieces sent by the origin ÷ file size: ",
            (f"{ratio:.4f}", "bold green" if good else "bold red"),
            f" (at most {MAX_SENT_RATIO}), {facts['origin_ratio']:.4f} as compressed for the line; ",
            f"last endpoint after {duration_text(facts['seconds'])}",
        )
    )
    if as_json:
        print(json.dumps(facts, indent=2))
    proven = facts["audit"]["whole"] and all(row["proved"] for row in facts["audit"]["who_did_what"])
    return 0 if good and proven else 1


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    help="The file to share; by default an archive of this Python's library.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, all else on error.")
@click.option("--keep", is_flag=True, help="Leave server and PCs up until Ctrl-C, and say where the pages are.")
def main(file: Path | None, as_json: bool, keep: bool) -> None:
    """Share one large file among four endpoints on this machine."""
    if file and not file.stat().st_size:
        raise click.BadParameter(f"{file} is empty; give a file with content.", param_hint="--file (FILE=…)")
    sys.exit(trio.run(run, file, as_json, keep))


if __name__ == "__main__":
    main()

"""Runs one case in the lab: the former version to some PCs of a branch, then the new one to all, over 20 Mbit/s."""

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import trio

from bench.delta.cases import Case, fingerprint
from bench.delta.publishing import FORMER, NEW, PATCH_ID, REPACK, timed_publish
from bench.delta.records import DeltaRun, PcFigures
from bench.fleet import NOT_KNOWN, Fleet, Member
from bench.fleet_size.machine import revision
from bench.lab.business_at_work import Competition
from bench.lab.delivery import now_ms
from bench.lab.lab_fleet import open_lab_fleet
from bench.lab.processor import MachineTime, machine_time
from bench.lab.queue_log import MANAGED
from bench.lab.records import Processor, business_of
from bench.lab.scenario import VOIP, WEB, Scenario
from bench.lab.topology import Lab, LabShape, open_lab
from bench.lab.usual_lines import USUAL
from bench.lab.wan_link import LineCounters
from bench.process_pair import cpu_seconds, forget_peak, memory_bytes, peak_bytes
from p2pdist import __version__
from p2pdist.local_api.delivery_answers import StatusPatch
from p2pdist.settings import EndpointHome
from p2pdist.transfer.files import load_records

TAG = "former"
FOLLOW_SECONDS = 1.0  # between two questions to a PC, which has itself written down when it had proven a file
QUIET_SECONDS = 5.0  # after the former version: its last reports are over
AFTER_SECONDS = 3.0  # after the last PC: the last reports
ALONE_SECONDS, SETTLE_SECONDS = 20.0, 1.0  # of business, as beside web pages in the lab
RECORDED_SECONDS = 60.0  # for a PC to write down what it has proven
LEAST_SECONDS = 120.0
SLOWEST_BYTES_PER_SECOND = 1e6  # of what is stored; PCs that share two processors write and prove it eight times


@dataclass(frozen=True)
class Files:
    """What a run publishes, and how many bytes are stored of it."""

    former: Path
    new: Path
    stored_bytes: tuple[int, int]


class _Site(msgspec.Struct, frozen=True):
    wan_bytes: int


class _Patch(msgspec.Struct, frozen=True):
    version: str
    sites: list[_Site] = []


class _Status(msgspec.Struct, frozen=True):
    """What is needed of `seed-server status PATCH --json`."""

    patches: list[_Patch]


@dataclass(frozen=True)
class _Moment:
    """Counters at one time."""

    line: LineCounters
    machine: MachineTime
    cpu_seconds: dict[int, float]
    """Of each PC."""

    @classmethod
    async def now(cls, lab: Lab, fleet: Fleet) -> "_Moment":
        used = {k: cpu_seconds(_pid(member)) for k, member in fleet.endpoints.items()}
        return cls(await lab.branches[0].line.counters(), machine_time(), used)


async def measure(case: Case, files: Files, directory: Path) -> DeltaRun:
    """Run a case in an empty directory. Raises `LabError` and `FleetError`."""
    at = time.time()
    timeout = LEAST_SECONDS + max(files.stored_bytes) / SLOWEST_BYTES_PER_SECOND
    async with _open_site(case, files, directory, timeout) as (lab, fleet), trio.open_nursery() as nursery:
        competition = Competition(scenario_of(case, files.stored_bytes[1]), lab, directory, nursery)
        await competition.run_alone()
        memory = {k: memory_bytes(_pid(member)) for k, member in fleet.endpoints.items()}
        for member in fleet.endpoints.values():
            forget_peak(_pid(member))
        before, begun_ms = await _Moment.now(lab, fleet), now_ms()
        stored, publish_seconds = await timed_publish(fleet, files.new, NEW, *options_of(case))
        told, told_ms = time.time(), now_ms()
        with trio.move_on_after(timeout):
            await _all_have(fleet, list(fleet.endpoints), NEW, math.inf)
        await competition.end_early()
        await trio.sleep(AFTER_SECONDS)
        await fleet.poll()
        after = await _Moment.now(lab, fleet)
        seconds = {k: await _proven_after(member, told) for k, member in fleet.endpoints.items()}
        finished = [taken for taken in seconds.values() if taken is not None]
        last = max(finished) if len(finished) == case.pcs else None
        end_ms = now_ms() if last is None else told_ms + 1e3 * last
        alone, beside = business_of(competition.alone(begun_ms)), business_of(competition.beside(told_ms, end_ms))
        sent = await _sent_bytes(fleet)
        pcs = []
        for k, member in fleet.endpoints.items():
            used = after.cpu_seconds[k] - before.cpu_seconds[k]
            pcs.append(_pc_of(member, k <= case.holders, seconds[k], used, memory[k]))
        nursery.cancel_scope.cancel()
    return DeltaRun(
        case=case,
        fingerprint=fingerprint(case),
        version=__version__,
        revision=revision(),
        measured_at=round(at),
        payload_bytes=stored.length_bytes,
        former_bytes=files.stored_bytes[0],
        publish_seconds=round(publish_seconds, 2),
        seconds=None if last is None else round(last, 2),
        line_bytes=_to_pcs(after.line) - _to_pcs(before.line),
        sent_bytes=sent,
        pcs=pcs,
        processor=_processor(before, after),
        alone=alone,
        beside=beside,
    )


def options_of(case: Case) -> tuple[str, ...]:
    """Return how this case publishes."""
    return (REPACK,) if case.way == "coded" else ()


def scenario_of(case: Case, file_bytes: int) -> Scenario:
    """Return the case as the lab's business wants it."""
    business = (VOIP, WEB) if case.business else ()
    return Scenario(
        case.name, USUAL, file_bytes, endpoints=case.pcs, business=business, alone_seconds=ALONE_SECONDS,
        settle_seconds=SETTLE_SECONDS,
    )  # fmt: skip


@asynccontextmanager
async def _open_site(
    case: Case, files: Files, directory: Path, timeout_seconds: float
) -> AsyncIterator[tuple[Lab, Fleet]]:  # fmt: skip
    """Yield the lab when the PCs that shall have the former version have it."""
    holders = list(range(1, case.holders + 1))

    async def publish_former(fleet: Fleet) -> None:
        for k in holders:
            fleet.endpoints[k].tags = (TAG,)
        if holders:
            for_holders = ("--applies-to", f'"{TAG}" in tags')
            await fleet.publish(files.former, PATCH_ID, FORMER, *for_holders, *options_of(case))

    async with (
        open_lab(LabShape((USUAL,), case.pcs), directory) as lab,
        open_lab_fleet(lab, directory, prepare=publish_former) as fleet,
    ):
        fleet.follow_seconds = FOLLOW_SECONDS
        await _all_have(fleet, holders, FORMER, timeout_seconds)
        await trio.sleep(QUIET_SECONDS)
        yield lab, fleet


async def _all_have(fleet: Fleet, pcs: list[int], version: str, timeout_seconds: float) -> None:
    members = [fleet.endpoints[k] for k in pcs]
    await fleet.wait_until(
        lambda: all(_status_of(member, version).state == "verified" for member in members),
        timeout_seconds,
        f"version {version} on {len(members)} PCs",
    )


def _status_of(member: Member, version: str) -> StatusPatch:
    """Return what a PC says of a version."""
    return next((one for one in member.patches if (one.id, one.version) == (PATCH_ID, version)), NOT_KNOWN)


async def _proven_after(member: Member, told: float) -> float | None:
    """Return how long after ``told`` (seconds since 1970) a PC had proven the new version; None: it has not."""
    if _status_of(member, NEW).state != "verified":
        return None
    with trio.fail_after(RECORDED_SECONDS):
        while True:
            for record in await load_records(EndpointHome(member.home).records):
                if (record.patch_id, record.version) == (PATCH_ID, NEW) and record.verified_at:
                    return record.verified_at - told
            await trio.sleep(FOLLOW_SECONDS)


async def _sent_bytes(fleet: Fleet) -> int:
    """Return what the server counts as sent of the new version."""
    printed = await fleet.on_server("status", f"{PATCH_ID}@{NEW}", "--json")
    patches = msgspec.json.decode(printed, type=_Status).patches
    return sum(site.wan_bytes for patch in patches if patch.version == NEW for site in patch.sites)


def _pc_of(member: Member, had_former: bool, seconds: float | None, used: float, memory_before: int) -> PcFigures:
    said = _status_of(member, NEW)
    return PcFigures(
        had_former=had_former,
        seconds=None if seconds is None else round(seconds, 2),
        bytes_from_origin=said.bytes_from_origin,
        bytes_from_peers=said.bytes_from_peers,
        bytes_built=said.bytes_built,
        bytes_wasted=said.bytes_wasted,
        cpu_seconds=round(used, 2),
        memory_before_bytes=memory_before,
        memory_peak_bytes=peak_bytes(_pid(member)),
    )


def _processor(before: _Moment, after: _Moment) -> Processor:
    old, new = before.line, after.line
    written = new.down.written + new.up.written - old.down.written - old.up.written
    late = new.down.late + new.up.late - old.down.late - old.up.late
    return Processor(round(after.machine.busy_share_since(before.machine), 3), round(late / max(1, written), 4))


def _to_pcs(counters: LineCounters) -> int:
    return counters.down.classes[MANAGED].payload_bytes


def _pid(member: Member) -> int:
    assert member.process is not None
    return member.process.pid

"""Records of lab runs that never were: a full line, and business that is harmed a little."""

import dataclasses

from bench.lab.measures import Goodput, Page, VoipPacket
from bench.lab.queue_log import DirectionLog, Millisecond
from bench.lab.records import BusinessLogs, Footprint, Part, Processor, Record, Times, record_of
from bench.lab.scenario import OURS, Scenario
from bench.lab.scenarios import all_scenarios

QUIET = Processor(busy_share=0.3, late_share=0.001)
FILE = 2_500_000  # one second of the usual line
RIVAL = "curl"
START = 10_000
SHORT_SECONDS = 0.5


def full_line(start_ms: int, end_ms: int) -> DirectionLog:
    """Return 20 Mbit/s to managed PCs, and a queue of 2 ms."""
    record = Millisecond(5000, 20_000, (0, 0), (2500, 0), (2400, 0))
    return DirectionLog(list(range(start_ms, end_ms)), [record] * (end_ms - start_ms))


def made(
    scenario: Scenario, *, seconds: float = 1.1, processor: Processor = QUIET, ratio: float = 1.01, repeat: int = 1
) -> Record:
    """Return the record of a run in which every PC had the file after ``seconds``."""
    ours = scenario.method == OURS
    kept = 0.99 if ours else 0.4
    end = START + seconds * 1000
    points = [(0, 0), (START * 10**6, 10_000_000), (round(end * 1e6), 10_000_000 + round(1_000_000 * kept * seconds))]
    calls = [VoipPacket(float(at), at // 20, 20.0 if at < START else 25.0 if ours else 60.0)
             for at in range(5000, round(end), 20)]  # fmt: skip
    pages = [Page(float(at), 100.0 if at < START else 103.0) for at in range(9000, round(end) - 200, 100)]
    logs = BusinessLogs(Goodput(points), calls, pages)
    business = scenario.has_business
    wanted = range(1, scenario.endpoints * scenario.branches + 1)
    return record_of(
        scenario,
        Times(START, end, START if ours else None, end if business else None),
        down=full_line(START, round(end) + 1000),
        finished_ms=dict.fromkeys(wanted, end),
        wanted=wanted,
        payload_bytes=round(ratio * scenario.file_bytes * scenario.branches),
        origin_bytes=scenario.file_bytes,
        processor=processor,
        alone=[Part(5000, START, logs)] if business else [],
        beside=[Part(START, end, logs)] if business else [],
        uplink=full_line(START, round(end)) if scenario.uplink else None,
        footprint=Footprint(100_000_000, 80_000_000, 0.002) if scenario.footprint else None,
        hashing_seconds=0.1,
        harm_pauses=0 if ours else None,
        repeat=repeat,
    )


def shrunk(rivals: tuple[str, ...] = (RIVAL,)) -> list[Scenario]:
    """Return the whole matrix with files of half a second."""
    return [
        dataclasses.replace(each, file_bytes=round(each.line.down.rate_mbit * 1e6 / 8 * SHORT_SECONDS))
        for each in all_scenarios(rivals, "test")
    ]


def records_of_all(rivals: tuple[str, ...] = (RIVAL,)) -> list[Record]:
    """Return a record of each: ours takes 1.1 times what the line needs, the alternatives four times as much."""
    return [
        made(
            each,
            seconds=SHORT_SECONDS * (1.1 if each.method == OURS else 4.4),
            ratio=1.01 if each.method == OURS else 8.0,
        )
        for each in shrunk(rivals)
    ]

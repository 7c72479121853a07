"""Pairs and runs as the benchmark makes them."""

from typing import Any

import msgspec

from bench.delta.cases import Case, fingerprint
from bench.delta.pairs import pair_named
from bench.delta.records import DeltaRun, PairFacts, PcFigures
from bench.lab.records import Processor

QUIET = Processor(0.5, 0.0)
BUSY = Processor(0.95, 0.0)


def facts_of(pair: str, **changed: Any) -> PairFacts:
    named = pair_named(pair)
    facts = PairFacts(
        pair=pair,
        shipped_sha256=(named.former.sha256, named.new.sha256),
        stored_sha256=("a" * 64, "b" * 64),
        shipped_bytes=(10_000_000, 10_000_000),
        stored_bytes=(50_000_000, 50_000_000),
        limit_bytes=1_000_000,
        expected_bytes=1_150_000,
        left_alone="",
        publish_seconds=3.0,
        plain_seconds=2.0,
        stored_seconds=2.5,
        foretold_seconds=3.0,
    )
    return msgspec.structs.replace(facts, **changed)


def pc_of(**changed: Any) -> PcFigures:
    pc = PcFigures(
        had_former=True,
        seconds=2.0,
        bytes_from_origin=1_000_000,
        bytes_from_peers=0,
        bytes_built=49_000_000,
        bytes_wasted=0,
        cpu_seconds=5.0,
        memory_before_bytes=90_000_000,
        memory_peak_bytes=120_000_000,
    )
    return msgspec.structs.replace(pc, **changed)


def run_of(case: Case, **changed: Any) -> DeltaRun:
    run = DeltaRun(
        case=case,
        fingerprint=fingerprint(case),
        version="0.3",
        revision="abc",
        measured_at=1.0,
        payload_bytes=50_000_000,
        former_bytes=50_000_000,
        publish_seconds=3.0,
        seconds=2.0,
        line_bytes=1_200_000,
        sent_bytes=1_100_000,
        pcs=[pc_of() for _ in range(case.pcs)],
        processor=QUIET,
    )
    return msgspec.structs.replace(run, **changed)

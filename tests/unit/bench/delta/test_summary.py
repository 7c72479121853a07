import pytest

from bench.delta.cases import BESIDE_BUSINESS, DEEP, LARGE, MIDDLE, ONE_DECODES, ONE_DOES_NOT, SMALL, Case, whole
from bench.delta.pairs import PAIRS
from bench.delta.records import DeltaRun, PairFacts
from bench.delta.summary import VOID, summary
from bench.lab.records import Business, Delay, Pages
from bench.summary_rows import SummaryRow
from tests.helpers.delta_runs import BUSY, facts_of, pc_of, run_of

EVERY_PAIR = [facts_of(pair.name) for pair in PAIRS]


def row_of(words: str, pairs: list[PairFacts], runs: list[DeltaRun]) -> SummaryRow:
    found = [row for row in summary(pairs, runs) if words in row.metric]
    assert len(found) == 1, words
    return found[0]


def test_nothing_measured_is_nothing_met_but_the_map_that_is_not_there() -> None:
    rows = summary([], [])
    assert len(rows) == 13
    assert [(row.metric, row.met) for row in rows if row.met is not None] == [("chunk map ÷ file", True)]
    assert {row.measured for row in rows if row.met is None} == {None}


@pytest.mark.parametrize(("count", "met"), [(1_500_000, True), (1_500_001, False)])
def test_the_median_of_all_pairs_against_the_best_patch(count: int, met: bool) -> None:
    runs = [run_of(Case(pair.name), line_bytes=count) for pair in PAIRS]
    row = row_of("--patch-from of the stored pair, median", EVERY_PAIR, runs)
    assert (row.met, row.measured) == (met, "1.5; pieces alone 1.1; 16 pairs")


def test_few_pairs_do_not_meet_the_target() -> None:
    row = row_of("stored pair, median", EVERY_PAIR, [run_of(Case(pair.name)) for pair in PAIRS[:11]])
    assert row.met is None
    assert row.measured == "1.2; pieces alone 1.1; 11 pairs"
    assert row_of("stored pair, median", EVERY_PAIR, [run_of(Case(pair.name)) for pair in PAIRS[:12]]).met is True


def test_the_worst_pair_is_named_with_its_bytes() -> None:
    runs = [run_of(Case("numpy")), run_of(Case("libssl3"), line_bytes=3_100_000, sent_bytes=2_900_000)]
    row = row_of("stored pair, worst", EVERY_PAIR, runs)
    assert row.met is False
    words = "3.1: libssl3, 3,100 kB of 50.0 MB, where 1,000 kB are the least; pieces alone 2.9"
    assert row.measured == f"{words}; the worst of the others 1.2"
    assert row_of("stored pair, worst", EVERY_PAIR, runs[1:]).measured == words


def test_a_pair_whose_best_patch_is_not_computed_yet_counts_for_the_others() -> None:
    pairs = [facts_of("numpy", limit_bytes=None), facts_of("libssl3")]
    runs = [run_of(Case("numpy"), line_bytes=9_000_000), run_of(Case("libssl3"))]
    assert row_of("stored pair, worst", pairs, runs).measured.startswith("1.2: libssl3")  # type: ignore[union-attr]
    assert row_of("shipped, compressed file, median", pairs, runs).measured == "0.51; 2 pairs"


def test_against_the_shipped_file_with_and_without_a_former_version() -> None:
    runs = [run_of(Case("numpy"), line_bytes=3_500_000), run_of(Case(SMALL, 0), line_bytes=10_000_001)]
    row = row_of("shipped, compressed file, median", EVERY_PAIR, runs)
    assert (row.met, row.measured) == (True, "0.35; 1 pairs")
    row = row_of("without a former version", EVERY_PAIR, runs)
    assert (row.met, row.measured) == (False, f"1; at most 1, {SMALL}; 1 pairs")


def test_a_run_that_did_not_finish_shows_nothing() -> None:
    assert row_of("stored pair, worst", EVERY_PAIR, [run_of(Case("numpy"), seconds=None)]).measured is None


def test_one_of_eight_against_all() -> None:
    runs = [run_of(Case(name, holders), line_bytes=1_000_000 + 150_000 * (holders == 1)) for name in DEEP[:2] for holders in (1, 8)]  # fmt: skip  # noqa: E501
    row = row_of("one of 8", EVERY_PAIR, runs)
    assert (row.met, row.measured) == (False, f"1.15 ({SMALL} 1.15, {MIDDLE} 1.15)")


def test_time_against_the_whole_file() -> None:
    runs = [run_of(Case(name), seconds=taken) for name, taken in zip(DEEP, (1.0, 5.0, 9.0), strict=True)]
    runs += [run_of(whole(name), seconds=10.0) for name in DEEP]
    row = row_of("time from publishing", EVERY_PAIR, runs)
    assert (row.met, row.measured) == (True, f"0.5; at most 0.9, {LARGE}; 3 pairs")


def test_a_whole_file_that_the_processor_held_up_is_no_reference() -> None:
    coded, slow = run_of(Case(SMALL)), run_of(whole(SMALL), seconds=10.0, processor=BUSY)
    row = row_of("time from publishing", EVERY_PAIR, [coded, slow])
    assert (row.met, row.measured) == (None, VOID)
    good = [run_of(Case(MIDDLE), seconds=4.0, processor=BUSY), run_of(whole(MIDDLE), seconds=10.0)]
    row = row_of("time from publishing", EVERY_PAIR, [coded, slow, *good])
    assert row.measured == f"0.4; at most 0.4, {MIDDLE}; 1 pairs; the processor was the limit of 1 of them; 1 void"


def test_what_decoding_takes_of_a_pc() -> None:
    runs = [
        run_of(ONE_DECODES, pcs=[pc_of(cpu_seconds=6.0, memory_peak_bytes=150_000_000)]),
        run_of(ONE_DOES_NOT, pcs=[pc_of(cpu_seconds=4.4, memory_peak_bytes=119_000_000)]),
    ]
    row = row_of("processor time of a PC", EVERY_PAIR, runs)
    assert (row.met, row.measured) == (False, "3.2 s (in all 6.0 and 4.4 s for 50 MB)")
    row = row_of("memory of a PC", EVERY_PAIR, runs)
    assert (row.met, row.measured) == (False, "31 MB (at most 150 and 119 MB)")


def test_publishing_against_what_it_was_before() -> None:
    pairs = [facts_of("libssl3"), facts_of("numpy", publish_seconds=4.2), facts_of("botocore")]
    row = row_of("publish --repack", pairs[1:], [])
    assert (row.met, row.measured) == (True, "1.8; at most 2.1, numpy; 2 pairs")
    assert row_of("publish --repack", pairs[1:2], []).met is False
    row = row_of("publishing with a former version", pairs, [])
    assert (row.met, row.measured) == (True, "1.2; at most 1.2, libssl3; 3 pairs")


def test_harm_beside_business() -> None:
    alone = Business(20.0, None, Delay(1_000, 0, 20.0, 21.0), Pages(100, 200.0, 300.0))
    beside = Business(15.0, None, Delay(700, 0, 20.0, 29.0), Pages(70, 211.0, 300.0))
    run = run_of(BESIDE_BUSINESS, alone=alone, beside=beside)
    call, page = row_of("call, p95 added", EVERY_PAIR, [run]), row_of("median web page", EVERY_PAIR, [run])
    assert (call.met, call.measured) == (True, "8 ms in 15 s")
    assert (page.met, page.measured) == (False, "5.5 % in 15 s")
    busy = run_of(BESIDE_BUSINESS, alone=alone, beside=beside, processor=BUSY)
    assert row_of("call, p95 added", EVERY_PAIR, [busy]).met is None

import dataclasses

import msgspec
import pytest

from bench.lab import scenarios as names
from bench.lab.measures import Goodput, Page, VoipPacket
from bench.lab.processor import machine_time
from bench.lab.queue_log import DirectionLog, Millisecond
from bench.lab.records import BusinessLogs, Footprint, Processor, Record, Times, longest_stall_seconds, record_of
from bench.lab.report import page_text, picture, picture_name, read_results, results_of, write_page, write_results
from bench.lab.rivals import RIVALS
from bench.lab.scenarios import OURS, USUAL, Scenario, all_scenarios
from bench.lab.summary import SummaryRow, find, kept_percent, summary

QUIET = Processor(busy_share=0.3, late_share=0.001)
FILE = 2_500_000  # one second of the usual line
RIVAL = "curl"


def full_line(start_ms: int, end_ms: int) -> DirectionLog:
    """20 Mbit/s to managed PCs, and a queue of 2 ms."""
    record = Millisecond(5000, 20_000, (0, 0), (2500, 0), (2400, 0))
    return DirectionLog(list(range(start_ms, end_ms)), [record] * (end_ms - start_ms))


def made(scenario: Scenario, *, seconds: float = 1.1, processor: Processor = QUIET, ratio: float = 1.01) -> Record:
    start = 10_000
    kept = 0.99 if scenario.method == OURS else 0.4
    end = start + seconds * 1000
    business = bool(scenario.business)
    points = [(0, 0), (10_000 * 10**6, 10_000_000), (round(end * 1e6), 10_000_000 + round(1_000_000 * kept * seconds))]
    calls = [VoipPacket(float(at), at // 20, 20.0 if at < start else 25.0) for at in range(5000, round(end), 20)]
    pages = [Page(float(at), 100.0 if at < start else 103.0) for at in range(9000, round(end) - 200, 100)]
    return record_of(
        scenario,
        Times(start, end, 5000 if business else None, end if business else None),
        BusinessLogs(Goodput(points), calls, pages) if business else BusinessLogs(),
        down=full_line(start, round(end) + 1000),
        finished_ms=dict.fromkeys(range(1, scenario.endpoints * scenario.branches + 1), end),
        wanted=range(1, scenario.endpoints * scenario.branches + 1),
        payload_bytes=round(ratio * scenario.file_bytes * scenario.branches),
        origin_bytes=scenario.file_bytes,
        processor=processor,
        uplink=full_line(start, round(end)) if scenario.uplink else None,
        footprint=Footprint(100_000_000, 80_000_000, 0.002) if scenario.footprint else None,
    )


@pytest.fixture
def records() -> list[Record]:
    return [made(each, seconds=each.file_bytes * 8.8 / (each.line.down.rate_mbit * 1e6)) for each in shrunk()]


def shrunk() -> list[Scenario]:
    """The whole matrix with ours and one rival."""
    return [dataclasses.replace(each, file_bytes=FILE) for each in all_scenarios((RIVAL,))]


def test_a_record_of_an_idle_line() -> None:
    record = made(Scenario(names.IDLE_LINE, USUAL, FILE))
    assert record.finished
    assert record.seconds == pytest.approx(1.1)
    assert record.time_ratio == pytest.approx(1.1)
    assert record.wan_ratio == pytest.approx(1.01)
    assert record.use == pytest.approx(1.0)
    assert record.queue_p95_ms == 2.0
    assert record.longest_stall_seconds == 0
    assert record.alone is None
    assert record.regained_seconds is None


def test_one_pc_without_the_file_is_not_finished() -> None:
    scenario = Scenario("x", USUAL, FILE, endpoints=2)
    record = record_of(
        scenario, Times(0, 1000), BusinessLogs(), down=DirectionLog(), finished_ms={1: 500.0}, wanted=[1, 2],
        payload_bytes=0, origin_bytes=None, processor=QUIET,
    )  # fmt: skip
    assert (record.finished, record.seconds, record.time_ratio) == (False, None, None)
    assert record.longest_stall_seconds == 1.0


def test_business_is_compared_with_itself_alone() -> None:
    record = made(Scenario(names.BESIDE_CUBIC, USUAL, FILE, business=("cubic", "voip")))
    assert record.alone is not None
    assert record.alone.download_mbit == pytest.approx(8.0)
    assert kept_percent(record) == pytest.approx(99, abs=0.2)


def test_a_stall_is_the_longest_stretch() -> None:
    assert longest_stall_seconds([0, 0, 5, 0, 5], 1.0, 100) == pytest.approx(0.2)
    assert longest_stall_seconds([], 1.0, 100) == 0


@pytest.mark.parametrize("processor", [Processor(0.95, 0.0), Processor(0.1, 0.05)])
def test_a_run_that_the_processor_limited_is_void(processor: Processor) -> None:
    record = made(Scenario(names.IDLE_LINE, USUAL, FILE), processor=processor)
    assert record.processor_was_the_limit
    (row,) = [row for row in summary([record], []) if row.metric == "WAN bytes ÷ file, one branch"]
    assert row == SummaryRow("WAN bytes ÷ file, one branch", "≤ 1.02", "void: the processor was the limit", None)


def test_every_target_has_a_scenario_and_a_row(records: list[Record]) -> None:
    rows = summary(records, [RIVAL])
    assert [row.metric for row in rows if row.measured is None] == []
    assert len({row.metric for row in rows}) == len(rows)
    by_metric = {row.metric: row for row in rows}
    assert by_metric["WAN bytes ÷ file, one branch"] == SummaryRow(
        "WAN bytes ÷ file, one branch", "≤ 1.02", "1.01", met=True
    )
    assert by_metric["daemon idle: memory"].measured == "80 MB"
    assert by_metric["ahead of every alternative in WAN bytes, harm and time at once"].met is False, "as fast as it"


def test_what_was_not_run_is_neither_met_nor_failed() -> None:
    assert {(row.measured, row.met) for row in summary([], list(RIVALS))} == {(None, None)}


def test_no_two_scenarios_have_the_same_key() -> None:
    keys = [each.key for each in all_scenarios(tuple(RIVALS))]
    assert len(set(keys)) == len(keys)


def test_the_last_run_of_a_scenario_counts() -> None:
    first, last = (made(Scenario(names.IDLE_LINE, USUAL, FILE), seconds=seconds) for seconds in (1.5, 1.1))
    assert find([first, last], names.IDLE_LINE) is last
    assert find([first], names.IDLE_LINE, RIVAL) is None


def test_results_are_read_as_they_were_written(records, tmp_path) -> None:
    path = tmp_path / "lab.json"
    results = results_of(records)
    write_results(results, path)
    assert read_results(path) == results
    assert set(msgspec.json.decode(path.read_bytes())["summary"][0]) == {"metric", "target", "measured", "met"}


def test_the_page_has_the_tables_between_its_marks(records, tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- lab:begin -->\nold\n<!-- lab:end -->\nafter\n")
    results = results_of(records)
    write_page(results, page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("<!-- lab:end -->\nafter\n")
    assert "old" not in text
    assert page_text(results) in text
    assert "| curl |" in text


def test_a_picture_has_a_chart_for_each_way(records) -> None:
    drawn = picture(names.IDLE_LINE, records)
    assert drawn.startswith("<svg")
    assert OURS in drawn
    assert RIVAL in drawn
    assert picture_name("beside a CUBIC download") == "lab-beside-a-cubic-download.svg"


def test_busy_is_what_is_neither_idle_nor_waiting_for_a_disk() -> None:
    before = machine_time("cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 …")
    after = machine_time("cpu  150 0 150 890 10 0 0 0 50 0\ncpu0 …")
    assert after.busy_share_since(before) == pytest.approx(0.5)
    assert before.busy_share_since(before) == 0

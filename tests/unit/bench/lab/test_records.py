import pytest

from bench.lab.figures import kept_percent
from bench.lab.measures import Goodput, Page, VoipPacket
from bench.lab.queue_log import DirectionLog, Millisecond
from bench.lab.records import BusinessLogs, Part, Processor, Times, business_of, longest_stall_seconds, record_of
from bench.lab.scenario import Scenario
from bench.lab.usual_lines import BESIDE_CUBIC, IDLE_LINE, USUAL
from tests.helpers.lab_records import FILE, QUIET, full_line, made


def test_a_record_of_an_idle_line() -> None:
    record = made(Scenario(IDLE_LINE, USUAL, FILE))
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
        scenario, Times(0, 1000), down=DirectionLog(), finished_ms={1: 500.0}, wanted=[1, 2],
        payload_bytes=0, origin_bytes=None, processor=QUIET,
    )  # fmt: skip
    assert (record.finished, record.seconds, record.time_ratio) == (False, None, None)
    assert record.longest_stall_seconds == 1.0


def test_business_is_compared_with_itself_alone() -> None:
    record = made(Scenario(BESIDE_CUBIC, USUAL, FILE, business=("cubic", "voip")))
    assert record.alone is not None
    assert record.alone.download_mbit == pytest.approx(8.0)
    assert kept_percent(record) == pytest.approx(99, abs=0.2)


def test_a_stall_is_the_longest_stretch() -> None:
    assert longest_stall_seconds([0, 0, 5, 0, 5], 1.0, 100) == pytest.approx(0.2)
    assert longest_stall_seconds([], 1.0, 100) == 0


@pytest.mark.parametrize("processor", [Processor(0.95, 0.0), Processor(0.1, 0.05)])
def test_a_run_that_the_processor_limited_is_void(processor: Processor) -> None:
    assert made(Scenario(IDLE_LINE, USUAL, FILE), processor=processor).processor_was_the_limit


def test_where_the_processor_is_busy_on_purpose_only_a_late_line_is_void() -> None:
    busy = Scenario(IDLE_LINE, USUAL, FILE, busy_processors=True)
    assert not made(busy, processor=Processor(1.0, 0.0)).processor_was_the_limit
    assert made(busy, processor=Processor(1.0, 0.05)).processor_was_the_limit


def test_a_figure_is_of_the_first_stretch_that_has_it() -> None:
    call = Part(0, 1000, BusinessLogs(call=[VoipPacket(10.0, 1, 20.0)]))
    download = Part(1000, 3000, BusinessLogs(download=Goodput([(0, 0), (3 * 10**9, 3_000_000)])))
    never = Part(9000, 5000, BusinessLogs(pages=[Page(0.0, 1.0)]))
    both = business_of([call, download, never])
    assert both is not None
    assert both.seconds == 3
    assert both.download_mbit == pytest.approx(8.0)
    assert both.call is not None
    assert both.pages is None
    assert business_of([never]) is None


def test_beside_late_business_a_file_took_what_it_carried_at_the_lines_rate() -> None:
    """2 s beside business with half of the line are a second of the line."""
    half = Millisecond(0, 20_000, (0, 0), (1250, 1250), (1200, 1200))
    log = full_line(10_000, 14_000)
    log.milliseconds[1000:3000] = [half] * 2000
    scenario = Scenario("x", USUAL, FILE, endpoints=1, late=("cubic",))
    times = Times(10_000, 13_500, 10_000, late=(11_000, 13_000))
    record = record_of(
        scenario, times, down=log, finished_ms={1: 13_500.0}, wanted=[1], payload_bytes=0, origin_bytes=0,
        processor=QUIET,
    )  # fmt: skip
    assert record.seconds == pytest.approx(3.5)
    assert record.line_seconds == pytest.approx(2.5)


def test_a_file_begins_with_its_bulk_and_ends_with_the_proof() -> None:
    tell = Millisecond(0, 20_000, (0, 0), (1500, 0), (1448, 0))
    log = DirectionLog([10_000, *range(10_400, 11_400)], [tell, *full_line(0, 1000).milliseconds])
    record = record_of(
        Scenario("x", USUAL, FILE, endpoints=1), Times(9_900, 11_700, 10_000), down=log, finished_ms={1: 11_700.0},
        wanted=[1], payload_bytes=0, origin_bytes=0, processor=QUIET, hashing_seconds=0.1,
    )  # fmt: skip
    assert record.first_byte_seconds == pytest.approx(0.4), "the packet that tells of it is not the file"
    assert record.after_last_byte_seconds == pytest.approx(0.301)
    rival = made(Scenario("x", USUAL, FILE, method="curl"))
    assert (rival.first_byte_seconds, rival.after_last_byte_seconds) == (None, None)

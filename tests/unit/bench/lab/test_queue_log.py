import struct
from pathlib import Path

import pytest

from bench.lab.queue_log import BUSINESS, MANAGED, QueueLog, read_log

IDLE = (0,) * 8


def record(at_ms: int, *down: int) -> bytes:
    return struct.pack("<Q16I", at_ms, *(down or IDLE), *IDLE)


@pytest.fixture
def log(tmp_path: Path) -> QueueLog:
    path = tmp_path / "line.log"
    busy = [
        record(100, 2500, 20_000, 10, 20, 1000, 1500, 960, 1448),
        record(101, 5000, 20_000, 0, 0, 0, 1500, 0, 1448),
        record(150, 250_000, 20_000, 0, 0, 1500, 0, 1448, 0),
    ]
    path.write_bytes(b"".join(busy) + b"cut off")
    return read_log(path)


def test_a_record_that_was_cut_off_is_left_out(log: QueueLog) -> None:
    assert log.down.at_ms == log.up.at_ms == [100, 101, 150]


def test_the_queue_in_milliseconds_at_the_lines_rate(log: QueueLog) -> None:
    assert [each.queue_ms for each in log.down.milliseconds] == [1.0, 2.0, 100.0]
    assert [each.queue_ms for each in log.up.milliseconds] == [0.0, 0.0, 0.0]
    assert log.down.seconds_above(1.5, 0, 1000) == 0.002


def test_milliseconds_without_a_record_have_no_queue(log: QueueLog) -> None:
    assert log.down.queue_percentile_ms(0.5, 100, 200) == 0
    assert log.down.queue_percentile_ms(1.0, 100, 200) == 100
    assert log.down.queue_percentile_ms(0.98, 100, 200) == 1.0
    assert log.down.queue_percentile_ms(0.95, 500, 600) == 0


def test_bytes_and_series_by_class(log: QueueLog) -> None:
    assert log.down.sent_bytes(100, 200) == 5500
    assert log.down.sent_bytes(100, 150, [MANAGED]) == 1000
    assert log.down.sent_bytes(100, 200, [BUSINESS]) == 3000
    assert log.down.rate_series(100, 200, 50) == [0.64, 0.24]
    assert log.down.queue_series(100, 200, 50) == [2.0, 100.0]


def test_the_last_step_is_as_long_as_it_is(log: QueueLog) -> None:
    whole = log.down.sent_bytes(100, 170)
    assert log.down.rate_series(100, 170, 50) == [pytest.approx(whole * 8 / 70_000)]
    assert log.down.rate_series(100, 190, 50)[1] == pytest.approx(log.down.sent_bytes(150, 190) * 8 / 40_000)
    assert log.down.rate_series(100, 100, 50) == [0.0]

"""`seed_server.web.request_log`: a line a minute for each reason and address."""

import pytest
from structlog.testing import capture_logs

from seed_server.web.client import Client
from seed_server.web.request_log import RequestLog
from tests.helpers.fake_clock import FakeClock


def client(address: str) -> Client:
    return Client(address, 1, None, lambda: None)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_flood_is_one_line_and_the_next_says_how_many_more(clock: FakeClock) -> None:
    log = RequestLog(clock)
    with capture_logs() as lines:
        for _ in range(1_000):
            log.refused(client("10.0.0.1"), "/v1/enrol", "no such token")
        log.refused(client("10.0.0.2"), "/v1/enrol", "no such token")
        clock.wall += 61.0
        log.refused(client("10.0.0.1"), "/v1/enrol", "no such token")
    assert [(line["address"], line.get("left_out")) for line in lines] == [
        ("10.0.0.1", None),
        ("10.0.0.2", None),
        ("10.0.0.1", 999),
    ]


def test_our_own_faults_are_counted_apart_and_bugs_have_a_trace(clock: FakeClock) -> None:
    log = RequestLog(clock)
    with capture_logs() as lines:
        log.refused(client("10.0.0.1"), "/v1/enrol", "no such token")
        log.failed(client("10.0.0.1"), "/v1/enrol", OSError(), reason="the disk is full")
        log.failed(client("10.0.0.1"), "/v1/enrol", OSError(), reason="the disk is full")
        log.failed(client("10.0.0.2"), "/" + "x" * 9_999, RuntimeError())
    assert [line["log_level"] for line in lines] == ["warning", "error", "error"]
    assert isinstance(lines[2]["exc_info"], RuntimeError)
    assert len(lines[2]["path"]) < 300

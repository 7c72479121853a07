"""`seed_server.line.other_traffic`: a rate that follows what is sent, and forgets."""

import pytest

from seed_server.line.other_traffic import OtherTraffic


def test_a_steady_stream_is_its_rate() -> None:
    traffic = OtherTraffic()
    for n in range(1_000):
        traffic.sent(100, n * 0.01)
    assert traffic.rate(9.99) == pytest.approx(10_000, rel=0.02)
    assert traffic.total_bytes == 100_000


def test_silence_is_forgotten() -> None:
    traffic = OtherTraffic()
    traffic.sent(1_000_000, 0.0)
    assert traffic.rate(10.0) < 100
    assert traffic.rate(0.0) == 1_000_000
    assert OtherTraffic().rate(5.0) == 0.0

"""`p2pdist.pc.system` on this PC."""

from p2pdist.pc import system


def test_the_processors_time_goes_on() -> None:
    busy, total = system.processor_seconds()
    assert 0 <= busy <= total
    sum(range(2_000_000))
    again = system.processor_seconds()
    assert again[1] > total
    assert again[0] >= busy

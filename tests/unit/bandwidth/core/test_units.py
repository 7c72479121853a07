import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.core.units import BytesPerSecond, line_share, packet_bytes

lines = st.floats(min_value=1e-9, max_value=1e6)
shares = st.floats(min_value=1e-9, max_value=1.0)


def test_a_whole_line_of_8_mbit_is_a_million_bytes_per_second() -> None:
    assert line_share(8, 1) == 1_000_000


@given(lines, shares)
def test_never_stopped_and_never_above_the_share(line_mbit: float, share: float) -> None:
    rate = line_share(line_mbit, share)
    assert rate >= 1
    assert rate <= max(1, line_mbit * 1_000_000 / 8 * share)


@given(lines, shares, shares)
def test_a_larger_share_is_never_slower(line_mbit: float, one: float, other: float) -> None:
    assert line_share(line_mbit, min(one, other)) <= line_share(line_mbit, max(one, other))


@pytest.mark.parametrize("line_mbit", [0, -1, float("-inf"), float("inf"), float("nan")])
def test_a_line_without_a_rate_is_refused(line_mbit: float) -> None:
    with pytest.raises(ValueError, match="not a positive number"):
        line_share(line_mbit, 0.5)


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="not above 0"):
        line_share(20, share)


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (None, 1_500),
        (0, 576),
        (143_999, 576),  # 4 ms of it are 575.996 bytes: no smaller than what every host takes
        (144_250, 577),
        (250_000, 1_000),  # 2 Mbit/s
        (374_999, 1_499),
        (375_000, 1_500),  # 3 Mbit/s: from here on full packets
        (125_000_000, 1_500),
    ],
)
def test_a_packet_takes_four_milliseconds_of_a_slow_line(line: int | None, size: int) -> None:
    assert packet_bytes(None if line is None else BytesPerSecond(line)) == size


@given(st.integers(0, 10**10), st.integers(0, 10**10))
def test_a_faster_line_never_gets_smaller_packets(one: int, other: int) -> None:
    assert packet_bytes(BytesPerSecond(min(one, other))) <= packet_bytes(BytesPerSecond(max(one, other)))

"""`bandwidth.core.quantities`: what people read, and what they may write."""

import pytest

from bandwidth.core.quantities import (
    QuantityError,
    age_text,
    bytes_text,
    clock_text,
    duration_in_words,
    duration_text,
    parse_duration,
    parse_rate,
    rate_text,
)
from bandwidth.core.units import LARGEST_LINE


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.96, "1.0 kB"),
        (1_000, "1.0 kB"),
        (960_000, "960.0 kB"),
        (999_940, "999.9 kB"),
        (999_960, "1.0 MB"),
        (12_345_678, "12.3 MB"),
        (5e9, "5.0 GB"),
        (2_500e12, "2500.0 TB"),
        (-1_500, "-1.5 kB"),
    ],
)
def test_bytes_are_in_powers_of_a_thousand(count: float, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0.0 s"),
        (4.21, "4.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 m 00 s"),
        (200, "3 m 20 s"),
        (3_599.6, "1 h 00 m"),
        (7_500, "2 h 05 m"),
        (172_799, "47 h 59 m"),
        (172_800, "2 d"),
        (300_000, "3 d"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 minutes"), (5_400, "90 minutes"), (7_200, "2 hours"), (144_000, "40 hours"), (432_000, "5 days")],
)
def test_durations_in_a_sentence_are_rough(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 m"), (999.9, "16 m"), (3_599, "59 m"), (3_600, "1 h"), (172_799, "47 h"), (172_800, "2 d")],
)
def test_an_age_has_one_unit(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1_800), ("4h", 14_400), ("7d", 604_800)])
def test_durations_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "4", "h", "4 h", "-4h", "1.5h", "4w", "²h", "4h ", "4h5m", "9" * 10 + "s"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="is not a duration such as"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0, "0 bit/s"),
        (10, "80 bit/s"),
        (12_500, "100 kbit/s"),
        (124_950, "1 Mbit/s"),
        (265_123, "2.12 Mbit/s"),
        (124_995_000, "1 Gbit/s"),
        (LARGEST_LINE, "1000 Gbit/s"),
    ],
)
def test_rates_are_in_bits_to_three_digits(rate: float, text: str) -> None:
    assert rate_text(rate) == text


@pytest.mark.parametrize(
    ("text", "rate"),
    [("20 Mbit/s", 2_500_000), ("1.5 MB/s", 1_500_000), ("15 bit/s", 1), ("1000 Gbit/s", LARGEST_LINE)],
)
def test_rates_are_read_and_rounded_down(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("20", "write a number and its unit"),
        ("20 MBit/s", "the nearest is 'Mbit/s'"),
        ("7 bit/s", "is not from 1 B/s to 1000 Gbit/s"),
        ("1001 Gbit/s", "is not from 1 B/s to 1000 Gbit/s"),
    ],
)
def test_other_rates_are_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(QuantityError, match=words):
        parse_rate(text)


def test_minutes_of_the_day() -> None:
    assert [clock_text(minute) for minute in (0, 510, 1_440)] == ["00:00", "08:30", "24:00"]

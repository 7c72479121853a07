"""`p2pdist.shared.manifest.windows`: windows as people write them."""

import pytest

from p2pdist.shared.manifest.windows import InvalidWindowError, parse_window


@pytest.mark.parametrize(
    ("text", "days", "start_minute", "minutes"),
    [
        ("mon-fri 22:00-05:00", {0, 1, 2, 3, 4}, 1_320, 420),
        ("22:00-05:00", set(range(7)), 1_320, 420),
        ("sat,sun 00:00-24:00", {5, 6}, 0, 1_440),
        ("fri-mon 08:00-08:00", {4, 5, 6, 0}, 480, 1_440),
        ("sun 23:59-24:00", {6}, 1_439, 1),
        ("mon,wed-thu 00:00-00:01", {0, 2, 3}, 0, 1),
    ],
)
def test_windows(text: str, days: set[int], start_minute: int, minutes: int) -> None:
    window = parse_window(text)
    assert (set(window.days), window.start_minute, window.minutes) == (days, start_minute, minutes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no window"),
        ("mon 9:00-10:00", "is no window"),
        ("mon 25:00-26:00", "no time of the day"),
        ("mon 24:00-02:00", "opens at 24:00"),
        ("mo 09:00-10:00", "no day 'mo'"),
        ("mon 09:60-10:00", "no time of the day"),
        ("x" * 100, "is no window"),
    ],
)
def test_what_is_none(text: str, message: str) -> None:
    with pytest.raises(InvalidWindowError, match=message):
        parse_window(text)

"""`seed_server.web.frame.locale_text`: figures as the reader's language writes them."""

import pytest

from seed_server.web.frame.locale_text import (
    age_text,
    bytes_text,
    day_text,
    mbit_text,
    moment_code,
    moment_text,
    number_text,
    percent_text,
)

MOMENT = 1_764_612_000.0  # 2025-12-01 18:00 UTC


def test_moments_have_day_hour_and_zone() -> None:
    assert moment_text(MOMENT, "en").startswith("1 Dec 2025, 18:00 ")
    assert moment_text(MOMENT, "ja").startswith("2025/12/01 18:00 ")
    assert moment_text(MOMENT, "en").split()[-1].isalpha()
    assert (day_text(MOMENT, "en"), day_text(MOMENT, "ja")) == ("1 Dec 2025", "2025/12/01")
    assert moment_code(MOMENT) == "2025-12-01T18:00:00Z"


@pytest.mark.parametrize("broken", [-5.0, 1e18, float("inf"), float("nan")])
def test_a_broken_clock_breaks_no_page(broken: float) -> None:
    assert moment_text(broken, "en")
    assert moment_code(broken)
    assert age_text(broken, "ja")


@pytest.mark.parametrize(
    ("seconds", "english", "japanese"),
    [
        (0.0, "1 sec ago", "1 秒前"),
        (59.9, "59 sec ago", "59 秒前"),
        (60.0, "1 min ago", "1 分前"),
        (3_599.0, "59 min ago", "59 分前"),
        (7_200.0, "2 hr ago", "2 時間前"),
        (172_799.0, "47 hr ago", "47 時間前"),
        (172_800.0, "2 days ago", "2 日前"),
        (-3_700.0, "in 1 hr", "1 時間後"),
    ],
)
def test_ages_have_one_unit_and_are_rounded_down(seconds: float, english: str, japanese: str) -> None:
    assert age_text(seconds, "en") == english
    assert age_text(seconds, "ja") == japanese


def test_numbers_and_shares() -> None:
    assert number_text(1_234_567, "en") == "1,234,567"
    assert number_text(12.34, "ja") == "12.3"
    assert percent_text(0.9999, "en") == "99.9%"
    assert percent_text(1.0, "ja") == "100%"
    assert percent_text(0.29, "en") == "29%"


def test_bytes_and_rates() -> None:
    assert bytes_text(999, "en") == "999 B"
    assert bytes_text(1_500_000, "en") == "1.5 MB"
    assert bytes_text(999_999_999, "en") == "1 GB"
    assert bytes_text(2e15, "en") == "2,000 TB"
    assert mbit_text(125_000, "en") == "1 Mbit/s"
    assert mbit_text(1_543_210, "en") == "12.3 Mbit/s"
    assert mbit_text(125e6, "en") == "1,000 Mbit/s"

import math

import pytest

from bandwidth.commands.simulator_views import TABLE_ROWS, rows_every
from bandwidth.simulator.figures import _in_words, _worst, added_ms, ms

NEVER = math.inf


@pytest.mark.parametrize(
    ("seconds", "cell", "words"),
    [
        ((0.25, 0.1), "250", "250 ms"),
        ((0.25, NEVER), "250+", "250 ms (1 of 2 not at all)"),
        ((NEVER, NEVER), "never", "never"),
    ],
)
def test_what_did_not_happen_is_never_hidden(seconds: tuple[float, ...], cell: str, words: str) -> None:
    assert _worst(seconds, 1_000, 0, missed="+") == cell
    assert _in_words(seconds, 1_000, 0, "ms") == words


def test_there_were_no_downloads() -> None:
    assert _worst((), 1_000, 0, missed="+") == "–"


def test_milliseconds() -> None:
    assert [ms(0.0123), ms(0.25)] == ["12.3", "250"]
    assert [added_ms(-0.00001), added_ms(0.0031), added_ms(-0.2)] == ["+0.0", "+3.1", "-200"]


@pytest.mark.parametrize("seconds", [20, 60, 61, 600])
def test_a_run_fits_a_screen(seconds: int) -> None:
    assert TABLE_ROWS / 3 <= seconds / rows_every(seconds) <= TABLE_ROWS

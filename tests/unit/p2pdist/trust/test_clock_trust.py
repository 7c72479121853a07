"""`p2pdist.trust.clock_trust`: whose word a PC's clock is measured by, and what makes no clock wrong."""

from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs

from p2pdist.trust.clock_trust import (
    CLOCK_TOLERANCE_SECONDS,
    SERVER_DIFFERENCE_SECONDS,
    UNCONFIRMED_CLOCK_SECONDS,
    ClockTrust,
)

NOW = 1_795_000_000.0
HOUR, DAY, YEAR = 3_600.0, 86_400.0, 365 * 86_400.0


@dataclass
class TwoClocks:
    """The clock that is set, and the one that only grows."""

    wall: float = NOW
    steady: float = 0.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def clock() -> TwoClocks:
    return TwoClocks()


@pytest.fixture
def trust(clock: TwoClocks) -> ClockTrust:
    made = ClockTrust(clock)
    made.metadata_says(NOW - DAY, NOW + 6 * DAY)
    return made


def test_a_clock_that_fits_everything_is_believed(clock: TwoClocks, trust: ClockTrust) -> None:
    trust.server_says(NOW + 2.0)
    assert trust.problem == ""
    clock.pass_time(30 * DAY)
    assert trust.problem == "", "the server may be away for a month"


def test_a_clock_behind_what_was_signed_is_wrong(clock: TwoClocks, trust: ClockTrust) -> None:
    clock.wall = NOW - DAY - CLOCK_TOLERANCE_SECONDS
    assert trust.problem == "", "a time service sets it by that much"
    clock.wall = 946_684_800.0
    assert trust.problem == (
        "This PC's clock cannot be believed: it shows 2000-01-01 00:00 UTC, "
        "and the seed server signed something later, at 2026-11-17 11:06 UTC. "
        "Until it is set, no maintenance window opens and no deadline counts. "
        "Set it, and look at this PC's time service."
    )
    clock.wall = NOW
    assert trust.problem == ""


def test_what_has_passed_never_sinks(clock: TwoClocks, trust: ClockTrust) -> None:
    trust.metadata_says(0.0, 0.0)
    clock.wall = NOW - 2 * DAY
    assert trust.problem


@pytest.mark.parametrize(
    ("off", "words"), [(YEAR, "365 days ahead of"), (-9 * HOUR, "9 hours behind"), (15 * 60, "15")]
)
def test_a_clock_that_differs_from_the_server_s_is_wrong(
    clock: TwoClocks, trust: ClockTrust, off: float, words: str
) -> None:
    clock.wall += off
    trust.server_says(clock.wall - off)
    assert words in trust.problem
    clock.wall -= off
    assert trust.problem == "", "it was set"
    trust.server_says(clock.wall)
    assert trust.problem == ""


def test_a_server_that_is_a_little_off_is_no_reason(clock: TwoClocks, trust: ClockTrust) -> None:
    trust.server_says(clock.wall + SERVER_DIFFERENCE_SECONDS)
    assert trust.problem == ""


@pytest.mark.parametrize("off", [-2.0, 0.0, 2.0])
def test_a_pc_that_sleeps_has_no_wrong_clock(clock: TwoClocks, trust: ClockTrust, off: float) -> None:
    trust.server_says(clock.wall - off)
    clock.pass_time(HOUR)
    clock.wall += 8 * HOUR  # the steady clock stands still meanwhile
    assert trust.problem == ""


def test_a_clock_set_back_after_the_server_spoke_is_wrong(clock: TwoClocks, trust: ClockTrust) -> None:
    trust.server_says(clock.wall)
    clock.pass_time(HOUR)
    clock.wall -= 2 * HOUR
    assert "2 hours behind" in trust.problem


def test_a_certificate_that_does_not_fit_accuses_the_clock_until_the_server_is_heard(
    clock: TwoClocks, trust: ClockTrust
) -> None:
    trust.certificate_fits(False)
    clock.pass_time(HOUR)
    assert "certificate is not valid" in trust.problem
    trust.server_says(clock.wall)
    assert trust.problem == ""


def test_a_start_with_expired_metadata_waits_for_the_server_but_not_for_ever(clock: TwoClocks) -> None:
    clock.wall += YEAR
    trust = ClockTrust(clock)
    assert trust.problem == "", "nothing was ever signed"
    trust.metadata_says(NOW - DAY, NOW + 6 * DAY)
    assert "signed metadata expired 359 days ago" in trust.problem
    clock.pass_time(UNCONFIRMED_CLOCK_SECONDS)
    assert trust.problem == ""


def test_the_server_s_word_or_fresh_metadata_confirms_a_clock_at_once(clock: TwoClocks) -> None:
    heard, fetched = ClockTrust(clock), ClockTrust(clock)
    for trust in (heard, fetched):
        trust.metadata_says(NOW - YEAR, NOW - DAY)
        assert trust.problem
    heard.server_says(NOW)
    fetched.metadata_says(NOW - HOUR, NOW + 6 * DAY)
    assert (heard.problem, fetched.problem) == ("", "")


def test_time_passes_by_the_witnesses_whatever_the_clock_shows(clock: TwoClocks) -> None:
    trust = ClockTrust(clock)
    assert trust.passed == 0.0
    trust.metadata_says(NOW - DAY, NOW + 6 * DAY)
    clock.wall = 946_684_800.0
    clock.steady += HOUR
    assert trust.passed == NOW - DAY + HOUR
    trust.metadata_says(NOW - DAY, NOW + 6 * DAY)
    assert trust.passed == NOW - DAY + HOUR, "the same word again takes nothing back"
    trust.server_says(NOW)
    clock.steady += HOUR
    assert trust.passed == NOW + HOUR
    trust.server_says(NOW - YEAR)
    assert trust.passed == NOW + HOUR


def test_the_log_has_a_line_for_each_change(clock: TwoClocks, trust: ClockTrust) -> None:
    with capture_logs() as logged:
        for wall in (NOW, NOW - YEAR, NOW - YEAR, NOW, NOW):
            clock.wall = wall
            trust.note()
    assert [line["event"] for line in logged] == ["the clock is not believed", "the clock is believed again"]
    assert "signed something later" in logged[0]["reason"]

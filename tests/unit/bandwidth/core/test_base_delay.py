"""`bandwidth.core.base_delay`: what may move the base, and what must not."""

from bandwidth.core.base_delay import WINDOW_SECONDS, WINDOWS, BaseDelay


def known(base: float = 0.040) -> BaseDelay:
    delay = BaseDelay()
    delay.observe(base, 0.0, quiet=False)
    return delay


def test_falls_at_once() -> None:
    delay = known()
    delay.observe(0.030, 1.0, quiet=False)
    assert delay.seconds == 0.030


def test_a_standing_queue_is_never_taken_for_the_line() -> None:
    delay = known()
    for minute in range(60):
        delay.observe(0.100, 60.0 * minute, quiet=True)
        delay.observe(0.100, 60.0 * minute + 1, quiet=False)
    assert delay.seconds == 0.040


def test_quiet_jitter_moves_it_by_a_millisecond_at_most_in_ten_minutes() -> None:
    delay = known()
    for window in range(1, WINDOWS):
        delay.observe(0.0409, window * WINDOW_SECONDS + window, quiet=True)
        assert delay.seconds == 0.040
    delay.observe(0.0409, (WINDOWS + 1) * (WINDOW_SECONDS + 1), quiet=True)
    assert delay.seconds == 0.0409


def test_two_pauses_that_agree_follow_a_longer_route() -> None:
    delay = known()
    assert not delay.pause_ended(0.080, 60.0)
    assert delay.pause_ended(0.0805, 120.0)
    assert delay.seconds == 0.080


def test_two_pauses_that_disagree_saw_a_rivals_queue() -> None:
    delay = known()
    for n, least in enumerate((0.080, 0.120, 0.090, 0.150)):
        assert not delay.pause_ended(least, 60.0 * n)
    assert delay.seconds == 0.040


def test_a_clock_that_jumps_changes_nothing() -> None:
    delay = known()
    for now in (1e9, -1e9, 0.0, 1e12):
        delay.observe(0.0405, now, quiet=True)
        assert delay.seconds == 0.040


def test_nothing_known_at_first() -> None:
    assert BaseDelay().seconds is None
    assert not BaseDelay().pause_ended(0.1, 0.0)

"""When a delivery that failed is tried again, and when it is given up. Pure."""

from bandwidth.core.quantities import DAY_SECONDS

FIRST_RETRY_SECONDS = 5.0
RETRY_GROWTH = 3.0  # 5 s, 15 s, 45 s, 2 min, 7 min, 20 min, 1 h, 3 h, and then
LONGEST_RETRY_PAUSE_SECONDS = 6 * 3_600.0  # so a receiver that comes back hears of it within a working day
GIVEN_UP_AFTER_SECONDS = 3 * DAY_SECONDS  # a weekend, and a holiday behind it
LONGEST_RETRY_WAIT_SECONDS = 1.25 * LONGEST_RETRY_PAUSE_SECONDS  # with its jitter
MOST_FAILURES = 1_000  # of which the pause is computed; it is the longest long before that


def pause_seconds(failures: int, jitter: float) -> float:
    """Return how long to wait after so many failures in a row; ``jitter`` is drawn uniformly from 0 to 1.

    It is 0.75 to 1.25 times what the schedule says, so that what has failed together is not tried again in step.
    """
    pause = FIRST_RETRY_SECONDS
    for _ in range(min(failures, MOST_FAILURES) - 1):
        if pause >= LONGEST_RETRY_PAUSE_SECONDS:
            break
        pause *= RETRY_GROWTH
    return min(pause, LONGEST_RETRY_PAUSE_SECONDS) * (0.75 + 0.5 * jitter)


def next_try(failures: int, first_at: float, now: float, jitter: float) -> float | None:
    """Return when to try again what was first tried at ``first_at``; None: it is given up.

    A clock that was set back makes it try longer, never shorter than the pause.
    """
    if now - first_at >= GIVEN_UP_AFTER_SECONDS:
        return None
    last = first_at + GIVEN_UP_AFTER_SECONDS
    wanted = now + pause_seconds(failures, jitter)
    return max(min(wanted, last), now + FIRST_RETRY_SECONDS)

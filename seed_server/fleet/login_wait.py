"""How long somebody waits before the next attempt to log in. Pure.

Guessing is slow from each place, and from all together. A person's own places, where they have logged in before, wait
for their own failures alone: so a stranger who fails on purpose, from wherever, locks nobody out of where they work.
"""

from collections.abc import Iterable

from seed_server.store.people_rows import LoginRow

FREE_FAILURES = 5  # typing errors
LONGEST_LOGIN_WAIT_SECONDS = 300.0
FAILURES_COUNT_SECONDS = 3_600.0  # what failed before is forgotten
MOST_STRANGE_FAILURES = 50  # from all places where they never logged in; then these take turns


def login_wait(logins: Iterable[LoginRow], source: str, now: float) -> float:
    """Return for how many seconds an attempt from ``source`` is not looked at; 0: it is looked at now.

    ``logins``: what is known of attempts to log in as this person.
    """
    here = LoginRow(source)
    strange_failures, strange_at = 0, 0.0
    for login in logins:
        if login.source == source:
            here = login
        if not login.succeeded_at and now - login.failed_at < FAILURES_COUNT_SECONDS:
            strange_failures += login.failures
            strange_at = max(strange_at, login.failed_at)
    wait = 0.0
    if here.failures >= FREE_FAILURES and now - here.failed_at < FAILURES_COUNT_SECONDS:
        wait = _left(here.failed_at, 2.0 ** min(here.failures - FREE_FAILURES, 16), now)
    if not here.succeeded_at and strange_failures >= MOST_STRANGE_FAILURES:
        wait = max(wait, _left(strange_at, LONGEST_LOGIN_WAIT_SECONDS, now))
    return wait


def _left(since: float, seconds: float, now: float) -> float:
    # a failure that is still to come: the clock was set back, and nobody can say how long ago it was
    return 0.0 if since > now else max(0.0, since + min(seconds, LONGEST_LOGIN_WAIT_SECONDS) - now)

"""`seed_server.reporting.plan_history`: how long installations took."""

import pytest

from seed_server.reporting.plan_history import ASSUMED, LEAST_INSTALLATIONS, MOST_INSTALL_SECONDS, install_times
from seed_server.store.plan_rows import InstallWord


def steps(count: int, seconds: int) -> list[InstallWord]:
    begun = [InstallWord(pc, 1, pc, ended=False) for pc in range(count)]
    return begun + [InstallWord(pc, 1, pc + seconds, ended=True) for pc in range(count)]


def test_few_installations_tell_nothing() -> None:
    assert install_times(steps(LEAST_INSTALLATIONS - 1, 300)) == ASSUMED
    learned = install_times(steps(LEAST_INSTALLATIONS, 300))
    assert (learned.known, learned.spread) == (True, 0.0)
    assert learned.median_seconds == pytest.approx(300)


def test_what_was_interrupted_or_has_no_begin_is_left_out() -> None:
    lost = [InstallWord(900, 1, 5, ended=True), *steps(1, MOST_INSTALL_SECONDS + 1)]
    assert install_times([*lost, *steps(LEAST_INSTALLATIONS, 300)]).median_seconds == pytest.approx(300)

"""`seed_server.line.site_times`: seconds under each cause, those of earlier runs too."""

import pytest

from bandwidth.core.states import State
from seed_server.line.site_times import SiteTimes


def test_seconds_under_each_cause_and_those_of_yielding() -> None:
    times = SiteTimes({"ramping up": 3.0}, yielding_before=1.5)
    times.note(State.RAMP, "ramping up", 10.0)
    times.note(State.YIELD, "somebody else", 12.0)
    times.note(State.RAMP, "ramping up", 13.0)
    times.note(State.RAMP, "ramping up", 13.5)
    assert times.by_cause == pytest.approx({"ramping up": 5.5, "somebody else": 1.0})
    assert times.yielding == pytest.approx(2.5)
    assert times.sending == pytest.approx(6.5)


def test_while_nothing_is_sent_nothing_is_counted() -> None:
    times = SiteTimes()
    times.note(State.RAMP, "ramping up", 10.0)
    times.interrupt()
    times.note(State.RAMP, "ramping up", 20.0)
    times.note(State.RAMP, "ramping up", 21.0)
    assert times.sending == pytest.approx(1.0)

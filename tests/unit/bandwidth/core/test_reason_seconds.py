"""`bandwidth.core.reason_seconds`."""

from bandwidth.core.reason_seconds import LONGEST_STEP_SECONDS, ReasonSeconds


def test_time_belongs_to_the_reason_that_held() -> None:
    counted = ReasonSeconds[str]()
    for reason, now in (("a", 10.0), ("b", 11.0), ("b", 14.0), ("a", 15.0), ("a", 15.5)):
        counted.note(reason, now)
    assert counted.seconds() == {"b": 4.0, "a": 1.5}
    assert list(counted.seconds()) == ["b", "a"]
    assert (counted.reason, counted.since) == ("a", 15.0)


def test_a_sleep_and_a_clock_that_goes_back_add_little_or_nothing() -> None:
    counted = ReasonSeconds[str]()
    for now in (0.0, 100_000.0, 50.0, 51.0):
        counted.note("a", now)
    assert counted.seconds() == {"a": LONGEST_STEP_SECONDS + 1.0}


def test_an_interruption_is_nobodys_time() -> None:
    counted = ReasonSeconds[str]()
    counted.note("a", 0.0)
    counted.note("a", 1.0)
    counted.interrupt()
    counted.note("b", 9.0)
    counted.note("b", 11.0)
    assert counted.seconds() == {"b": 2.0, "a": 1.0}

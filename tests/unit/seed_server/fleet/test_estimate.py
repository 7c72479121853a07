"""When the rest is done is said where it is known, and why not where it is not."""

from seed_server.fleet.estimate import LEAST_PCS, LEAST_SECONDS, Estimate, NoPace, estimate


def test_the_rest_goes_on_at_the_pace_of_those_that_are_done() -> None:
    assert estimate(300, 100, 3_600.0) == Estimate(3 * 3_600.0)
    assert estimate(1, LEAST_PCS, 3_600.0) == Estimate(3_600.0 / LEAST_PCS)
    assert estimate(10, 10, 0.0) == Estimate(LEAST_SECONDS), "published just now, by another clock even later"
    assert estimate(10, 10, -5.0) == Estimate(LEAST_SECONDS)


def test_without_a_pace_it_is_not_known_and_of_nobody_there_is_nothing_to_know() -> None:
    assert estimate(300, 0, 3_600.0) == Estimate(None, NoPace.NOBODY)
    assert estimate(300, LEAST_PCS - 1, 3_600.0) == Estimate(None, NoPace.TOO_FEW)
    assert estimate(0, 0, 3_600.0) == estimate(0, 100, 3_600.0) == Estimate(None)

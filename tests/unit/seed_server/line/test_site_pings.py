"""`seed_server.line.site_pings`: what the pings to several PCs tell of their line, whatever these PCs say."""

import pytest

from seed_server.line.site_pings import MAX_ENDPOINTS_KNOWN, NOBODY_LATE, SitePings

KNOWN = {"a": 0.030, "b": 0.040, "c": 0.050}


def site() -> SitePings:
    pings = SitePings()
    assert pings.queue(KNOWN, NOBODY_LATE) == 0.0
    return pings


def test_the_least_round_trip_of_all() -> None:
    assert SitePings().least_seconds is None
    assert site().least_seconds == 0.030


@pytest.mark.parametrize(
    ("late", "seen"),
    [
        ({}, 0.15),
        ({"a": 0.02, "b": 0.01, "c": 0.05}, 0.14),
        ({"a": 2.0}, 0.15),
        ({"a": 2.0, "b": 0.0, "c": 0.0}, 0.15),
    ],
    ids=["nobody late", "all late", "one lies", "one lies and the others say that they are not"],
)
def test_what_pcs_answered_late_is_no_queue_and_one_that_lies_hides_none(late: dict[str, float], seen: float) -> None:
    met = {endpoint: seconds + 0.15 for endpoint, seconds in KNOWN.items()}
    assert site().queue(met, late) == pytest.approx(seen)


def test_of_a_lone_pc_its_word_stands() -> None:
    assert site().queue({"b": 0.1}, {"b": 0.045}) == pytest.approx(0.015)


def test_memory_is_bounded() -> None:
    pings = SitePings()
    for number in range(MAX_ENDPOINTS_KNOWN + 10):
        pings.queue({number: 0.03}, NOBODY_LATE)
    assert len(pings._endpoints) == MAX_ENDPOINTS_KNOWN

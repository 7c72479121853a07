"""`seed_server.line.harm_evidence`: which seconds tell that business suffers while we send."""

from collections.abc import Hashable, Mapping
from typing import Any

import pytest

from bandwidth.core.units import BytesPerSecond
from seed_server.line.harm_evidence import (
    DISPLACED_RUN,
    HARM_BOUND_SECONDS,
    HARM_GAP_SECONDS,
    HarmEvidence,
    HarmReason,
    SeenSecond,
    confirmed_delay,
)

LINE = 1_000_000
STEP = 0.05
LONG = 2 * HARM_BOUND_SECONDS
NOBODY: Mapping[Hashable, float] = {}


class Watched:
    """A site whose samples come 20 times a second."""

    def __init__(self) -> None:
        self.evidence = HarmEvidence()
        self.now = 0.0

    def run(
        self,
        seconds: float,
        *,
        ours: float,
        business: float | None = None,
        bulk: bool = False,
        delays: Mapping[Hashable, float] = NOBODY,
        excused: int = 0,
    ) -> list[SeenSecond]:
        found = []
        for _ in range(round(seconds / STEP)):
            second = self.evidence.observe(
                self.now, our_bytes=int(ours * STEP), business_bytes=None if business is None else int(business * STEP),
                bulk=bulk, delays=delays, excused_rate=BytesPerSecond(excused),
            )  # fmt: skip
            self.now += STEP
            found += [second] if second is not None else []
        return found


def suffered(seconds: list[SeenSecond]) -> list[HarmReason]:
    return [reason for second in seconds for reason in second.suffered]


def test_a_second_has_the_rates_of_both_and_the_delay() -> None:
    *_, last = Watched().run(3.2, ours=LINE / 2, business=LINE / 4, delays={"a": LONG})
    assert last.ours == pytest.approx(LINE / 2, rel=0.01)
    assert last.business == pytest.approx(LINE / 4, rel=0.01)
    assert (last.delay_seconds, last.loud, last.suffered) == (LONG, True, frozenset({HarmReason.SLOWED}))


def test_business_that_is_slow_while_we_give_way_is_no_harm_of_ours() -> None:
    site = Watched()
    site.run(5.0, ours=LINE)
    assert not suffered(site.run(20.0, ours=4_000, business=LINE, bulk=True, delays={"a": 1.0, "b": 1.0})[1:])


def test_giving_way_within_a_second_leaves_no_evidence() -> None:
    site = Watched()
    for _ in range(20):
        assert not suffered(site.run(1.5, ours=0.97 * LINE, delays={"a": 0.0}))
        assert not suffered(site.run(0.3, ours=0.97 * LINE, delays={"a": LONG}))
        assert not suffered(site.run(1.5, ours=4_000, delays={"a": LONG}))


@pytest.mark.parametrize(
    ("delays", "confirmed"),
    [((), None), ((0.3,), 0.3), ((0.3, 0.0), 0.0), ((0.3, 0.2, 0.0), 0.2), ((0.0,) * 9 + (1.0,), 0.0)],
)
def test_a_second_pc_confirms_where_there_is_one(delays: tuple[float, ...], confirmed: float | None) -> None:
    assert confirmed_delay(delays) == confirmed


def test_one_pc_that_is_slow_by_itself_or_lies_is_outvoted() -> None:
    assert not suffered(Watched().run(20.0, ours=LINE, delays={"liar": 60.0, "b": 0.001}))
    assert suffered(Watched().run(20.0, ours=LINE, delays={"liar": 60.0}))


def test_a_transfer_that_runs_beside_us_on_a_full_line_is_displaced_after_some_seconds() -> None:
    site = Watched()
    seconds = site.run(10.0, ours=0.7 * LINE, business=0.3 * LINE, bulk=True)
    assert suffered(seconds[:DISPLACED_RUN]) == []  # the first one is not loud yet
    assert suffered(seconds[DISPLACED_RUN:]) == [HarmReason.DISPLACED] * len(seconds[DISPLACED_RUN:])


@pytest.mark.parametrize(
    "beside",
    [
        {"business": 0.3 * LINE, "bulk": False},
        {"business": 0.01 * LINE, "bulk": True},
        {"business": None, "bulk": True},
    ],
    ids=["no transfer", "next to nothing", "nobody sees it"],
)
def test_beside_other_business_nobody_is_displaced(beside: dict[str, Any]) -> None:
    assert not suffered(Watched().run(10.0, ours=0.7 * LINE, **beside))


def test_a_line_that_is_not_full_has_room_for_both() -> None:
    site = Watched()
    site.run(5.0, ours=LINE)
    assert not suffered(site.run(10.0, ours=0.5 * LINE, business=0.3 * LINE, bulk=True)[1:])


def test_what_an_operators_rule_demands_is_his_doing() -> None:
    assert not suffered(Watched().run(10.0, ours=LINE, delays={"a": 1.0}, excused=LINE))
    assert suffered(Watched().run(10.0, ours=LINE, delays={"a": 1.0}, excused=LINE // 2))


def test_what_nobody_looked_at_and_a_clock_that_goes_back_are_no_evidence() -> None:
    site = Watched()
    for step in (HARM_GAP_SECONDS + 0.1, -50.0):
        site.run(3.0, ours=LINE, delays={"a": 1.0})
        site.now += step
        first, second, *_ = site.run(3.0, ours=LINE, delays={"a": 1.0})
        assert (first.loud, second.loud) == (False, True)


def test_seconds_in_which_no_round_trip_was_measured_say_nothing() -> None:
    site = Watched()
    site.run(2.0, ours=LINE)
    seen = []
    for _ in range(5):
        seen += site.run(1.05, ours=LINE, delays={"a": LONG})
        seen += site.run(2.1, ours=LINE)
    told = [bool(second.suffered) for second in seen if second.delay_seconds is not None]
    assert sum(told) >= len(told) - 1
    assert len(suffered(seen)) == sum(told)

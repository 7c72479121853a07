"""`seed_server.origin.limit_rows`: what is recorded of a line, and what the next run of the server makes of it."""

from typing import Any

import pytest

from bandwidth.core.states import Reason
from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import SiteName
from seed_server.line.harm_bound import HarmPause, Resting
from seed_server.line.harm_evidence import HarmReason
from seed_server.line.site_map import Site
from seed_server.line.site_rate import Line
from seed_server.origin.known_lines import KnownLines
from seed_server.origin.limit_rows import remembered_harm
from seed_server.origin.site import LiveSite
from seed_server.store.rows import HarmPauseRow, SiteLimitRow
from tests.helpers.fake_clock import FakeClock

SITE = Site(SiteName("branch"), Line(BytesPerSecond(1_000_000)), None)
WALL = 1_700_000_000.0


def paused_row() -> SiteLimitRow:
    """Return the row of a site that has paused for the second time, 100 s before."""
    rate = KnownLines(FakeClock(WALL)).rate(SITE, 0.0)
    rate.harm.bound.restore(HarmPause(HarmReason.SLOWED, 900.0, 2_700.0, 2), 5)
    return LiveSite(SITE, rate, fetchers=1, lease_seconds=30.0).limit_row(1_000.0, WALL)


def test_a_pause_is_recorded_in_the_time_of_the_wall() -> None:
    row = paused_row()
    assert row.harm == HarmPauseRow(HarmReason.SLOWED.value, WALL - 100, WALL + 1_700, 2, 5)
    assert row.reason.startswith(Reason.HARM_PAUSE.value)
    assert row.rate == 0


@pytest.mark.parametrize(
    ("away", "left"), [(0, 1_700), (700, 1_000), (1_699, 1), (1_701, 0), (10**6, 0), (-300, 1_800), (-(10**9), 1_800)]
)
def test_the_next_run_pauses_for_what_is_left_whatever_the_clock_did(away: float, left: float) -> None:
    clock = FakeClock(WALL + away)
    lines = KnownLines(clock)
    lines.remember([paused_row()])
    bound = lines.rate(SITE, 50.0).harm.bound
    assert bound.left_seconds(50.0) == pytest.approx(left)
    assert (bound.resting(50.0) is Resting.PAUSE) is (left > 0)
    assert bound.pauses == 5
    assert bound.pause is not None
    assert bound.pause.in_a_row == 2


@pytest.mark.parametrize(
    "harm",
    [
        None,
        HarmPauseRow("for a reason of a later release", WALL, WALL + 900, 1, 1),
        HarmPauseRow(HarmReason.SLOWED.value, WALL, WALL - 900, 0, 0),
    ],
)
def test_what_is_not_understood_pauses_nothing(harm: HarmPauseRow | None) -> None:
    row: Any = paused_row()
    fields = {name: getattr(row, name) for name in row.__struct_fields__} | {"harm": harm}
    assert remembered_harm(SiteLimitRow(**fields), 0.0, WALL).resting(0.0) is Resting.NO

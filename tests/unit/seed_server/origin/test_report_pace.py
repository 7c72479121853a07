"""`seed_server.origin.report_pace`: however many PCs fetch, their reports are no more than the records take."""

import pytest

from p2pdist.shared.wire.fields import DEFAULT_REPORT_SECONDS
from p2pdist.shared.wire.messages import Pace
from seed_server.origin.report_pace import REPORTS_PER_SECOND, SLOWEST_REPORT_SECONDS, pace_for


@pytest.mark.parametrize("connected", [0, 1, 500, 801, 5_000, 12_801, 25_000])
def test_all_together_report_no_more_than_the_records_take(connected: int) -> None:
    seconds = pace_for(connected).report_seconds
    assert connected / seconds <= REPORTS_PER_SECOND
    assert DEFAULT_REPORT_SECONDS <= seconds <= SLOWEST_REPORT_SECONDS
    assert seconds == DEFAULT_REPORT_SECONDS or connected / seconds > REPORTS_PER_SECOND / 2, "no slower than it has to"


def test_a_small_fleet_keeps_the_usual_pace() -> None:
    assert pace_for(500) == Pace()

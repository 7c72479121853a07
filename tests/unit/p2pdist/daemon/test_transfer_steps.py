"""`p2pdist.daemon.transfer_steps`: how often the transfers are stepped while news come all the time."""

import pytest

from p2pdist.daemon.transfer_steps import pause_seconds
from p2pdist.transfer.manager import SHORTEST_STEP_SECONDS
from p2pdist.transfer.transfer import ACTIVE_STEP_SECONDS


@pytest.mark.parametrize(
    ("took", "pause"),
    [
        (0.0, SHORTEST_STEP_SECONDS),
        (SHORTEST_STEP_SECONDS / 2, SHORTEST_STEP_SECONDS),
        (0.3, 0.3),
        (60.0, ACTIVE_STEP_SECONDS),
    ],
    ids=["at once", "few patches", "many on a busy PC", "a server that reads nothing"],
)
def test_the_steps_take_at_most_half_of_the_time(took: float, pause: float) -> None:
    assert pause_seconds(took) == pause

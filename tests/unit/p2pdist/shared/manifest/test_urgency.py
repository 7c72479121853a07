"""`p2pdist.shared.manifest.urgency`."""

from typing import get_args

from p2pdist.shared.manifest.documents import Severity
from p2pdist.shared.manifest.urgency import EMERGENCY, LEAST_URGENT, urgency_of


def test_emergencies_come_before_every_severity_and_these_in_their_order() -> None:
    severities = [urgency_of(severity, emergency=False) for severity in reversed(get_args(Severity))]
    assert severities == sorted(set(severities))
    assert severities[-1] == LEAST_URGENT
    assert all(one > EMERGENCY for one in severities)
    assert {urgency_of(severity, emergency=True) for severity in get_args(Severity)} == {EMERGENCY}


def test_a_severity_that_is_not_known_is_the_least_urgent() -> None:
    assert urgency_of("dire", emergency=False) == LEAST_URGENT

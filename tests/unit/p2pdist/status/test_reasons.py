"""`p2pdist.status.reasons`: every reason of the closed list has a situation, and the nearest cause is told."""

import errno

import pytest

from p2pdist.limiter.lan_policy import LanReason
from p2pdist.status.reasons import RECENT_SECONDS, WHOLE_ANSWERS, WhyInputs, WhyReason, why
from p2pdist.transfer.torrent_engine.reports import EngineFailure, disk_problem

NEAR, FAR = RECENT_SECONDS, RECENT_SECONDS + 0.1

SITUATIONS = [
    (WhyReason.HERE, WhyInputs("verified")),
    (WhyReason.QUEUED, WhyInputs("waiting")),
    (WhyReason.CHECKING, WhyInputs("checking")),
    (WhyReason.VERIFYING, WhyInputs("verifying")),
    (WhyReason.FAILED, WhyInputs("failed", error="The finished file cannot be read: broken.")),
    (WhyReason.DISK_FULL, WhyInputs("failed", error=disk_problem(EngineFailure("system", errno.ENOSPC, ""), "x"))),
    (WhyReason.DISK_FULL, WhyInputs("failed", error=disk_problem(EngineFailure("system", errno.EDQUOT, ""), "x"))),
    (WhyReason.FROM_LINE, WhyInputs("fetching", since_line_seconds=NEAR, since_neighbour_seconds=NEAR)),
    (WhyReason.FROM_NEIGHBOURS, WhyInputs("fetching", since_line_seconds=FAR, since_neighbour_seconds=NEAR)),
    (WhyReason.LAN_YIELDS, WhyInputs("fetching", since_neighbour_seconds=NEAR, lan=LanReason.BUSINESS)),
    (WhyReason.LAN_YIELDS, WhyInputs("fetching", missing=6, lan_have=2, lan=LanReason.QUEUE)),
    (WhyReason.BLACKOUT, WhyInputs("fetching", missing=6, lan_have=2, lan=LanReason.BLACKOUT)),
    (WhyReason.BLACKOUT, WhyInputs("fetching", missing=1, profile_lets_fetch=False)),
    (WhyReason.NEIGHBOURS_SILENT, WhyInputs("fetching", missing=6, lan_have=3)),
    (WhyReason.NO_NEIGHBOURS, WhyInputs("fetching", missing=6, lan_have=1, fetches=False)),
    (WhyReason.NO_SERVER, WhyInputs("fetching", missing=1, server_connected=False)),
    (WhyReason.SERVER_CANNOT, WhyInputs("fetching", missing=1, server_error="its file is gone")),
    (WhyReason.REFUSED_CPU, WhyInputs("fetching", missing=1, refusal=LanReason.REFUSED_CPU)),
    (WhyReason.REFUSED_BATTERY, WhyInputs("fetching", missing=1, refusal=LanReason.REFUSED_BATTERY)),
    (WhyReason.LINE_YIELDS, WhyInputs("fetching", missing=1, line_yields=True)),
    (WhyReason.WAITING_FOR_LEASE, WhyInputs("fetching", missing=1)),
]


@pytest.mark.parametrize(("reason", "inputs"), SITUATIONS)
def test_the_reason(reason: WhyReason, inputs: WhyInputs) -> None:
    assert why(inputs) is reason


def test_every_reason_can_be_met() -> None:
    assert {reason for reason, _ in SITUATIONS} == set(WhyReason) - (WHOLE_ANSWERS - {WhyReason.HERE})

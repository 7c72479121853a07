"""`p2pdist.status.reasons`: every reason of the closed list has a situation, and the nearest cause is told."""

import errno
import typing

import pytest

from p2pdist.limiter.lan_policy import NOT_SERVED, LanReason
from p2pdist.status.reasons import WHOLE_ANSWERS, WhyReason
from p2pdist.status.view import FileView
from p2pdist.status.why import ONLY_KEPT, RECENT_SECONDS, Circumstances, detail_of, why
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.quota import QUOTA_WORDS
from p2pdist.transfer.torrent_engine.reports import EngineFailure, disk_fault
from tests.helpers.patch_views import file

NEAR, FAR = RECENT_SECONDS, RECENT_SECONDS + 0.1


def failed(number: int) -> FileView:
    return file("failed", fault=disk_fault(EngineFailure("system", number, ""), "x"))


def fetching(**changes: typing.Any) -> FileView:
    return file("fetching", **changes)


ALONE = Circumstances()
NOT_THE_DISK = TransferFault(TransferFaultKind.ENGINE, "The disk is not at fault: the kind decides, not the words.")
SITUATIONS = [
    (WhyReason.HERE, file("verified"), ALONE),
    (WhyReason.QUEUED, file("waiting", queued=True), ALONE),
    (WhyReason.QUOTA, file("waiting", room_wait=QUOTA_WORDS, queued=True), ALONE),
    (WhyReason.DISK_FULL, file("waiting", room_wait="The disk is too full."), ALONE),
    (WhyReason.CHECKING, file("waiting"), ALONE),
    (WhyReason.CHECKING, file("checking"), ALONE),
    (WhyReason.VERIFYING, file("verifying"), ALONE),
    (WhyReason.FAILED, failed(errno.EIO), ALONE),
    (WhyReason.FAILED, file("failed", fault=NOT_THE_DISK), ALONE),
    (WhyReason.DISK_FULL, failed(errno.ENOSPC), ALONE),
    (WhyReason.DISK_FULL, failed(errno.EDQUOT), ALONE),
    (WhyReason.FROM_LINE, fetching(since_line_seconds=NEAR, since_neighbour_seconds=NEAR), ALONE),
    (WhyReason.FROM_NEIGHBOURS, fetching(since_line_seconds=FAR, since_neighbour_seconds=NEAR), ALONE),
    (WhyReason.LAN_YIELDS, fetching(since_neighbour_seconds=NEAR), Circumstances(lan=LanReason.BUSINESS)),
    (WhyReason.LAN_YIELDS, fetching(missing=6, lan_have=2), Circumstances(lan=LanReason.QUEUE)),
    (WhyReason.BLACKOUT, fetching(missing=6, lan_have=2), Circumstances(lan=LanReason.BLACKOUT)),
    (WhyReason.BLACKOUT, fetching(missing=1), Circumstances(profile_lets_fetch=False)),
    (WhyReason.NEIGHBOURS_SILENT, fetching(missing=6, lan_have=3), ALONE),
    (WhyReason.NO_NEIGHBOURS, fetching(missing=6, lan_have=1), Circumstances(fetches=False)),
    (WhyReason.NO_SERVER, fetching(missing=1), Circumstances(server_connected=False)),
    (WhyReason.SHARED_IDENTITY, fetching(missing=1), Circumstances(server_connected=False, refused_as_copy=True)),
    (WhyReason.LARGE_PACKETS_LOST, fetching(missing=1), Circumstances(large_packets_lost=True, line_yields=True)),
    (WhyReason.SERVER_CANNOT, fetching(missing=1, origin_error="its file is gone"), ALONE),
    (WhyReason.HELPS_LESS_CPU, fetching(missing=1), Circumstances(helps_less=True)),
    (WhyReason.LINE_YIELDS, fetching(missing=1), Circumstances(helps_less=True, line_yields=True)),
    (WhyReason.REFUSED_BATTERY, fetching(missing=1), Circumstances(refusal=LanReason.REFUSED_BATTERY)),
    (WhyReason.LINE_YIELDS, fetching(missing=1), Circumstances(line_yields=True)),
    (WhyReason.LINE_SPARED, fetching(missing=1), Circumstances(line_spared="again in 9 min", line_yields=True)),
    (WhyReason.WAITING_FOR_LEASE, fetching(missing=1), ALONE),
]


@pytest.mark.parametrize(("reason", "seen", "around"), SITUATIONS)
def test_the_reason(reason: WhyReason, seen: FileView, around: Circumstances) -> None:
    assert why(seen, around) is reason


def test_every_reason_can_be_met() -> None:
    assert {reason for reason, _, _ in SITUATIONS} == set(WhyReason) - (WHOLE_ANSWERS - {WhyReason.HERE})


@pytest.mark.parametrize(
    ("reason", "detail"),
    [
        (WhyReason.SERVER_CANNOT, "its file is gone"),
        (WhyReason.NO_SERVER, "not reachable"),
        (WhyReason.BLACKOUT, "until 18:07"),
        (WhyReason.LAN_YIELDS, "a queue on the way to the gateway"),
        (WhyReason.LINE_SPARED, "pieces are sent again in 9 min"),
        (WhyReason.WAITING_FOR_LEASE, "2 neighbours connected"),
    ],
)
def test_the_detail(reason: WhyReason, detail: str) -> None:
    around = Circumstances(
        lan=LanReason.QUEUE, blackout_ends=" until 18:07", server_status="not reachable",
        line_spared="pieces are sent again in 9 min",
    )  # fmt: skip
    assert detail_of(reason, fetching(origin_error="its file is gone", neighbours=2), around) == detail


def test_where_nothing_is_installed_a_file_that_is_here_says_so() -> None:
    assert detail_of(WhyReason.HERE, file("verified"), Circumstances(installs=False)) == ONLY_KEPT
    assert detail_of(WhyReason.HERE, file("verified"), ALONE) == ""


def test_the_causes_of_a_refusal_to_serve_are_those_of_the_closed_list() -> None:
    for reason, cause in NOT_SERVED.items():
        assert reason == f"refuses to serve: {cause}"
    assert set(NOT_SERVED) == {reason for reason in LanReason if reason.name.startswith("REFUSED_")}

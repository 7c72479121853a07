"""`p2pdist.transfer.turns`: large files one after the other, small ones together, urgent ones at once."""

import dataclasses

from msgspec.structs import replace

from p2pdist.shared.lan_patience import LAN_STALL_SECONDS
from p2pdist.shared.manifest.recipe import ScheduleRules
from p2pdist.shared.wire.messages import PatchState
from p2pdist.status.reasons import WhyReason
from p2pdist.status.why import Circumstances, why
from p2pdist.transfer.transfer import Transfer
from p2pdist.transfer.turns import (
    MAX_LARGE_AT_A_TIME,
    MAX_SMALL_AT_A_TIME,
    MAX_STARTS_AT_ONCE,
    SMALL_BYTES,
    next_to_start,
)
from tests.helpers.patch_views import transfer, view_of_file

SMALL, LARGE = SMALL_BYTES, SMALL_BYTES + 1


def sized(
    n: int, length_bytes: int, state: PatchState = "waiting", *, emergency: bool = False, proven: bool = False
) -> Transfer:
    made = transfer(n, state=state)
    made.record = replace(made.record, verified_mtime_ns=1 if proven else None)
    patch = dataclasses.replace(
        made.patch,
        payload=replace(made.payload, length_bytes=length_bytes),
        manifest=replace(made.patch.manifest, schedule=ScheduleRules(emergency=emergency)),
    )
    return dataclasses.replace(made, patches=(patch,))


def run(transfers: list[Transfer], now: float = 0.0) -> list[Transfer]:
    """Start all that may, in as many steps as it takes, and return them in their order."""
    started = list[Transfer]()
    while True:
        starting, more = next_to_start(transfers, now)
        assert len(starting) <= MAX_STARTS_AT_ONCE
        for each in starting:
            each.state = "fetching"
        started += starting
        if not more:
            return started


def test_large_files_are_fetched_one_after_the_other() -> None:
    waiting = [sized(n, LARGE) for n in range(10)]
    assert run(waiting) == waiting[:MAX_LARGE_AT_A_TIME]
    waiting[2].state = "verified"
    assert run(waiting) == [waiting[MAX_LARGE_AT_A_TIME]]


def test_small_files_are_fetched_together_a_step_s_worth_at_once() -> None:
    waiting = [sized(n, SMALL) for n in range(500)]
    first, more = next_to_start(reversed(waiting), 0.0)
    assert (first, more) == (waiting[:MAX_STARTS_AT_ONCE], True)
    assert run(waiting) == waiting[:MAX_SMALL_AT_A_TIME]


def test_small_ones_do_not_wait_for_a_large_one_nor_it_for_them() -> None:
    large = [sized(n, LARGE) for n in range(MAX_LARGE_AT_A_TIME - 1)]
    small = [sized(10 + n, SMALL) for n in range(200)]
    assert run([*large, *small]) == [*large, *small[: MAX_SMALL_AT_A_TIME // MAX_LARGE_AT_A_TIME]]


def test_a_large_one_starts_in_its_turn_though_small_ones_wait_behind_it() -> None:
    under_way = [sized(n, SMALL, "fetching") for n in range(MAX_SMALL_AT_A_TIME)]
    large, behind = sized(500, LARGE), [sized(1_000 + n, SMALL) for n in range(200)]
    room_for_it = MAX_SMALL_AT_A_TIME // MAX_LARGE_AT_A_TIME
    started = list[list[Transfer]]()
    for small in under_way[:room_for_it]:
        small.state = "verified"
        started.append(run([*under_way, large, *behind]))
    assert started == [[]] * (room_for_it - 1) + [[large]]
    under_way[-1].state = "verified"
    assert run([*under_way, large, *behind]) == behind[:1], "they take turns again"


def test_what_is_less_urgent_keeps_no_emergency_waiting() -> None:
    under_way = [sized(n, LARGE, "fetching") for n in range(MAX_LARGE_AT_A_TIME)]
    emergency, other = sized(98, LARGE, emergency=True), sized(97, LARGE)
    assert run([*under_way, other, emergency]) == [emergency]


def test_what_gets_no_bytes_keeps_nothing_waiting() -> None:
    stalled = [sized(n, LARGE, "fetching") for n in range(MAX_LARGE_AT_A_TIME)]
    behind = sized(9, LARGE)
    assert run([*stalled, behind]) == []
    assert run([*stalled, behind], now=LAN_STALL_SECONDS) == [behind]


def test_what_an_earlier_run_has_proven_needs_no_room_and_comes_after_what_is_missing() -> None:
    proven = [sized(n, LARGE, proven=True) for n in range(200)]
    missing = sized(300, LARGE)
    started = run([*proven, missing])
    assert started[0] is missing
    assert len(started) == 201


def test_only_what_waits_for_others_is_said_to_do_so() -> None:
    waiting = [sized(n, LARGE) for n in range(MAX_LARGE_AT_A_TIME + 2)]
    run(waiting)
    assert [each.queued for each in waiting] == [False] * MAX_LARGE_AT_A_TIME + [True] * 2
    reasons = [why(view_of_file(each), Circumstances()) for each in waiting[-2:]]
    assert reasons == [WhyReason.QUEUED] * 2
    waiting[0].state = "verified"
    next_to_start(waiting, 0.0)
    assert [each.queued for each in waiting[-2:]] == [False, True], "there is room for one"


def test_the_only_patch_waits_for_no_other() -> None:
    alone = sized(1, LARGE)
    for _look in range(2):  # before the first step, and while it begins
        assert why(view_of_file(alone), Circumstances()) is WhyReason.CHECKING
        next_to_start([alone], 0.0)
    assert why(view_of_file(alone), Circumstances()) is WhyReason.CHECKING

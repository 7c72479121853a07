"""`p2pdist.transfer.transfer`: when it is tried again, how often it is looked at."""

import dataclasses

from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.states import LAN_STALL_SECONDS
from p2pdist.transfer.transfer import (
    ACTIVE_STEP_SECONDS,
    IDLE_STEP_SECONDS,
    LONGEST_RETRY_SECONDS,
    RETRY_SECONDS,
    STALLED_STEP_SECONDS,
    step_seconds,
)
from tests.helpers.patch_views import transfer

BROKEN = TransferFault(TransferFaultKind.DISK, "broken")


def test_each_failure_in_a_row_waits_longer_up_to_a_cap() -> None:
    failing = transfer()
    waits = []
    for _ in range(20):
        failing.failed(BROKEN, now=100.0)
        waits.append(failing.retry_at - 100.0)
    assert waits[:3] == [RETRY_SECONDS, 2 * RETRY_SECONDS, 4 * RETRY_SECONDS]
    assert waits[-1] == LONGEST_RETRY_SECONDS
    failing.retry_soon(now=100.0)
    assert failing.retry_at == 100.0 + RETRY_SECONDS


def test_a_patch_that_gets_no_bytes_wakes_the_pc_less_often() -> None:
    fetching = dataclasses.replace(transfer(), state="fetching")
    assert step_seconds([fetching], 0.0) == ACTIVE_STEP_SECONDS
    assert step_seconds([fetching], LAN_STALL_SECONDS) == STALLED_STEP_SECONDS
    fetching.origin_piece_at = LAN_STALL_SECONDS
    assert step_seconds([fetching], LAN_STALL_SECONDS) == ACTIVE_STEP_SECONDS
    assert step_seconds([dataclasses.replace(fetching, state="verified")], 0.0) == IDLE_STEP_SECONDS


def test_a_failed_patch_is_tried_again_when_it_was_promised() -> None:
    failing = dataclasses.replace(transfer(), state="failed")
    failing.failed(BROKEN, now=100.0)
    done = dataclasses.replace(transfer(1), state="verified")
    assert step_seconds([done, failing], 100.0) == RETRY_SECONDS
    assert step_seconds([done, failing], 101.0) == RETRY_SECONDS - 1.0
    assert step_seconds([done, failing], 200.0) == 0.0, "overdue"
    failing.retry_at = 100.0 + LONGEST_RETRY_SECONDS
    assert step_seconds([done, failing], 100.0) == IDLE_STEP_SECONDS

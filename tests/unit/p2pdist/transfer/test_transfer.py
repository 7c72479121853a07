"""`p2pdist.transfer.transfer`: when it is tried again, how often it is looked at."""

import dataclasses

import msgspec

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.lan_patience import LAN_STALL_SECONDS, lan_patience_seconds
from p2pdist.shared.wire.fields import MAX_PIECE_BYTES
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.torrent_engine import TransferSnapshot
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


def snapshot(*, have: int, bytes_from_peers: int = 0, piece_count: int = 8) -> TransferSnapshot:
    return TransferSnapshot(
        torrent_hash=TorrentHash("0" * 64),
        phase="downloading",
        piece_count=piece_count,
        have=have,
        lan_have=(1 << piece_count) - 1,
        bytes_from_peers=bytes_from_peers,
        bytes_to_peers=0,
        bytes_wasted=0,
        progress=0.0,
        peers=(),
        fault=None,
    )


def test_a_neighbour_that_sends_a_block_now_and_then_does_not_keep_the_line_away() -> None:
    fetching = dataclasses.replace(transfer(), state="fetching")
    seen = snapshot(have=0)
    for now in range(0, 60, 19):  # a block of 16 KiB, each time just before the LAN would count as stalled
        seen = fetching.snapshot = snapshot(have=0, bytes_from_peers=now << 14)
        fetching.activity = fetching.activity.observe(fetching.lan_pieces, float(now))
    assert fetching.want(seen, LAN_STALL_SECONDS, can_fetch=True).lan_stalled


def test_what_the_origin_brings_is_no_progress_of_the_lan() -> None:
    fetching = dataclasses.replace(transfer(), state="fetching")
    fetching.origin_pieces = 0b0011
    fetching.snapshot = snapshot(have=0b0011)
    assert fetching.lan_pieces == 0
    fetching.snapshot = snapshot(have=0b0111)
    assert fetching.lan_pieces == 1


def test_large_pieces_on_a_slow_lan_are_waited_for() -> None:
    fetching = dataclasses.replace(transfer(), state="fetching")
    payload = msgspec.structs.replace(fetching.payload, length_bytes=8 * MAX_PIECE_BYTES)
    fetching.patches = (dataclasses.replace(fetching.patch, payload=payload),)
    fetching.snapshot = snapshot(have=0)
    assert not fetching.lan_stalled(2 * LAN_STALL_SECONDS)
    assert fetching.lan_stalled(lan_patience_seconds(MAX_PIECE_BYTES))

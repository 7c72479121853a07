"""`p2pdist.transfer.states`: the state table is complete and leads where it should."""

import typing

from p2pdist.shared.lan_patience import LAN_STALL_SECONDS
from p2pdist.shared.wire.messages import PatchState
from p2pdist.transfer.states import (
    TRANSITIONS,
    LanActivity,
    TransferEvent,
    TransferRecord,
    seconds_taken,
)
from tests.helpers.state_steps import tried_steps

STEPS = TRANSITIONS.steps
STATES = typing.get_args(PatchState)


def record(**changes: typing.Any) -> TransferRecord:
    fields: dict[str, typing.Any] = {
        "patch_id": "openssl",
        "version": "3.0.17",
        "sha256": "a" * 64,
        "torrent_hash": "b" * 64,
        "first_seen_at": 1_000.0,
        "verified_at": None,
        "verified_mtime_ns": None,
        "bytes_from_origin": 10,
        "bytes_from_peers": 20,
        "bytes_wasted": 0,
    }
    return TransferRecord(**(fields | changes))


def test_every_state_and_event_is_in_the_table() -> None:
    assert {state for state, _ in STEPS} == set(STATES)
    assert {event for _, event in STEPS} == set(TransferEvent)
    assert set(STEPS.values()) == set(STATES)


def test_verified_can_be_reached_from_every_state() -> None:
    reaches = {"verified"}
    for _ in STATES:
        reaches |= {state for (state, _), to in STEPS.items() if to in reaches}
    assert reaches == set(STATES)


def test_only_a_proof_of_the_whole_file_verifies() -> None:
    into_verified = [(state, event) for (state, event), to in STEPS.items() if to == "verified"]
    assert into_verified == [("verifying", TransferEvent.PROVEN)]


def test_a_step_that_is_not_in_the_table_raises() -> None:
    taken, refused = tried_steps(TRANSITIONS, STATES, TransferEvent)
    assert taken == STEPS
    assert [text for text in refused if "cannot take" not in text] == []


def test_lan_stalls_when_no_piece_came_for_long_enough() -> None:
    activity = LanActivity(pieces=100, changed_at=50.0)
    assert not activity.observe(100, 60.0).stalled(50.0 + LAN_STALL_SECONDS - 0.1)
    assert activity.observe(100, 60.0).stalled(50.0 + LAN_STALL_SECONDS)
    assert not activity.observe(101, 60.0).stalled(50.0 + LAN_STALL_SECONDS)
    assert activity.observe(99, 60.0).observe(100, 65.0).stalled(50.0 + LAN_STALL_SECONDS), "lost and found"
    assert not activity.stalled(50.0 + LAN_STALL_SECONDS, patience_seconds=LAN_STALL_SECONDS + 1)


def test_seconds_run_until_verified_and_are_never_negative() -> None:
    assert seconds_taken(record(), 1_012.5) == 12.5
    assert seconds_taken(record(verified_at=1_007.0), 1_012.5) == 7.0
    assert seconds_taken(record(), 900.0) == 0.0, "a clock that was set back"

"""`p2pdist.transfer.transfer`: when it is tried again, what is reported, how often it is looked at."""

import dataclasses

from p2pdist.shared.manifest.documents import Manifest, Payload, RolloutEntry
from p2pdist.shared.wire.frames import encode_frame
from p2pdist.shared.wire.messages import MAX_CONTROL_FRAME_BYTES, decode_from_endpoint, encode_message
from p2pdist.transfer.states import LAN_STALL_SECONDS, LanActivity
from p2pdist.transfer.transfer import (
    ACTIVE_STEP_SECONDS,
    IDLE_STEP_SECONDS,
    LONGEST_RETRY_SECONDS,
    RETRY_SECONDS,
    STALLED_STEP_SECONDS,
    Transfer,
    changed_reports,
    new_record,
    step_seconds,
)
from p2pdist.trust.catalogue import CataloguePatch


def transfer(n: int = 0) -> Transfer:
    digest = f"{n:064x}"
    payload = Payload(file_name="f", length_bytes=1, sha256=digest, torrent_hash=digest)
    patch = CataloguePatch(
        entry=RolloutEntry(patch_id=f"p{n:063}", version="9" * 64, sequence=n),
        manifest=Manifest(
            format=1,
            patch_id=f"p{n:063}",
            version="9" * 64,
            title="",
            severity="low",
            cvss=None,
            published_at=0,
            payloads=[payload],
        ),
        payload=payload,
        torrent=b"",
    )
    return Transfer(patch, new_record(patch, 0.0), "waiting", LanActivity(0, 0.0))


def test_each_failure_in_a_row_waits_longer_up_to_a_cap() -> None:
    failing = transfer()
    waits = []
    for _ in range(20):
        failing.failed("broken", now=100.0)
        waits.append(failing.retry_at - 100.0)
    assert waits[:3] == [RETRY_SECONDS, 2 * RETRY_SECONDS, 4 * RETRY_SECONDS]
    assert waits[-1] == LONGEST_RETRY_SECONDS
    failing.retry_soon(now=100.0)
    assert failing.retry_at == 100.0 + RETRY_SECONDS


def test_reports_on_very_many_patches_fit_their_frames() -> None:
    many = [transfer(n) for n in range(2_000)]
    for one in many:
        one.error = "\N{GRINNING FACE}" * 400
    reports = changed_reports(many, 1.0)
    assert sum(len(report.patches) for report in reports) == 2_000
    for report in reports:
        encode_frame(encode_message(report), max_bytes=MAX_CONTROL_FRAME_BYTES)
        assert decode_from_endpoint(encode_message(report)) == report
    assert changed_reports(many, 2.0) == [], "the running clock alone is no news"


def test_a_patch_that_gets_no_bytes_wakes_the_pc_less_often() -> None:
    fetching = dataclasses.replace(transfer(), state="fetching")
    assert step_seconds([fetching], 0.0) == ACTIVE_STEP_SECONDS
    assert step_seconds([fetching], LAN_STALL_SECONDS) == STALLED_STEP_SECONDS
    fetching.origin_piece_at = LAN_STALL_SECONDS
    assert step_seconds([fetching], LAN_STALL_SECONDS) == ACTIVE_STEP_SECONDS
    assert step_seconds([dataclasses.replace(fetching, state="verified")], 0.0) == IDLE_STEP_SECONDS


def test_a_failed_patch_is_tried_again_when_it_was_promised() -> None:
    failing = dataclasses.replace(transfer(), state="failed")
    failing.failed("broken", now=100.0)
    done = dataclasses.replace(transfer(1), state="verified")
    assert step_seconds([done, failing], 100.0) == RETRY_SECONDS
    assert step_seconds([done, failing], 101.0) == RETRY_SECONDS - 1.0
    assert step_seconds([done, failing], 200.0) == 0.0, "overdue"
    failing.retry_at = 100.0 + LONGEST_RETRY_SECONDS
    assert step_seconds([done, failing], 100.0) == IDLE_STEP_SECONDS

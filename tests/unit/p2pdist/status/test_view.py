"""`p2pdist.status.view`: which parts a patch's view has, and which of them decides what is said."""

import math

from msgspec.structs import replace

from p2pdist.shared.identifiers import PatchRef, TorrentHash
from p2pdist.shared.manifest.documents import RolloutEntry
from p2pdist.status.patches import views_of
from p2pdist.status.view import PatchView
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from p2pdist.transfer.states import LanActivity
from p2pdist.transfer.torrent_engine import PeerSnapshot, TransferSnapshot
from p2pdist.trust.catalogue import RefusedPatch
from tests.helpers.patch_views import file, plan_row, transfer, view_of_file

REF = PatchRef("acme", "1")
FULL = TransferFault(TransferFaultKind.DISK_FULL, "The disk is full.")


def test_every_patch_has_a_view_whichever_parts_there_are_of_it() -> None:
    here, only_planned, no_plan = transfer(1, REF), PatchRef("tool", "1"), transfer(2, PatchRef("new", "1"))
    rows = [
        plan_row(only_planned, life=None, here=False, not_applicable="no"),
        plan_row(REF, life="waiting", here=True),
    ]
    refused = RefusedPatch(RolloutEntry(patch_id="bad", version="1", sequence=3), "it has no manifest")
    views = views_of([here, no_plan], rows, [refused], file_of=lambda each, _: view_of_file(each))
    parts = [(str(view.ref), view.file is not None, view.plan is not None, view.refused) for view in views]
    assert parts == [
        ("acme@1", True, True, ""),
        ("new@1", True, False, ""),
        ("bad@1", False, False, "it has no manifest"),
        ("tool@1", False, True, ""),
    ]


def test_a_pc_that_installs_nothing_says_nothing_beyond_the_file() -> None:
    (view,) = views_of([transfer(1, REF)], [], [], file_of=lambda each, _: view_of_file(each))
    assert (view.install, view.install_reason, view.decided_by_plan) == ("", "", None)


def test_a_reason_belongs_to_a_state_of_the_installation() -> None:
    proven = PatchView(REF, file("verified"), plan_row(REF, life=None, here=True))  # the plan is made a moment later
    assert (proven.install, proven.install_reason) == ("", "")
    failed = PatchView(REF, file("verified"), plan_row(REF, life="failed", here=True, reason="exit code 1"))
    assert (failed.install, failed.install_reason != "") == ("failed", True)


def test_what_moves_is_read_from_the_engine() -> None:
    peer = PeerSnapshot("192.0.2.1", 1, 0, 0)
    snapshot = TransferSnapshot(TorrentHash("0" * 64), "downloading", 3, 0b001, 0b110, 0, 0, 0, 0.5, (peer,), None)
    moving = transfer(state="fetching", snapshot=snapshot, origin_piece_at=90.0)
    seen = view_of_file(moving, 100.0)
    assert (seen.progress, seen.missing, seen.lan_have, seen.neighbours) == (0.5, 0b110, 0b110, 1)
    assert (seen.since_line_seconds, seen.since_neighbour_seconds, seen.seconds) == (10.0, math.inf, 10.0)


def test_a_neighbour_counts_once_it_has_sent_something() -> None:
    moving = transfer(state="fetching")
    moving.activity = LanActivity(1, 97.0)
    assert view_of_file(moving, 100.0).since_neighbour_seconds == math.inf
    moving.record = replace(moving.record, bytes_from_peers=1)
    assert view_of_file(moving, 100.0).since_neighbour_seconds == 3.0


def test_an_error_is_the_fault_or_while_fetching_the_origins() -> None:
    assert file("failed", fault=FULL, origin_error="gone").error == FULL.text
    assert file("fetching", origin_error="gone").error == "gone"
    assert file("verified", origin_error="gone").error == ""


def test_the_plan_decides_once_the_file_is_proven_or_will_never_come() -> None:
    waiting = plan_row(REF, life="waiting", here=True)
    assert PatchView(REF, file("fetching"), waiting).decided_by_plan is None
    assert PatchView(REF, file("verified"), waiting).decided_by_plan is waiting
    assert PatchView(REF, file("verified"), plan_row(REF, life=None, here=True)).decided_by_plan is None, (
        "not known yet"
    )
    delivered = plan_row(REF, life=None, here=True, install=None)
    assert PatchView(REF, file("verified"), delivered).decided_by_plan is None
    elsewhere = plan_row(REF, life=None, here=False, not_applicable="not for kiosks")
    assert PatchView(REF, None, elsewhere).decided_by_plan is elsewhere
    assert PatchView(REF, None, plan_row(REF, life="waiting", here=False)).decided_by_plan is None

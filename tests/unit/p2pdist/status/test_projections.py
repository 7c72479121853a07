"""`p2pdist.status.projections`: `status`, `why` and the report to the server say one and the same of a patch."""

import dataclasses
import itertools
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from p2pdist.install.lifecycle import FailureClass, LifeState
from p2pdist.install.plan import PlanRow
from p2pdist.local_api.delivery_answers import WhyState
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import InstallState, PatchReport, PatchState
from p2pdist.status.projections import (
    Waiting,
    installs,
    patch_report,
    sentence,
    status_patch,
    status_patches,
    why_patch,
)
from p2pdist.status.reasons import WhyReason
from p2pdist.status.view import FileView, PatchView, WithdrawnView
from p2pdist.status.why import Circumstances, why
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from tests.helpers.patch_views import PLACE, WALL_TIME, file, plan_row

REF = PatchRef("acme", "1")
AROUND = Circumstances()
FAULTS = [TransferFault(kind, f"{kind.value}.") for kind in TransferFaultKind]
PATCH_STATES: tuple[PatchState, ...] = typing.get_args(PatchState)
LIFE_STATES: tuple[LifeState | None, ...] = (None, *typing.get_args(LifeState))
WHY_OF_INSTALL: dict[str, str | tuple[str, ...]] = {
    "not_applicable": ("it does not apply to this PC: ", "it is refused: "),
    "waiting": "its file is here; ",
    "installing": "it is being ",
    "unproven": "it waits to be proven: ",
    "restart_pending": ("it waits to be proven: ", "it is installed, and this PC has to be restarted"),
    "installed": "it is installed",
    "retrying": ("it has failed: tried again later: ", "it has been rolled back: tried again later: "),
    "rolled_back": "it has been rolled back: ",
    "failed": "it has failed: ",
}


def files() -> Iterator[FileView | None]:
    """Every state of a transfer with every fault that it can have."""
    yield None
    for state in PATCH_STATES:
        # a fault is kept until the file goes on; one that waits may have none yet
        faults = FAULTS if state == "failed" else [*FAULTS, None] if state == "waiting" else [None]
        for fault, origin_error in itertools.product(faults, ("", "its file is gone")):
            yield file(state, fault=fault, origin_error=origin_error)


def rows(*, here: bool) -> Iterator[PlanRow | None]:
    """No plan at all, then every state of an installation, tried again or not, where it applies and where not."""
    yield None
    refusals = (("", ""), ("not for kiosks", ""), ("", "a newer one is signed"))
    for life, (not_applicable, older), again in itertools.product(LIFE_STATES, refusals, (False, True)):
        fields: dict[str, Any] = {"restart_boot": "boot"} if again else {}
        if life in ("failed", "rolled_back"):
            retry_at = WALL_TIME + 60.0 if again else None
            fields = {"failure": FailureClass.INSTALL, "reason": "exit code 1", "retry_at": retry_at}
        yield plan_row(REF, life=life, here=here, not_applicable=not_applicable, older=older, **fields)
    yield plan_row(REF, life=None, here=here, install=None)


def views() -> Iterator[PatchView]:
    """Every combination of the two."""
    for seen in files():
        for row in rows(here=seen is not None and seen.state == "verified"):
            if seen is not None or row is not None:
                yield PatchView(REF, seen, row)
    yield PatchView(REF, refused="it has no manifest")


def waiting(view: PatchView) -> Waiting | None:
    return None if view.file is None else Waiting(why(view.file, AROUND), 3.0, {"other patches come first": 1.0})


VIEWS = list(views())


def test_the_three_agree() -> None:
    assert len(VIEWS) > 1_000
    for view in VIEWS:
        assert_agreement(view)


def assert_agreement(view: PatchView) -> None:
    shown, told = status_patch(view), patch_report(view)
    asked = why_patch(view, waiting(view), AROUND, WALL_TIME)
    assert (shown is not None) == (view.file is not None)
    if told is None:
        assert shown is None
        assert asked is None or (view.refused, asked.state) != ("", "failed")
        return
    assert asked is not None, "who hears of a patch from the server can ask the PC"
    assert installs([view]) == ({str(REF): told.install} if told.install else {})
    # until the file is proven, what became of an earlier copy does not matter
    decided = bool(told.install) and (view.file is None or told.state == "verified")
    assert asked.state == (told.install if decided else told.state)
    if shown is not None:
        assert (shown.state, shown.install or "", shown.error or "") == (told.state, told.install, told.error)
        assert (shown.install_reason or "") == told.install_reason
        assert (shown.progress, asked.progress) == (told.progress, told.progress)
        assert (shown.path is not None) == (told.state == "verified")
    if decided:
        assert asked.reason.startswith(WHY_OF_INSTALL[told.install])
    else:
        assert_the_file_is_explained(asked.reason, asked.detail, told, view)


def assert_the_file_is_explained(reason: str, detail: str, told: PatchReport, view: PatchView) -> None:
    assert (reason == WhyReason.HERE) == (told.state == "verified")
    assert (reason in (WhyReason.FAILED, WhyReason.DISK_FULL)) == (told.state == "failed")
    if told.state == "failed":
        assert view.file is not None
        assert view.file.fault is not None
        full = view.file.fault.kind is TransferFaultKind.DISK_FULL
        assert (reason, detail) == (WhyReason.DISK_FULL if full else WhyReason.FAILED, told.error)


def test_no_state_is_left_out() -> None:
    told = [report for view in VIEWS if (report := patch_report(view)) is not None]
    assert {report.state for report in told} == set(PATCH_STATES)
    assert {report.install for report in told} == set(typing.get_args(InstallState))
    asked = {row.state for view in VIEWS if (row := why_patch(view, waiting(view), AROUND, WALL_TIME)) is not None}
    assert asked == set(typing.get_args(WhyState)) - {"unknown", "withdrawn"}, "these are for what is in no rollout"


def test_what_is_withdrawn_says_so_and_what_is_left_of_it() -> None:
    states: dict[InstallState, str] = {"": "not_applicable", "installed": "installed", "rolled_back": "rolled_back"}
    for install, told in states.items():
        left = WithdrawnView("crashes", WALL_TIME - 60.0, install, removed=True)
        view = PatchView(REF, withdrawn=left)
        asked, report = why_patch(view, None, AROUND, WALL_TIME), patch_report(view)
        assert asked is not None
        assert report is not None
        assert (asked.state, asked.reason, asked.since_seconds) == ("withdrawn", "withdrawn: crashes", 60.0)
        assert bool(asked.detail) == bool(install)
        assert (report.state, report.progress, report.install) == ("waiting", 0.0, told)
        assert report.install_reason == "withdrawn: crashes"
        assert (status_patches([view]), installs([view])) == ([], {})


def test_what_a_newer_version_has_replaced_says_that_and_not_that_it_is_for_others() -> None:
    left = WithdrawnView("crashes", WALL_TIME, removed=True, replaced_by="acme@2")
    report = patch_report(PatchView(REF, withdrawn=left))
    assert report is not None
    assert (report.install, report.install_reason) == ("not_applicable", "replaced: acme@2 is installed")


def test_what_goes_back_says_what_is_in_the_way() -> None:
    words = "recalled: crashes; it was here already"
    report = patch_report(PatchView(REF, withdrawn=WithdrawnView("crashes", WALL_TIME, "installed", True, words)))
    assert report is not None
    assert (report.install, report.install_reason) == ("installed", words)


def test_nothing_is_reported_of_a_withdrawn_patch_of_which_nothing_was_here() -> None:
    assert patch_report(PatchView(REF, withdrawn=WithdrawnView("crashes", WALL_TIME))) is None


def test_never_installed_for_one_and_failed_for_another() -> None:
    for view in VIEWS:
        told, asked = patch_report(view), why_patch(view, waiting(view), AROUND, WALL_TIME)
        if told is not None and asked is not None and "installed" in (told.install, asked.state):
            assert told.install == "installed"
            assert asked.state in ("installed", told.state), "until its file is proven, why tells of the file"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (plan_row(REF, life="waiting", here=True), "its file is here; to be installed: may be installed at any time"),
        (plan_row(REF, life="installing", here=True), "it is being installed"),
        (plan_row(REF, life="rolling_back", here=True), "it is being rolled back"),
        (plan_row(REF, life="installed", here=True), "it is installed"),
        (
            plan_row(REF, life="installed", here=True, restart_boot="x"),
            "it is installed, and this PC has to be restarted",
        ),
        (plan_row(REF, life="failed", here=True, reason="exit code 1"), "it has failed: exit code 1"),
        (
            plan_row(REF, life="unproven", here=True, reason="installed, restart pending", restart_boot="x"),
            "it waits to be proven: installed, restart pending",
        ),
        (plan_row(REF, life="rolled_back", here=True, reason="sick"), "it has been rolled back: sick"),
        (
            plan_row(REF, life=None, here=False, not_applicable="not applicable: no tool"),
            "it does not apply to this PC: no tool",
        ),
    ],
)
def test_what_becomes_of_it_in_a_clause(row: PlanRow, words: str) -> None:
    assert sentence(row) == words


def test_a_step_back_is_refused_with_its_reason_to_the_user_and_to_the_server() -> None:
    view = PatchView(REF, None, plan_row(REF, life="waiting", here=False, older="a newer one is signed"))
    told, asked = patch_report(view), why_patch(view, None, AROUND, WALL_TIME)
    assert told is not None
    assert (told.install, told.install_reason) == ("not_applicable", "refused: a newer one is signed")
    assert asked is not None
    assert (asked.state, asked.reason) == ("not_applicable", "it is refused: a newer one is signed")


def test_why_tells_since_when_an_installation_is_as_it_is() -> None:
    view = PatchView(REF, file("verified"), plan_row(REF, life="installed", here=True))
    row = why_patch(view, waiting(view), AROUND, WALL_TIME)
    assert row is not None
    assert (row.since_seconds, row.seconds) == (7.0, {"other patches come first": 1.0})
    earlier = why_patch(view, waiting(view), AROUND, WALL_TIME - 100.0)
    assert earlier is not None
    assert earlier.since_seconds == 0.0, "a clock that was set back"


def test_what_cannot_be_taken_says_so_and_what_to_do() -> None:
    row = why_patch(PatchView(REF, refused="it has no manifest"), None, AROUND, WALL_TIME)
    assert row is not None
    assert (row.state, row.reason) == ("failed", "it is rolled out but cannot be taken")
    assert row.detail == "it has no manifest. Publish it again."


def test_status_is_by_order_of_publication_and_shortens_what_is_long() -> None:
    long = TransferFault(TransferFaultKind.DISK, "x" * 10_000)
    late, early = (PatchView(PatchRef(str(n), "1"), file("failed", sequence=n, fault=long)) for n in (2, 1))
    shown = status_patches([late, early, PatchView(REF, refused="no")])
    assert [row.id for row in shown] == ["1", "2"]
    assert len(shown[0].error or "") == 400
    report = patch_report(late)
    assert report is not None
    assert len(report.error) == 400


def test_a_proven_file_has_its_place() -> None:
    (shown,) = status_patches([PatchView(REF, file("verified"))])
    assert shown.path == PLACE


def test_a_patch_that_is_only_delivered_has_no_reason_of_an_installation() -> None:
    view = PatchView(REF, file("verified"), plan_row(REF, life=None, here=True, install=None))
    assert view.plan is not None
    assert view.plan.reason, "the plan has one"
    report, (shown,) = patch_report(view), status_patches([view])
    assert report is not None
    assert (report.install, report.install_reason) == ("", "")
    assert (shown.install, shown.install_reason) == (None, None)


@pytest.mark.parametrize(("life", "told"), [("failed", True), ("rolled_back", True), ("installed", False)])
def test_what_an_installer_wrote_is_reported_where_it_failed(life: LifeState, *, told: bool) -> None:
    view = PatchView(REF, file("verified"), plan_row(REF, life=life, here=True), output="x" * 500 + "no room")
    report = patch_report(view)
    assert report is not None
    assert report.install_output == (("x" * 393 + "no room") if told else "")


def test_what_was_built_here_is_told_in_all_three() -> None:
    view = file("fetching")
    record = replace(view.record, bytes_built=7, built_of="0.9", bytes_from_origin=2, bytes_from_peers=3)
    patch = PatchView(REF, dataclasses.replace(view, record=record))
    row, report = status_patch(patch), patch_report(patch)
    reason = why_patch(patch, Waiting(WhyReason.FROM_LINE, 1.0), AROUND, WALL_TIME)
    assert row is not None
    assert report is not None
    assert reason is not None
    assert (row.bytes_built, row.built_of, report.bytes_built) == (7, "0.9", 7)
    assert (reason.bytes_built, reason.built_of, reason.bytes_from_origin, reason.bytes_from_peers) == (7, "0.9", 2, 3)

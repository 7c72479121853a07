"""`p2pdist.status.reports`: the server is told news once, what is decided at once, and what passes seldom."""

import math

import pytest

from p2pdist.install.lifecycle import LifeState
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.look_pace import look_pause_seconds
from p2pdist.shared.wire.channels import decode_from_endpoint, encode_message
from p2pdist.shared.wire.fields import DEFAULT_REPORT_SECONDS, MAX_CONTROL_FRAME_BYTES
from p2pdist.shared.wire.frames import encode_frame
from p2pdist.shared.wire.messages import PatchState, Report
from p2pdist.status.reports import Reports
from p2pdist.status.view import FileView, PatchView
from p2pdist.transfer.faults import TransferFault, TransferFaultKind
from tests.helpers.patch_views import file, plan_row, transfer, view_of_file

REF = PatchRef("acme", "1")
OTHER = PatchRef("tool", "1")
AT = 100.0


def states(reports: Reports, now: float, *views: PatchView) -> list[tuple[str, str, str]]:
    return [(r.patch_id, r.state, r.install) for report in reports.news(views, now) for r in report.patches]


def fetching(progress: float) -> FileView:
    return file("fetching", progress=progress)


def told_first(reports: Reports, now: float, *views: PatchView) -> list[Report]:
    """Return the reports of what waits for no other news, which begins ``now``."""
    return [*reports.news(views, now), *reports.news(views, now + DEFAULT_REPORT_SECONDS)]


def test_very_many_patches_with_the_longest_texts_fit_their_frames() -> None:
    fault = TransferFault(TransferFaultKind.DISK, "\N{GRINNING FACE}" * 400)
    views = []
    for n in range(2_000):
        failed = transfer(n, fault=fault)
        row = plan_row(failed.ref, life=None, here=False, not_applicable="\N{GRINNING FACE}" * 1_000)
        views.append(PatchView(failed.ref, view_of_file(failed), row))
    news = told_first(Reports(), AT, *views)
    assert sum(len(report.patches) for report in news) == 2_000
    for report in news:
        encode_frame(encode_message(report), max_bytes=MAX_CONTROL_FRAME_BYTES)
        assert decode_from_endpoint(encode_message(report)) == report


def test_the_running_clock_alone_is_no_news() -> None:
    reports = Reports()
    assert told_first(reports, AT, PatchView(REF, file("fetching", seconds=1.0)))
    assert told_first(reports, AT + 10, PatchView(REF, file("fetching", seconds=9.0))) == []


def test_what_fails_anew_is_told_anew_however_quickly_it_fails() -> None:
    """Its version is published again with another recipe: the server must not take the failure for the one before."""
    reports = Reports()
    lives: tuple[LifeState, ...] = ("failed", "waiting")
    failed, waits = (PatchView(REF, file("verified"), plan_row(REF, life=life, here=True)) for life in lives)
    told = [states(reports, AT + n / 4, view) for n, view in enumerate((failed, waits, failed))]
    assert told == [[("acme", "verified", word)] for word in ("failed", "waiting", "failed")]


def test_of_a_small_patch_one_report_tells_how_it_ended() -> None:
    reports = Reports()
    passing: list[PatchState] = ["waiting", "checking", "fetching", "verifying"]
    told = [states(reports, AT + n / 4, PatchView(REF, file(state))) for n, state in enumerate(passing)]
    assert told == [[], [], [], []]
    assert reports.pending_seconds(AT + 1.0) == DEFAULT_REPORT_SECONDS - 1.0
    assert states(reports, AT + 1.0, PatchView(REF, file("verified"))) == [("acme", "verified", "")]
    assert reports.pending_seconds(AT + 1.0) == math.inf


def test_counters_and_what_passes_wait_and_what_is_decided_does_not() -> None:
    reports = Reports()
    assert states(reports, AT, PatchView(REF, fetching(0.1))) == []
    at = AT + DEFAULT_REPORT_SECONDS
    assert states(reports, at, PatchView(REF, fetching(0.1))) == [("acme", "fetching", "")]
    assert states(reports, at + 0.1, PatchView(REF, fetching(0.2))) == []
    soon = at + 0.1 + DEFAULT_REPORT_SECONDS
    assert states(reports, soon, PatchView(REF, fetching(0.2))) == [("acme", "fetching", "")]
    assert states(reports, soon, PatchView(REF, file("verified"))) == [("acme", "verified", "")]
    row = plan_row(REF, life="installed", here=True)
    assert states(reports, soon, PatchView(REF, file("verified"), row)) == [("acme", "verified", "installed")]


def test_a_refused_patch_of_which_bytes_are_here_is_reported_by_its_file() -> None:
    reports = Reports()
    views = PatchView(REF, file("verified")), PatchView(REF, refused="its manifest is broken")
    assert states(reports, AT, *views) == [("acme", "verified", "")]
    assert states(reports, AT + DEFAULT_REPORT_SECONDS, *views) == []


def test_many_patches_are_looked_at_less_often_and_a_new_server_waits_for_nothing() -> None:
    reports = Reports()
    assert reports.wait_seconds(AT) == 0.0
    reports.news([PatchView(REF, fetching(0.1))], AT)
    assert reports.wait_seconds(AT) < 0.01, "few wait for less than the shortest step"
    many, wait = [PatchView(PatchRef("acme", str(n)), fetching(0.1)) for n in range(500)], look_pause_seconds(500)
    for began in (AT + 10.0, AT + 20.0):
        reports.news(many, began)
        assert reports.wait_seconds(began) == pytest.approx(wait), "also after a look that has found nothing"
        assert reports.wait_seconds(began + 0.6 * wait) == pytest.approx(0.4 * wait)
        assert reports.wait_seconds(began + 1.1 * wait) == 0.0
    reports.forget()
    assert reports.wait_seconds(AT + 20.0) == 0.0


def test_a_new_server_hears_everything_again() -> None:
    reports, known = Reports(), PatchView(REF, fetching(0.1))
    assert len(told_first(reports, AT, known)) == 1
    assert told_first(reports, AT + 10, known) == []
    reports.forget()
    assert len(told_first(reports, AT + 20, known)) == 1


def test_a_patch_that_was_away_is_reported_again() -> None:
    reports, known = Reports(), PatchView(REF, fetching(0.1))
    assert len(told_first(reports, AT, known)) == 1
    assert told_first(reports, AT + 10) == []
    assert len(told_first(reports, AT + 20, known)) == 1


@pytest.mark.parametrize("reason", ["no tool", "x" * 1_000])
def test_what_does_not_apply_is_reported_without_a_file(reason: str) -> None:
    row = plan_row(OTHER, life=None, here=False, not_applicable=reason)
    (report,) = told_first(Reports(), AT, PatchView(OTHER, plan=row))
    (told,) = report.patches
    assert (told.ref, told.state, told.install, told.install_reason) == (
        OTHER,
        "waiting",
        "not_applicable",
        reason[:400],
    )


def test_what_is_only_planned_or_cannot_be_taken_is_not_reported() -> None:
    planned = PatchView(OTHER, plan=plan_row(OTHER, life="waiting", here=False))
    assert told_first(Reports(), AT, planned, PatchView(REF, refused="it has no manifest")) == []


def test_what_is_refused_is_told_at_once_once_and_again_after_a_new_connection() -> None:
    refused = [""]

    def told(now: float, refuses: str) -> list[str]:
        refused[0] = refuses
        return [report.refuses for report in reports.news([], now)]

    reports = Reports(lambda: refused[0])
    assert told(AT, "") == []
    assert told(AT + 0.1, "expired") == ["expired"]
    assert told(AT + 0.2, "expired") == []
    reports.forget()
    assert told(AT + 0.3, "expired") == ["expired"]
    assert told(AT + 0.4, "") == [""]
    reports.forget()
    assert told(AT + 0.5, "") == [""], "what the server knows of before may be old"
    assert told(AT + 0.6, "x" * 1_000) == ["x" * 400]
    assert told(AT + 0.7, "x" * 1_000) == []


def test_every_report_says_what_is_refused() -> None:
    views = [PatchView(PatchRef("acme", str(n)), fetching(0.1)) for n in range(100)]
    assert {report.refuses for report in told_first(Reports(lambda: "expired"), AT, *views)} == {"expired"}


def test_in_a_large_fleet_only_what_is_decided_is_told_at_once() -> None:
    reports = Reports(share=0.5)
    reports.pace.seconds = 64.0
    assert states(reports, AT, PatchView(REF, fetching(0.1))) == []
    assert states(reports, AT + 40.0, PatchView(REF, fetching(0.2))) == [("acme", "fetching", "")]
    soon = AT + 40.1
    assert states(reports, soon, PatchView(REF, file("verified"))) == []
    row = plan_row(REF, life="installing", here=True)
    assert states(reports, soon, PatchView(REF, file("verified"), row)) == []
    row = plan_row(REF, life="installed", here=True)
    assert states(reports, soon, PatchView(REF, file("verified"), row)) == [("acme", "verified", "installed")]
    assert states(reports, soon, PatchView(OTHER, file("failed"))) == [("tool", "failed", "")]


def test_what_passes_is_told_in_the_end_when_nothing_is_decided() -> None:
    reports = Reports(share=1.0)
    reports.pace.seconds = 64.0
    assert states(reports, AT, PatchView(REF, file("verified"))) == []
    assert states(reports, AT + 64.0, PatchView(REF, file("verified"))) == [("acme", "verified", "")]


def serials(news: list[Report]) -> list[tuple[int, list[str]]]:
    return [(report.serial, [patch.patch_id for patch in report.patches]) for report in news]


def test_a_new_connection_hears_again_what_the_last_one_may_have_lost_and_no_more() -> None:
    reports, tool = Reports(), PatchView(OTHER, file("verified"))
    reports.forget(0, connection=7)
    acme = PatchView(REF, fetching(0.1))
    assert serials(told_first(reports, AT, tool)) == [(1, ["tool"])]
    assert serials(told_first(reports, AT + 10.0, tool, acme)) == [(2, ["acme"])]
    reports.forget(1, connection=8)
    (again,) = told_first(reports, AT + 20.0, tool, acme)
    assert serials([again]) == [(3, ["acme"])]
    assert again.connection == 8
    reports.forget(3, connection=9)
    assert told_first(reports, AT + 30.0, tool, acme) == []
    reports.forget(0, connection=10)
    assert serials(reports.news([tool, acme], AT + 40.0)) == [(4, ["tool", "acme"])], "it has been replaced"


def test_a_server_that_speaks_of_another_run_or_counts_nothing_is_told_everything() -> None:
    for recorded, connection in ((99, 8), (0, 0)):
        reports, known = Reports(), PatchView(REF, fetching(0.1))
        reports.forget(0, connection=7)
        assert len(told_first(reports, AT, known)) == 1
        reports.forget(recorded, connection)
        assert len(told_first(reports, AT + 10.0, known)) == 1


def test_what_is_refused_is_repeated_only_where_it_may_be_lost() -> None:
    reports = Reports(lambda: "expired")
    reports.forget(0, connection=7)
    assert [(report.serial, report.refuses) for report in reports.news([], AT)] == [(1, "expired")]
    reports.forget(1, connection=8)
    assert reports.news([], AT + 0.1) == []
    reports.forget(0, connection=9)
    assert [report.refuses for report in reports.news([], AT + 0.2)] == ["expired"]

"""`p2pdist.install.plan`: what is installed next, and why the rest waits."""

import dataclasses
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from p2pdist.install.lifecycle import FailureClass, InstallRecord, Journal, PutOff, failed
from p2pdist.install.order import StepKind
from p2pdist.install.plan import NOT_HERE, Candidate, PlanMoment, PlanRow, plan_rows
from p2pdist.install.schedule import TimingReason
from p2pdist.shared.manifest.documents import Manifest, Payload
from p2pdist.shared.manifest.recipe import ArchiveInstall, ScheduleRules

PAYLOAD = Payload(file_name="a.tar", length_bytes=1, sha256="0" * 64, torrent_hash="1" * 64)
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()  # a Wednesday


def candidate(
    patch_id: str, *, sequence: int = 1, here: bool = True, not_applicable: str = "", **fields: Any
) -> Candidate:
    made: dict[str, Any] = {"install": ArchiveInstall(directory=f"/opt/{patch_id}"), "severity": "high"}
    manifest = Manifest(
        format=1,
        patch_id=patch_id,
        version="1",
        title="",
        cvss=None,
        published_at=0,
        payloads=[PAYLOAD],
        **(made | fields),
    )
    return Candidate(manifest, sequence, None if not_applicable else PAYLOAD, "/x" if here else None, not_applicable)


def record(patch_id: str, **fields: Any) -> InstallRecord:
    made = InstallRecord(patch_id=patch_id, version="1", state="waiting", first_seen_at=0.0, changed_at=0.0)
    return replace(made, **fields)


def moment(now: float = NOW, zone: tzinfo = UTC, blackout: datetime | None = None) -> PlanMoment:
    return PlanMoment(datetime.fromtimestamp(now, UTC), zone, blackout)


def rows(*candidates: Candidate, blackout: bool = False, **records: InstallRecord) -> list[PlanRow]:
    made = {
        o.ref.patch_id: record(o.ref.patch_id)
        for o in candidates
        if o.manifest.install is not None and not o.not_applicable
    }
    journal = Journal(records=tuple((made | records).values()))
    until = datetime(2026, 11, 25, 13, tzinfo=UTC) if blackout else None
    return plan_rows(list(candidates), journal, moment(NOW, UTC, until))


def test_the_more_urgent_is_due_first_and_what_it_requires_before_it() -> None:
    low = candidate("low", sequence=1, severity="low")
    needed = candidate("needed", sequence=2, severity="low")
    high = candidate("high", sequence=3, severity="high")
    critical = candidate("critical", sequence=4, severity="critical", requires=("needed",))
    planned = [row.candidate.ref.patch_id for row in rows(low, needed, high, critical)]
    assert planned == ["needed", "critical", "high", "low"]


def test_first_published_is_due_first_and_an_emergency_before_it() -> None:
    first, second = candidate("a", sequence=1), candidate("b", sequence=2)
    assert [(row.candidate.ref.patch_id, row.due) for row in rows(second, first)] == [("a", True), ("b", True)]
    urgent = candidate("c", sequence=3, schedule=ScheduleRules(emergency=True, windows=("mon 01:00-02:00",)))
    assert rows(second, first, urgent)[0].candidate is urgent


def test_one_that_needs_another_waits_until_that_is_installed() -> None:
    needed, needing = candidate("a"), candidate("b", sequence=2, requires=("a",))
    assert [(row.kind, row.due) for row in rows(needed, needing)] == [(StepKind.INSTALL, True), (StepKind.WAIT, False)]
    after = rows(needed, needing, a=record("a", state="installed"))
    assert [(row.kind, row.due) for row in after] == [(StepKind.SKIP, False), (StepKind.INSTALL, True)]


@pytest.mark.parametrize(
    ("made", "reason", "again_at"),
    [
        (candidate("a", here=False), NOT_HERE, None),
        (candidate("a", schedule=ScheduleRules(windows=("wed 22:00-23:00",))), TimingReason.NO_WINDOW.value, 36_000.0),
        (
            candidate("a", schedule=ScheduleRules(not_before="2026-11-25T12:30")),
            "waits for its release on this PC",
            1_800.0,
        ),
    ],
)
def test_reasons_to_wait(made: Candidate, reason: str, again_at: float | None) -> None:
    (row,) = rows(made)
    assert (row.due, row.reason, row.again_at) == (False, reason, None if again_at is None else NOW + again_at)


def test_a_window_in_an_hour_that_the_clock_skips_is_told_by_a_time_that_exists() -> None:
    saturday = datetime(2026, 3, 28, 12, tzinfo=UTC).timestamp()
    sunday = candidate("a", schedule=ScheduleRules(windows=("sun 02:00-03:00",)))
    journal = Journal(records=(record("a"),))
    (row,) = plan_rows([sunday], journal, moment(saturday, ZoneInfo("Europe/Oslo")))
    assert row.again_at == datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()  # 03:00 in Oslo
    (row,) = plan_rows([sunday], journal, moment(row.again_at, ZoneInfo("Europe/Oslo")))
    assert (row.due, row.reason) == (True, "a maintenance window is open")


def test_a_blackout_holds_up_emergencies_too() -> None:
    (row,) = rows(candidate("a", schedule=ScheduleRules(emergency=True)), blackout=True)
    assert (row.due, row.reason, row.again_at) == (False, "waits: a blackout", NOW + 3_600)


def test_failure_is_tried_again_later_or_blocks() -> None:
    broken = replace(failed(record("a"), FailureClass.INSTALL, "exit code 3"), state="rolled_back")
    (row,) = rows(candidate("a"), a=replace(broken, retry_at=NOW + 60))
    assert (row.due, row.reason, row.again_at) == (False, "tried again later: exit code 3", NOW + 60)
    (row,) = rows(candidate("a"), a=broken)
    assert (row.kind, row.reason, row.state) == (StepKind.BLOCKED, "exit code 3", "rolled_back")


@pytest.mark.parametrize(("minutes", "hours"), [(30, 0.5), (90, 24)])
def test_another_try_is_told_for_when_a_window_lets_it_happen(minutes: int, hours: float) -> None:
    """NOW is noon of a Wednesday."""
    nightly = ScheduleRules(windows=("wed,thu 12:00-13:00",))
    broken = replace(failed(record("a"), FailureClass.INSTALL, "exit code 3"), state="failed")
    (row,) = rows(candidate("a", schedule=nightly), a=replace(broken, retry_at=NOW + minutes * 60))
    assert (row.state, row.reason) == ("retrying", "tried again later: exit code 3")
    assert row.again_at == NOW + hours * 3_600


def test_what_is_busy_or_not_proven_yet_says_so() -> None:
    busy = record("a", put_off=PutOff(count=3, since=NOW), retry_at=NOW + 60, reason="dpkg is locked")
    (row,) = rows(candidate("a"), a=busy)
    assert (row.state, row.reason, row.again_at) == ("waiting", "waits: dpkg is locked", NOW + 60)
    restart = record("a", state="unproven", restart_boot="one", retry_at=NOW + 60, reason="restart pending")
    (row,) = rows(candidate("a"), a=restart)
    assert (row.state, row.reason, row.due) == ("restart_pending", "restart pending", False)


def test_what_does_not_apply_says_why_unless_it_is_installed() -> None:
    (row,) = rows(candidate("a", not_applicable="not applicable: openssl 3.0.19 ≥ 3.0.17"))
    assert (row.state, row.reason, row.settled) == ("not_applicable", "not applicable: openssl 3.0.19 ≥ 3.0.17", True)
    # a patch that has just been installed often does not apply any more
    (row,) = rows(candidate("a", not_applicable="x"), a=record("a", state="installed"))
    assert (row.state, row.reason) == ("installed", "installed")


def test_a_file_without_a_recipe_is_done_when_it_is_here() -> None:
    file = candidate("a", install=None)
    after = rows(file, candidate("b", sequence=2, requires=("a",)))
    assert [(row.kind, row.settled) for row in after] == [(StepKind.SKIP, True), (StepKind.INSTALL, False)]
    assert after[0].reason == "delivered", "nobody has installed it"


def test_patches_that_wait_for_each_other_are_blocked_and_said() -> None:
    both = rows(candidate("a", requires=("b",)), candidate("b", requires=("a",)))
    assert {row.kind for row in both} == {StepKind.BLOCKED}
    assert "wait for each other" in both[0].reason


@pytest.mark.parametrize(("number", "older"), [(1, True), (2, False), (3, False)])
def test_what_is_below_the_highest_that_was_installed_is_refused(number: int, older: bool) -> None:
    made = candidate("a", number=number)
    (row,) = plan_rows([made], Journal(records=(record("a"),), lowest={"a": 2}), moment(NOW, UTC))
    assert (row.due, bool(row.older), row.settled) == (not older, older, older)
    assert row.state == ("not_applicable" if older else "waiting")
    assert row.reason.startswith("refused: this PC has had a newer one") == older


def test_what_the_offline_role_refuses_says_its_reason_first() -> None:
    made = dataclasses.replace(candidate("a", number=1), older="a newer one is signed")
    for lowest in ({}, {"a": 2}):
        (row,) = plan_rows([made], Journal(records=(record("a"),), lowest=lowest), moment(NOW, UTC))
        assert (row.due, row.state, row.reason) == (False, "not_applicable", "refused: a newer one is signed")


def test_an_older_one_that_is_detected_is_installed_all_the_same() -> None:
    made = candidate("a", number=1)
    journal = Journal(records=(record("a", state="installed"),), lowest={"a": 2})
    (row,) = plan_rows([made], journal, moment(NOW, UTC))
    assert (row.state, row.due) == ("installed", False)


NOT_YET = "its ring is not open: ring broad"


def waiting(patch_id: str, *, sequence: int = 1, here: bool = False, **fields: Any) -> Candidate:
    made = candidate(patch_id, sequence=sequence, here=here, **fields)
    return dataclasses.replace(made, not_yet=NOT_YET, not_yet_until=NOW + 60)


def test_what_waits_for_its_ring_says_so_and_owes_nothing() -> None:
    for here in (False, True):
        (row,) = plan_rows([waiting("a", here=here)], Journal(), moment())
        assert (row.kind, row.reason, row.again_at, row.due) == (StepKind.WAIT, NOT_YET, NOW + 60, False)
        assert (row.settled, row.waits_for_rollout, row.state) == (True, True, "")


@pytest.mark.parametrize("state", ["installed", "installing", "rolling_back", "unproven"])
def test_what_has_begun_or_is_installed_does_not_wait_for_a_ring(state: Any) -> None:
    (row,) = rows(waiting("a"), a=record("a", state=state))
    assert NOT_YET not in row.reason
    assert not row.waits_for_rollout


def test_what_failed_is_not_tried_again_before_its_ring_opens() -> None:
    broken = replace(failed(record("a"), FailureClass.INSTALL, "exit code 3"), state="rolled_back")
    (row,) = rows(waiting("a", here=True), a=replace(broken, retry_at=NOW - 1))
    assert (row.due, row.reason) == (False, NOT_YET)
    (row,) = rows(waiting("a", here=True), a=broken)
    assert (row.kind, row.reason, row.settled) == (StepKind.BLOCKED, "exit code 3", True)


def test_a_file_that_is_here_stays_delivered() -> None:
    (row,) = rows(waiting("a", here=True, install=None))
    assert (row.kind, row.waits_for_rollout) == (StepKind.SKIP, False)
    (row,) = rows(waiting("a", install=None))
    assert (row.kind, row.reason) == (StepKind.WAIT, NOT_YET)


def test_one_that_waits_for_its_ring_replaces_and_excludes_nothing_and_what_needs_it_waits() -> None:
    old, needing = candidate("old", sequence=2), candidate("needing", sequence=3, requires=("new",))
    rival = candidate("rival", sequence=4, conflicts=("new",))
    new = waiting("new", supersedes=("old",))
    found = {row.candidate.ref.patch_id: row for row in rows(new, old, needing, rival)}
    assert (found["old"].due, found["rival"].due) == (True, True)
    assert (found["needing"].kind, found["needing"].reason) == (StepKind.WAIT, "needs new@1 first")

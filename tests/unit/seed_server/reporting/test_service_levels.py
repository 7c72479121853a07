from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.identifiers import PatchRef
from seed_server.reporting.service_levels import (
    JudgedPatch,
    LevelCounts,
    LevelVerdict,
    deadline_of,
    hour_of_deadline,
    matches,
    service_level,
    tally,
    verdict,
    worst_first,
)
from seed_server.settings.sections import SlaRule
from seed_server.store.tables import REPORTED_SINCE

DAY, HOUR = 86_400, 3_600
PATCH = JudgedPatch(1, PatchRef("acme", "1"), "", "high", 9.1, REPORTED_SINCE + 100.0, ("CVE-2026-1", "CVE-2026-2"))
RULE = SlaRule(name="r", share_percent=95, days=7)


@pytest.mark.parametrize(
    ("severity", "cvss", "holds"),
    [("", None, True), ("high", None, True), ("critical", None, False), ("critical", 9.1, True), ("", 9.2, False)],
)
def test_a_rule_is_about_patches_that_reach_one_of_its_bounds(severity: str, cvss: float | None, holds: bool) -> None:
    rule = SlaRule(name="r", share_percent=95, days=7, least_severity=severity, least_cvss=cvss)  # type: ignore[arg-type]
    assert matches(rule, PATCH) is holds


def test_a_patch_without_a_score_and_of_an_unknown_severity_reaches_no_bound() -> None:
    unknown = replace(PATCH, severity="odd", cvss=None)
    assert not matches(SlaRule(name="r", share_percent=95, days=7, least_severity="low", least_cvss=0.0), unknown)


def test_a_deadline_ends_with_an_hour() -> None:
    begins, ends = deadline_of(RULE, PATCH) or (0, 0)
    assert (begins, ends) == (PATCH.published_at, REPORTED_SINCE + 7 * DAY + HOUR)
    assert hour_of_deadline(ends) == 7 * 24 + 1
    whole = replace(PATCH, published_at=float(REPORTED_SINCE))
    assert deadline_of(RULE, whole) == (REPORTED_SINCE, REPORTED_SINCE + 7 * DAY)


def test_the_clock_of_what_is_exploited_begins_with_the_first_day_that_is_known_but_not_before_the_patch() -> None:
    rule = SlaRule(name="r", share_percent=95, days=1, clock="kev")
    assert deadline_of(rule, PATCH) is None, "nothing is known of its vulnerabilities"
    days = {"CVE-2026-1": date(2025, 2, 3), "CVE-2026-2": date(2025, 2, 1)}
    begins, _ = deadline_of(rule, PATCH, days.get) or (0, 0)
    assert datetime.fromtimestamp(begins, UTC) == datetime(2025, 2, 2, tzinfo=UTC)
    early = {"CVE-2026-1": date(2020, 1, 1)}
    assert (deadline_of(rule, PATCH, early.get) or (0, 0))[0] == PATCH.published_at


def test_nothing_is_left_out_of_the_denominator() -> None:
    counts = LevelCounts(fleet=100, said=90, not_for_it=10, done=70, in_time=60, excepted=4, silent=3)
    level = service_level(RULE, PATCH, (0.0, 50.0), counts, now=60.0)
    assert (level.applicable, level.in_time, level.late, level.missing, level.unknown) == (80, 60, 10, 10, 10)
    assert (level.excepted, level.silent) == (4, 3)
    assert (level.share, level.least_share) == (60 / 80, 60 / 90)
    assert level.verdict is LevelVerdict.BROKEN


@pytest.mark.parametrize(
    ("in_time", "applicable", "unknown", "running", "expected"),
    [
        (95, 100, 0, False, LevelVerdict.KEPT),
        (94, 100, 0, False, LevelVerdict.BROKEN),
        (95, 100, 1, False, LevelVerdict.UNCLEAR),
        (0, 0, 0, False, LevelVerdict.KEPT),
        (0, 0, 1, False, LevelVerdict.UNCLEAR),
        (0, 100, 0, True, LevelVerdict.RUNNING),
    ],
)
def test_verdicts_at_the_limit(
    in_time: int, applicable: int, unknown: int, running: bool, expected: LevelVerdict
) -> None:
    assert verdict(in_time, applicable, unknown, 95, running=running) is expected


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), st.integers(1, 100))
def test_no_word_of_a_silent_pc_turns_a_verdict_round(done: int, more: int, unknown: int, share: int) -> None:
    """Whatever the PCs turn out to need that have said nothing: kept stays kept, and broken stays broken."""
    applicable = done + more
    now = verdict(done, applicable, unknown, share, running=False)
    possible = {verdict(done, applicable + some, 0, share, running=False) for some in range(unknown + 1)}
    if now is not LevelVerdict.UNCLEAR:
        assert possible == {now}
    else:
        assert possible == {LevelVerdict.KEPT, LevelVerdict.BROKEN}


def test_what_is_broken_comes_first() -> None:
    counts = LevelCounts(10, 10, 0, 0, 0, 0, 0)
    levels = [
        service_level(RULE, PATCH, (0.0, 90.0), counts, now=60.0),
        service_level(RULE, PATCH, (0.0, 50.0), counts, now=60.0),
        service_level(RULE, PATCH, (0.0, 50.0), replace(counts, done=10, in_time=10), now=60.0),
    ]
    assert [one.verdict for one in worst_first(levels)] == [
        LevelVerdict.BROKEN,
        LevelVerdict.RUNNING,
        LevelVerdict.KEPT,
    ]
    assert tally(levels) == {
        LevelVerdict.KEPT: 1,
        LevelVerdict.BROKEN: 1,
        LevelVerdict.RUNNING: 1,
        LevelVerdict.UNCLEAR: 0,
    }

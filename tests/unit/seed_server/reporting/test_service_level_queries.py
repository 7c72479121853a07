import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.actor import Actor
from seed_server.fleet.endpoint_operations import deny
from seed_server.reporting.answering import levels_document
from seed_server.reporting.judged_patches import PatchesAsked
from seed_server.reporting.service_level_queries import read_service_levels
from seed_server.reporting.service_levels import LevelVerdict
from tests.helpers.report_company import DAY
from tests.helpers.rollout_company import BEGIN, OTHERS, Company

ADA = Actor.local_user("ada")


def test_a_rule_is_measured_on_all_pcs_that_need_the_patch(reported: Company) -> None:
    report = read_service_levels(reported.context)
    (level,) = report.levels
    assert (level.rule.name, str(level.patch.ref)) == ("week", "office@1"), "it is not critical"
    assert level.deadline == BEGIN + 7 * DAY
    assert (level.applicable, level.in_time, level.late, level.missing) == (8, 4, 1, 3)
    assert (level.excepted, level.silent, level.unknown) == (1, 1, 1)
    assert level.verdict is LevelVerdict.BROKEN
    assert (report.fleet, report.denied) == (10, 0)


def test_a_denied_pc_is_counted_nowhere_and_told(reported: Company) -> None:
    deny(reported.context, ADA, OTHERS[0])
    report = read_service_levels(reported.context)
    (level,) = report.levels
    assert (level.applicable, level.in_time, report.fleet, report.denied) == (7, 3, 9, 1)


def test_before_the_deadline_it_is_still_running(reported: Company) -> None:
    reported.clock.wall = BEGIN + 6 * DAY
    (level,) = read_service_levels(reported.context).levels
    assert level.verdict is LevelVerdict.RUNNING


def test_patches_are_chosen_by_name_and_by_their_day(reported: Company) -> None:
    assert read_service_levels(reported.context, PatchesAsked(days=9)).levels == []
    assert len(read_service_levels(reported.context, PatchesAsked("office", days=9)).levels) == 1, "it is named"
    assert len(read_service_levels(reported.context, PatchesAsked(days=11)).levels) == 1
    with pytest.raises(UserError, match="No patch 'ofice' was published here. Did you mean 'office'"):
        read_service_levels(reported.context, PatchesAsked("ofice"))


def test_without_a_rule_it_says_how_one_is_written(company: Company) -> None:
    with pytest.raises(UserError, match=r"\[\[sla\]\]") as caught:
        read_service_levels(company.context)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_rules_are_named(reported: Company) -> None:
    assert read_service_levels(reported.context, rule="critical").levels == []
    with pytest.raises(UserError, match="no rule 'weak'. It has week, critical"):
        read_service_levels(reported.context, rule="weak")


def test_programs_get_the_same_numbers(reported: Company) -> None:
    document = levels_document(read_service_levels(reported.context))
    (level,) = document.levels
    assert (document.broken, document.kept, document.running, document.unclear) == (1, 0, 0, 0)
    assert (level.verdict, level.share, level.least_share) == ("broken", 0.5, 0.444444)

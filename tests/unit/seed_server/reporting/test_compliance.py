"""`seed_server.reporting.compliance` and its documents: how large a part is done, day by day."""

import pytest

from seed_server.fleet.endpoint_operations import deny
from seed_server.reporting.compliance import ComplianceDay, by_day, read_compliance
from seed_server.reporting.compliance_documents import compliance_document
from seed_server.reporting.service_levels import JudgedPatch
from seed_server.store.service_level_rows import ServiceLevelTable
from tests.helpers.report_company import DAY
from tests.helpers.rollout_company import ADA, BEGIN, OTHERS, REF, Company

MIDNIGHT = BEGIN - BEGIN % DAY


def test_each_day_has_who_was_done_by_its_end(reported: Company) -> None:
    found = read_compliance(reported.context, 12)
    assert (found.now, found.fleet, found.patches) == (BEGIN + 10 * DAY, 10, 1)
    shares = [(day.pairs, day.done) for day in found.days]
    assert shares == [(0, 0)] + [(9, 4)] * 8 + [(9, 5)] * 3, "the patch is not for one of the ten"
    assert [day.at for day in found.days[:2]] == [MIDNIGHT, MIDNIGHT + DAY]
    assert found.days[-1].at == found.now
    assert found.days[0].share is None


def test_by_rule_it_is_of_the_patches_that_are_under_it(reported: Company) -> None:
    document = compliance_document(read_compliance(reported.context, 3))
    week, critical = document.rules
    assert (week.rule, week.patches, week.wanted_percent) == ("week", 1, 80.0)
    assert [day.share for day in week.days] == [day.share for day in document.days] == [0.5556, 0.5556, 0.5556]
    assert (critical.patches, critical.days[-1].pairs, critical.days[-1].share) == (0, 0, None)


def test_a_denied_pc_counts_nowhere(reported: Company) -> None:
    deny(reported.context, ADA, OTHERS[0])
    assert (read_compliance(reported.context, 1).days[-1].pairs, read_compliance(reported.context, 1).fleet) == (8, 9)


def test_without_rules_and_reports_there_is_still_an_answer(company: Company) -> None:
    company.clock.wall += 60.0
    found = read_compliance(company.context)
    assert len(found.days) == 30
    assert (found.rules, found.days[-1].share) == ((), 0.0)


def test_more_done_than_it_is_for_is_all_of_it() -> None:
    patch = JudgedPatch(7, REF, "", "high", None, 5.0)
    assert by_day([patch], {7: 2}, {7: {-1: 1, 0: 4}}, [4.0, 10.0]) == [
        ComplianceDay(4.0, 0, 0),
        ComplianceDay(10.0, 2, 2),
    ]


def test_days_are_counted_from_an_hour_on_both_databases(reported: Company) -> None:
    patch = reported.database.patch_heads()[0].number
    ((hour, _), *_rest) = reported.database.done_by_hour(patch)
    database: ServiceLevelTable = reported.database
    days = database.done_by_day([patch], hour)
    assert days == {patch: {0: 4, 7: 1}}, "the other one came just before its eighth day was over"
    assert database.done_by_day([patch], hour + 1)[patch][-1] == 4
    assert database.done_by_day([patch], hour - 24)[patch][1] == 4
    assert database.done_by_day([], hour) == {}


@pytest.mark.parametrize("days", [1, 365])
def test_any_number_of_days(reported: Company, days: int) -> None:
    assert len(read_compliance(reported.context, days).days) == days

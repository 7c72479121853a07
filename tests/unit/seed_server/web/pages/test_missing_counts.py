"""`seed_server.web.pages.missing_counts`: counts are those of the report, and are counted once in a minute."""

from dataclasses import replace

from seed_server.fleet.endpoint_operations import deny
from seed_server.reporting.missing_pcs import MissingReason
from seed_server.reporting.missing_queries import MissingQuestion, read_missing
from seed_server.web.pages.missing_counts import (
    COUNTS_KEPT_SECONDS,
    MOST_COUNTS_KEPT,
    MOST_PAIRS,
    PAIRS_OF_A_PATCH,
    MissingCounts,
    too_many,
)
from tests.helpers.report_company import with_reports
from tests.helpers.rollout_company import ADA, OTHERS, Company

QUESTION = MissingQuestion("office")


def test_counts_are_those_of_the_report_and_age(company: Company) -> None:
    reported, counts = with_reports(company), MissingCounts()
    report = read_missing(reported.context, QUESTION)
    found = counts.of(reported.context, replace(QUESTION, reason="silent", after="1-1", size=7))
    assert (found.counts, found.total, found.at) == (report.counts, report.total, reported.clock.now())
    deny(reported.context, ADA, OTHERS[6])
    reported.clock.wall += COUNTS_KEPT_SECONDS - 1
    assert counts.of(reported.context, QUESTION) is found, "nobody looks at each PC again within a minute"
    reported.clock.wall += 1
    later = counts.of(reported.context, QUESTION)
    assert MissingReason.DENIED in later.counts
    reported.clock.wall -= 3 * COUNTS_KEPT_SECONDS
    assert counts.of(reported.context, QUESTION) is not later, "the clock was set back: nobody knows how old it is"


def test_what_takes_longer_than_a_page_may_is_not_counted() -> None:
    for patches in (1, 2, 300):
        most = MOST_PAIRS // patches - PAIRS_OF_A_PATCH
        assert not too_many(most, patches)
        assert too_many(most + 1, patches)
    assert not too_many(25_000, 1), "one patch is counted in a large company"
    assert not too_many(125, 300), "and a site of it"
    assert too_many(25_000, 300)


def test_another_question_is_counted_by_itself_and_few_are_kept(company: Company) -> None:
    counts = MissingCounts()
    all_of_them = counts.of(company.context, QUESTION)
    assert all_of_them.total == 10
    assert counts.of(company.context, replace(QUESTION, owner="nobody")).total == 0
    for days in range(1, MOST_COUNTS_KEPT + 2):
        counts.of(company.context, replace(QUESTION, silent_days=days))
    assert len(counts._kept) == MOST_COUNTS_KEPT
    assert counts.of(company.context, QUESTION) is not all_of_them

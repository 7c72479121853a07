"""`seed_server.web.pages.missing_counts`: counts are those of the report, and are counted once in a minute."""

from dataclasses import replace

from seed_server.fleet.context import Opened
from seed_server.fleet.endpoint_operations import deny
from seed_server.fleet.look_memory import RECENTLY_SECONDS
from seed_server.reporting.missing_pcs import MissingReason
from seed_server.reporting.missing_queries import MissingQuestion, read_missing
from seed_server.signing.signed_repository import SignedRepository
from seed_server.store.opening import open_lasting
from seed_server.web.pages.missing_counts import MOST_PAIRS, PAIRS_OF_A_PATCH, counted_missing, too_many
from tests.helpers.report_company import with_reports
from tests.helpers.rollout_company import ADA, OTHERS, Company

QUESTION = MissingQuestion("office")


def test_counts_are_those_of_the_report_and_age(company: Company) -> None:
    reported = with_reports(company)
    report = read_missing(reported.context, QUESTION)
    with open_lasting(reported.context.home, reported.context.settings()) as lasting:
        context = replace(reported.context, opened=Opened(lasting, SignedRepository(reported.context.home)))
        found = counted_missing(context, replace(QUESTION, reason="silent", after="1-1", size=7))
        assert (found.counts, found.total, found.at) == (report.counts, report.total, reported.clock.now())
        deny(reported.context, ADA, OTHERS[6])
        reported.clock.wall += RECENTLY_SECONDS - 1
        assert counted_missing(context, QUESTION) is found, "nobody looks at each PC again within a minute"
        assert counted_missing(context, replace(QUESTION, owner="nobody")).total == 0
        reported.clock.wall += 1
        assert MissingReason.DENIED in counted_missing(context, QUESTION).counts


def test_what_takes_longer_than_a_page_may_is_not_counted() -> None:
    for patches in (1, 2, 300):
        most = MOST_PAIRS // patches - PAIRS_OF_A_PATCH
        assert not too_many(most, patches)
        assert too_many(most + 1, patches)
    assert not too_many(25_000, 1), "one patch is counted in a large company"
    assert not too_many(125, 300), "and a site of it"
    assert too_many(25_000, 300)

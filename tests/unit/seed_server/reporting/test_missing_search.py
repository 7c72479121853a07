"""`seed_server.reporting.missing_search`: pages of who lacks what, and what one PC lacks, as `read_missing` has it."""

from dataclasses import replace

import pytest

from p2pdist.shared.errors import UserError
from seed_server.fleet.endpoint_operations import deny
from seed_server.fleet.rollout_operations import halt_rollout
from seed_server.reporting.missing_pcs import SILENT_DAYS, MissingReason
from seed_server.reporting.missing_queries import MissingPc, MissingQuestion, all_missing, read_missing
from seed_server.reporting.missing_search import find_missing, lacked_by
from seed_server.store.rows import SeenRow
from tests.helpers.rollout_company import ADA, OTHERS, TESTERS, Company

EVERYTHING = MissingQuestion(size=0)


def all_found(company: Company, question: MissingQuestion, *, most: int = 3_000) -> list[MissingPc]:
    rows: list[MissingPc] = []
    while True:
        page = find_missing(company.context, question, most=most)
        assert len(page.rows) <= question.size
        rows += page.rows
        if not page.after:
            assert not page.unfinished_search
            return rows
        assert len(page.rows) == question.size or page.unfinished_search
        question = replace(question, after=page.after)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 50])
@pytest.mark.parametrize("most", [1, 2, 3, 3_000])
def test_pages_have_what_the_report_has(reported: Company, size: int, most: int) -> None:
    rows = list(all_missing(reported.context, EVERYTHING))
    assert len(rows) == 4
    assert all_found(reported, MissingQuestion(size=size), most=most) == rows


def test_an_exception_a_ring_and_a_denial_are_reasons_as_in_the_report(company: Company) -> None:
    company.start()
    company.look()
    deny(company.context, ADA, OTHERS[6])
    rows = list(all_missing(company.context, EVERYTHING))
    assert {row.reason for row in rows} == {MissingReason.NOT_TOLD, MissingReason.RING_CLOSED, MissingReason.DENIED}
    assert all_found(company, MissingQuestion(size=3)) == rows
    for row in rows:
        assert lacked_by(company.context, row.pc.endpoint_id, silent_days=SILENT_DAYS).rows == [row]
    halt_rollout(company.context, ADA, 1, "crashes")
    halted = all_found(company, MissingQuestion("office", size=3))
    assert halted == list(all_missing(company.context, MissingQuestion("office", size=0)))
    assert {row.reason for row in halted} == {MissingReason.HALTED, MissingReason.DENIED}


def test_rows_are_chosen_by_site_reason_and_owner(reported: Company) -> None:
    assert [row.pc.hostname for row in all_found(reported, MissingQuestion(reason="silent", size=1))] == [TESTERS[1]]
    assert len(all_found(reported, MissingQuestion(site="osaka"))) == 4
    for owner, count in (("Sato, 06-0000-0000", 4), ("Sato", 0)):
        assert len(all_found(reported, MissingQuestion(owner=owner))) == count
        assert read_missing(reported.context, MissingQuestion(owner=owner)).total == count
    for question in (MissingQuestion(site="osako"), MissingQuestion("ofice"), MissingQuestion(after="1"),
                     MissingQuestion(after="99-1")):  # fmt: skip
        with pytest.raises(UserError):
            find_missing(reported.context, question)


def test_a_search_for_a_reason_passes_over_nobody_who_cannot_have_it(reported: Company) -> None:
    assert read_missing(reported.context, EVERYTHING).total > 2
    page = find_missing(reported.context, MissingQuestion(reason="silent"), most=2)
    assert ([row.pc.hostname for row in page.rows], page.unfinished_search) == ([TESTERS[1]], False)


@pytest.mark.parametrize("most", [1, 3_000])
def test_a_site_has_those_that_were_last_seen_there(reported: Company, most: int) -> None:
    moved = SeenRow("leeds", "10.0.0.1", "p2pdist/1", connected=True, last_seen_at=reported.clock.now())
    reported.database.save_seen({OTHERS[6]: moved})
    for site, names in (("leeds", [OTHERS[6]]), ("osaka", sorted(TESTERS))):
        question = MissingQuestion(site=site, size=2)
        assert sorted(row.pc.hostname for row in all_found(reported, question, most=most)) == names
        report = read_missing(reported.context, question)
        assert (report.total, sum(report.counts.values())) == (len(names), len(names))


def test_a_pc_lacks_nothing_any_more(reported: Company) -> None:
    assert lacked_by(reported.context, OTHERS[0], silent_days=SILENT_DAYS).rows == []
    assert len(lacked_by(reported.context, OTHERS[6], silent_days=SILENT_DAYS).rows) == 1

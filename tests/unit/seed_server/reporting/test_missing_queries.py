import pytest

from p2pdist.shared.errors import UserError
from seed_server.fleet.endpoint_operations import deny
from seed_server.fleet.rollout_operations import halt_rollout
from seed_server.reporting.answering import missing_page_document
from seed_server.reporting.missing_pcs import MissingReason, Proposal
from seed_server.reporting.missing_queries import MissingQuestion, all_missing, read_missing
from tests.helpers.report_company import DAY
from tests.helpers.rollout_company import ADA, BEGIN, OTHERS, TESTERS, Company


def test_each_missing_pc_has_a_reason_an_age_an_owner_and_a_proposal(reported: Company) -> None:
    report = read_missing(reported.context, MissingQuestion("office"))
    found = {row.pc.hostname: (row.reason, row.proposal) for row in report.rows}
    assert found == {
        TESTERS[0]: (MissingReason.EXCEPTED, Proposal.ASK_OWNER),
        TESTERS[1]: (MissingReason.SILENT, Proposal.WAKE),
        TESTERS[2]: (MissingReason.NOT_TOLD, Proposal.LOOK_AT_PC),
        OTHERS[6]: (MissingReason.INSTALL_FAILED, Proposal.READ_FAILURE),
    }
    assert report.total == sum(report.counts.values()) == 4
    assert {row.owner for row in report.rows} == {"Sato, 06-0000-0000"}
    assert {row.since for row in report.rows} == {BEGIN}


def test_denied_pcs_are_missing_too(reported: Company) -> None:
    deny(reported.context, ADA, OTHERS[6])
    report = read_missing(reported.context, MissingQuestion())
    assert {row.pc.hostname for row in report.rows if row.reason is MissingReason.DENIED} == {OTHERS[6]}
    assert report.total == 4


def test_pages_have_every_pc_once(reported: Company) -> None:
    names, after = [], ""
    while True:
        page = read_missing(reported.context, MissingQuestion(size=3, after=after))
        names += [row.pc.hostname for row in page.rows]
        if not (after := page.after):
            break
    assert sorted(names) == sorted([*TESTERS, OTHERS[6]])
    rest = [row.pc.hostname for row in all_missing(reported.context, MissingQuestion(size=0, after=page.rows[0].place))]
    assert rest == []
    for after in ("nonsense", "1-99"):
        with pytest.raises(UserError, match="--after"):
            read_missing(reported.context, MissingQuestion(after=after))


def test_pcs_are_chosen_by_site_and_reason(reported: Company) -> None:
    assert read_missing(reported.context, MissingQuestion(reason="silent")).total == 1
    assert read_missing(reported.context, MissingQuestion(site="osaka")).total == 4
    with pytest.raises(UserError, match="No site 'osako' is known. Did you mean 'osaka'"):
        read_missing(reported.context, MissingQuestion(site="osako"))


def test_a_pc_whose_ring_is_not_open_waits_for_it_and_a_halted_rollout_says_so(company: Company) -> None:
    company.start()
    company.look()
    reasons = {row.pc.hostname: row.reason for row in read_missing(company.context, MissingQuestion("office")).rows}
    assert {reasons[name] for name in OTHERS} == {MissingReason.RING_CLOSED}
    assert {reasons[name] for name in TESTERS} == {MissingReason.NOT_TOLD}
    halt_rollout(company.context, ADA, 1, "crashes")
    reasons = {row.pc.hostname: row.reason for row in read_missing(company.context, MissingQuestion("office")).rows}
    assert set(reasons.values()) == {MissingReason.HALTED}


def test_programs_get_the_same(reported: Company) -> None:
    document = missing_page_document(read_missing(reported.context, MissingQuestion("office")))
    assert document.reasons == {"silent": 1, "excepted": 1, "install_failed": 1, "not_told": 1}
    assert document.rows[0].patch == "office@1"
    assert document.rows[0].age_seconds == 10 * DAY

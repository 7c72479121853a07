import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_queries import Wanted, newest_entries
from seed_server.fleet.roles import PersonScope, Rights
from seed_server.reporting.follow_up_operations import MAX_NOTE_CHARS, follow_up
from seed_server.reporting.missing_pcs import FollowUp
from seed_server.reporting.missing_queries import MissingQuestion, read_missing
from tests.helpers.rollout_company import ADA, OTHERS, TESTERS, Company


def followed(company: Company) -> dict[str, tuple[str, str, str]]:
    rows = read_missing(company.context, MissingQuestion()).rows
    return {row.pc.hostname: (row.pc.follow_up, row.pc.note, row.pc.set_by) for row in rows if row.pc.follow_up}


def test_what_is_done_is_shown_audited_and_ends_when_the_pc_has_the_patch(reported: Company) -> None:
    _, patches = follow_up(reported.context, ADA, TESTERS[1], FollowUp.TICKET, note="IT-4711")
    assert patches == ["office@1"]
    assert followed(reported) == {TESTERS[1]: ("ticket", "IT-4711", "local:ada")}
    follow_up(reported.context, ADA, TESTERS[1], FollowUp.VISIT, patch="office", note="on Monday")
    assert followed(reported) == {TESTERS[1]: ("visit", "on Monday", "local:ada")}
    newest = newest_entries(reported.context, Wanted(operation="follow up"), 10)
    details = [(one.entry.subject, one.entry.reason, one.entry.details["state"]) for one in newest]
    assert sorted(details) == [(TESTERS[1], "IT-4711", "ticket"), (TESTERS[1], "on Monday", "visit")]
    assert read_missing(reported.context, MissingQuestion()).follow_ups == 1
    reported.say({TESTERS[1]: "verified"})
    assert followed(reported) == {}


def test_it_can_be_taken_back(reported: Company) -> None:
    follow_up(reported.context, ADA, TESTERS[1], FollowUp.TOLD)
    follow_up(reported.context, ADA, TESTERS[1], None)
    assert followed(reported) == {}


def test_a_pc_that_lacks_nothing_needs_none(reported: Company) -> None:
    for done in (OTHERS[0], OTHERS[4]):
        with pytest.raises(UserError, match="lacks none of it") as caught:
            follow_up(reported.context, ADA, done, FollowUp.TOLD)
        assert caught.value.kind is FaultKind.BAD_INPUT


def test_a_note_has_its_length(reported: Company) -> None:
    follow_up(reported.context, ADA, TESTERS[1], FollowUp.TOLD, note="x" * MAX_NOTE_CHARS)
    with pytest.raises(UserError, match="A note has at most 500 characters"):
        follow_up(reported.context, ADA, TESTERS[1], FollowUp.TOLD, note="x" * (MAX_NOTE_CHARS + 1))


def test_whoever_may_not_touch_the_pc_is_refused(reported: Company) -> None:
    eve = Actor("eve", "password", Rights(frozenset({"look", "endpoints"}), PersonScope(sites=frozenset({"leeds"}))))
    with pytest.raises(UserError) as caught:
        follow_up(reported.context, eve, TESTERS[1], FollowUp.TOLD)
    assert caught.value.kind is FaultKind.REFUSED

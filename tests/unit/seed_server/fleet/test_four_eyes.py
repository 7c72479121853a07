"""Four eyes are of two people: against every history that a server could be given."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_server.fleet.actor import Actor, person_of
from seed_server.fleet.four_eyes import (
    MAX_REQUIRED,
    REQUEST_LIFE_SECONDS,
    Consent,
    FourEyesRequest,
    RequestState,
    required_of,
    why_not_approve,
    with_consent,
)

PLAN, EDITED = b"p" * 32, b"e" * 32
ASKED = FourEyesRequest(PLAN, "ada", asked_at=100.0, required=1)


def test_somebody_else_approves() -> None:
    assert ASKED.state(200.0) is RequestState.OPEN
    approved = with_consent(ASKED, "bob", PLAN, 200.0)
    assert approved.state(200.0) is RequestState.APPROVED
    assert approved.approvers() == ("bob",)


@pytest.mark.parametrize("by", ["ada", "local:ada", "local:ADA", "ada/5f0c6a1b92d4"])
def test_the_author_does_not_whichever_way_they_come(by: str) -> None:
    for author in ("ada", "local:ada", "ada/0123456789ab"):
        asked = replace(ASKED, author=author)
        assert "the author never approves" in (why_not_approve(asked, by, PLAN, 200.0) or "")
        with pytest.raises(ValueError, match="author"):
            with_consent(asked, by, PLAN, 200.0)
        # nor where a row says that they did
        forged = replace(asked, consents=(Consent(by, PLAN, 150.0),))
        assert forged.state(200.0) is RequestState.OPEN


def test_one_person_counts_once() -> None:
    two = replace(ASKED, required=2)
    once = with_consent(two, "bob", PLAN, 200.0)
    for again in ("bob", "local:bob", "bob/5f0c"):
        assert "counts once" in (why_not_approve(once, again, PLAN, 201.0) or "")
    assert once.missing() == 1
    assert with_consent(once, "carol", PLAN, 202.0).state(202.0) is RequestState.APPROVED


def test_what_goes_on_by_itself_has_no_eyes() -> None:
    assert why_not_approve(ASKED, Actor.engine().who, PLAN, 200.0) == (
        "Only people approve: what goes on by itself has no eyes."
    )
    assert replace(ASKED, consents=(Consent("engine", PLAN, 1.0),)).missing() == 1
    assert why_not_approve(ASKED, "local:engine", PLAN, 200.0) is None  # somebody's name on this machine


def test_any_edit_voids_what_was_approved_and_who_edits_is_an_author() -> None:
    approved = with_consent(ASKED, "bob", PLAN, 200.0)
    edited = approved.edited(EDITED, "carol", 300.0)
    assert edited.state(300.0) is RequestState.OPEN
    for author in ("ada", "carol"):
        assert why_not_approve(edited, author, EDITED, 301.0) is not None
    assert "Look at it again" in (why_not_approve(edited, "bob", PLAN, 301.0) or "")
    assert with_consent(edited, "bob", EDITED, 301.0).state(301.0) is RequestState.APPROVED
    assert approved.edited(PLAN, "carol", 300.0) == approved  # nothing was changed
    back = edited.edited(PLAN, "carol", 400.0)  # as it was before: approvals of then are void all the same
    assert back.state(400.0) is RequestState.OPEN


def test_an_approval_in_an_approver_s_hand_is_of_what_they_saw() -> None:
    kept = replace(ASKED, consents=(Consent("bob", EDITED, 150.0),))
    assert kept.state(200.0) is RequestState.OPEN


def test_after_thirty_days_it_must_be_asked_anew() -> None:
    end = ASKED.asked_at + REQUEST_LIFE_SECONDS
    assert ASKED.state(end - 1) is RequestState.OPEN
    assert ASKED.state(end) is RequestState.EXPIRED
    assert "more than 30 days" in (why_not_approve(ASKED, "bob", PLAN, end) or "")
    assert with_consent(ASKED, "bob", PLAN, end - 1).state(end) is RequestState.APPROVED
    assert ASKED.edited(EDITED, "ada", end).state(end) is RequestState.OPEN


def test_who_says_no_stops_it() -> None:
    rejected = replace(ASKED, rejected_by="bob", consents=(Consent("carol", PLAN, 150.0),))
    assert rejected.state(200.0) is RequestState.REJECTED
    assert "bob has rejected" in (why_not_approve(rejected, "carol", PLAN, 200.0) or "")


def test_a_rule_that_nobody_could_keep_is_not_made() -> None:
    assert required_of(0, []) is None
    assert required_of(1, ["ada", "bob"]) is None
    for people in (["ada"], ["ada", "local:ada"], ["ada", "engine"]):
        assert "need 2 people" in (required_of(1, people) or "")
    assert required_of(MAX_REQUIRED + 1, [f"p{number}" for number in range(20)]) is not None


names = st.sampled_from(["ada", "local:ada", "ada/1", "bob", "local:bob", "carol", "engine", "Bob/2"])
digests = st.sampled_from([PLAN, EDITED])
steps = st.lists(st.tuples(st.sampled_from(["approve", "edit", "forge"]), names, digests), max_size=20)


@given(steps, st.integers(1, 3))
def test_approved_means_that_so_many_others_have_approved_what_stands_there(
    history: list[tuple[str, str, bytes]], required: int
) -> None:
    request = FourEyesRequest(PLAN, "ada", 0.0, required)
    said: set[str] = set()  # of what stands there now
    authors = {"ada"}
    for number, (step, who, digest) in enumerate(history, 1):
        if step == "edit" and digest != request.digest:
            authors.add(person_of(who))
            said = set()
            request = request.edited(digest, who, float(number))
        elif step == "approve":
            if why_not_approve(request, who, digest, float(number)) is None:
                assert digest == request.digest
                said.add(person_of(who))
                request = with_consent(request, who, digest, float(number))
        elif step == "forge":  # a row that nobody was asked for
            request = replace(request, consents=(*request.consents, Consent(who, digest, float(number))))
            said |= {person_of(who)} if digest == request.digest else set()
        approved = request.state(float(number)) is RequestState.APPROVED
        assert approved == (len(said - authors - {""}) >= required)

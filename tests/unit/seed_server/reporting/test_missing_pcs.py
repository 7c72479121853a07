import itertools
from typing import get_args

import pytest
from msgspec.structs import replace

from p2pdist.shared.wire.messages import InstallState, PatchState
from seed_server.reporting.missing_pcs import (
    PROPOSALS,
    TABLE,
    Lack,
    MissingReason,
    Proposal,
    RingState,
    kind_of,
    lacks_since,
    pcs_with,
    proposal_for,
    reason_of,
)
from seed_server.store.report_rows import LackingPc

NOW, DAY = 1_800_000_000.0, 86_400.0
PC = LackingPc(1, "a" * 26, "pc-1", "leeds", 1.0, True, NOW - 60, False, False)


def why(pc: LackingPc = PC, *, held: bool = False, ring: RingState = RingState.NONE) -> str:
    return reason_of(Lack(pc, NOW, 7 * DAY, held, ring)).name


def said(state: str, install: str = "", reason: str = "", error: str = "") -> LackingPc:
    return replace(PC, state=state, install=install, install_reason=reason, error=error)


@pytest.mark.parametrize(
    ("pc", "expected"),
    [
        (PC, "NOT_TOLD"),
        (replace(PC, denied=True), "DENIED"),
        (replace(PC, denied=True, pending=True), "PENDING"),
        (replace(PC, connected=False, last_seen_at=0.0), "NEVER_SEEN"),
        (replace(PC, connected=False, last_seen_at=NOW - 7 * DAY), "SILENT"),
        (replace(PC, connected=False, last_seen_at=NOW - 7 * DAY + 1), "NOT_TOLD"),
        (said("failed", error="The disk is full."), "NO_ROOM"),
        (said("failed", error="Each piece is right, but the whole file is not."), "DOWNLOAD_FAILED"),
        (said("verified", "failed", "acme.msi ended with exit code 1603"), "INSTALL_FAILED"),
        (said("verified", "rolled_back", "not healthy: no service"), "ROLLED_BACK"),
        (said("verified", "restart_pending", "restart pending"), "RESTART"),
        (said("verified", "waiting", "waits: the user has deferred it"), "USER"),
        (said("verified", "waiting", "waits for a maintenance window"), "WINDOW"),
        (said("fetching", "waiting", "waits: a blackout"), "WINDOW"),
        (said("verified", "waiting", "waits for its release on this PC"), "WINDOW"),
        (said("verified", "waiting", "waits: this PC's clock cannot be believed"), "CLOCK"),
        (said("verified", "waiting", "needs dotnet@8 first"), "NEEDS_OTHER"),
        (said("verified", "waiting", "conflicts with viewer@1, which is installed"), "NEEDS_OTHER"),
        (said("verified", "waiting", "waits for its rollout"), "RING_CLOSED"),
        (said("verified", "retrying", "another program is installing packages"), "INSTALLER_BUSY"),
        (said("verified", "retrying", "tried again later: acme.msi ended with exit code 5"), "RETRYING"),
        (said("verified", "unproven"), "RETRYING"),
        (said("verified", "installing"), "INSTALLING"),
        (said("fetching"), "DOWNLOADING"),
        (said("verified", "waiting"), "READY"),
    ],
)  # fmt: skip
def test_each_thing_that_a_pc_may_be_has_its_reason(pc: LackingPc, expected: str) -> None:
    assert why(pc) == expected


def test_what_people_decided_goes_before_what_the_pc_says_and_after_whether_it_is_there() -> None:
    waits = said("verified", "waiting", "waits for a maintenance window")
    assert why(waits, held=True, ring=RingState.HALTED) == "EXCEPTED"
    assert [why(waits, ring=ring) for ring in RingState] == ["WINDOW", "RING_CLOSED", "NO_RING", "HALTED"]
    assert why(said("verified", "installing"), ring=RingState.HALTED) == "INSTALLING", "it has begun"
    assert why(replace(waits, connected=False), held=True) == "EXCEPTED"
    assert why(replace(waits, connected=False, last_seen_at=1.0), held=True) == "SILENT"


def test_every_pc_has_exactly_one_reason_whatever_it_says() -> None:
    texts = ("", "waits for a maintenance window", "The disk is full.", "needs a first", "words of a newer release")
    for state, install, text in itertools.product(("", *get_args(PatchState)), get_args(InstallState), texts):
        for held, ring in itertools.product((False, True), RingState):
            lack = Lack(said(state, install, text, text), NOW, DAY, held, ring)
            assert reason_of(lack) in MissingReason


def admits(reason: MissingReason, pc: LackingPc, *, serving: bool) -> bool:
    only = pcs_with(reason, NOW, 7 * DAY, serving=serving)
    wanted = (
        (only.spoken, bool(pc.state)),
        (only.denied, pc.denied),
        (only.connected, pc.connected),
        (None if only.seen_until is None else True, pc.last_seen_at <= (only.seen_until or 0.0)),
    )
    return all(asked in (None, found) for asked, found in wanted)


def test_whoever_has_a_reason_is_among_those_that_may_have_it() -> None:
    texts = ("", "waits for a maintenance window", "waits for its rollout", "The disk is full.", "restart pending",
             "needs a first", "the user has deferred it", "words of a newer release")  # fmt: skip
    words = [
        PC,
        *itertools.starmap(said, itertools.product(get_args(PatchState), get_args(InstallState), texts, texts)),
    ]
    seen = [(True, NOW), (False, NOW - 7 * DAY), (False, NOW - 60), (False, 0.0)]
    for word, (connected, at), denied in itertools.product(words, seen, (False, True)):
        pc = replace(word, connected=connected, last_seen_at=at, denied=denied)
        for held, ring in ((False, RingState.NONE), (True, RingState.NONE), (False, RingState.HALTED)):
            reason = reason_of(Lack(pc, NOW, 7 * DAY, held, ring))
            assert admits(reason, pc, serving=True), (reason, pc)
            assert connected or admits(reason, replace(pc, connected=True), serving=False), "as it was when it ended"


def test_who_cannot_have_a_reason_is_not_looked_at() -> None:
    away, failed = replace(PC, connected=False, last_seen_at=1.0), said("verified", "failed")
    for reason, its, others in (
        (MissingReason.SILENT, away, PC),
        (MissingReason.NOT_TOLD, PC, failed),
        (MissingReason.INSTALL_FAILED, failed, PC),
        (MissingReason.DENIED, replace(PC, denied=True), PC),
        (MissingReason.NEVER_SEEN, replace(away, last_seen_at=0.0), away),
    ):
        assert (admits(reason, its, serving=True), admits(reason, others, serving=True)) == (True, False)


def test_the_table_has_each_reason_once_and_each_has_a_proposal() -> None:
    assert sorted(reason for reason, _ in TABLE) == sorted(MissingReason)
    assert TABLE[-1][0] is MissingReason.UNKNOWN
    assert set(PROPOSALS) == set(MissingReason)


def test_who_was_not_seen_for_a_month_is_visited() -> None:
    away = replace(PC, connected=False, last_seen_at=NOW - 30 * DAY)
    assert proposal_for(MissingReason.SILENT, Lack(away, NOW, DAY)) is Proposal.VISIT
    later = replace(away, last_seen_at=NOW - 30 * DAY + 1)
    assert proposal_for(MissingReason.SILENT, Lack(later, NOW, DAY)) is Proposal.WAKE


def test_a_pc_lacks_a_patch_since_both_are_there() -> None:
    assert (lacks_since(5.0, 3.0), lacks_since(3.0, 5.0)) == (5.0, 5.0)


def test_words_that_no_release_has_said_are_of_no_kind() -> None:
    assert kind_of("the moon is full") == ""

"""`seed_server.signing.staged`: what may be signed of rollouts by rings, and what a withdrawal makes of them."""

import hashlib

import pytest
from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import RolloutEntry, Rollouts, Withdrawal
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan
from p2pdist.shared.manifest.staged import NOTHING_STAGED, Hold, StagedEntry, StagedRollouts, decode_staged
from seed_server.signing.offers import joined, next_sequence, with_entry
from seed_server.signing.staged import checked, without_staged, without_stopped

OFFICE, WORD = PatchRef("office", "2"), PatchRef("word", "1")
EVERYONE = (PlannedRing("everyone"),)


def staged_entry(ref: PatchRef, sequence: int) -> StagedEntry:
    plan = RolloutPlan(
        format=1, patch_id=ref.patch_id, version=ref.version, number=1,
        manifest_sha256=hashlib.sha256(str(ref).encode()).hexdigest(), salt=b"s" * 16, rings=EVERYONE,
        silent_after_seconds=0,
    )  # fmt: skip
    return StagedEntry(sequence=sequence, plan=plan, opened_at=(1,))


STAGED = StagedRollouts(format=1, entries=(staged_entry(OFFICE, 4), staged_entry(WORD, 5)))
STOPPED = Withdrawal("office", "2", sequence=4, reason="crashes", at=7)


def test_what_pcs_take_may_be_signed() -> None:
    assert decode_staged(checked(STAGED)) == STAGED


@pytest.mark.parametrize(
    ("staged", "why"),
    [
        (replace(STAGED, entries=(*STAGED.entries, staged_entry(OFFICE, 6))), "in it twice"),
        (replace(STAGED, stopped=(STOPPED,)), "open and stopped"),
        (replace(STAGED, holds=(Hold(1, "", "no such (", "tax", "Kim", 9),)), "has no place here"),
    ],
)
def test_what_pcs_would_not_take_is_not_signed(staged: StagedRollouts, why: str) -> None:
    with pytest.raises(UserError, match=why) as caught:
        checked(staged)
    assert caught.value.kind is FaultKind.REFUSED


def test_a_withdrawal_stops_the_rollout_of_every_version_or_of_one() -> None:
    after = without_staged(STAGED, PatchRef("office", ""), "crashes", 7.9)
    assert (after.entries, after.stopped) == (STAGED.entries[1:], (STOPPED,))
    assert without_staged(STAGED, OFFICE, "crashes", 7.9) == after
    assert without_staged(STAGED, PatchRef("office", "3"), "crashes", 7.9) is STAGED
    assert without_stopped(after, [OFFICE]).stopped == ()
    assert without_stopped(after, [WORD]) is after


def test_both_documents_share_one_order() -> None:
    rollouts = Rollouts(format=1, entries=[RolloutEntry("calc", "1", 3)])
    assert next_sequence(rollouts, STAGED) == 6
    assert next_sequence(rollouts, without_staged(STAGED, WORD, "x", 1.0)) == 6, "what is stopped keeps its number"
    assert with_entry(rollouts, PatchRef("pad", "1"), STAGED).entries[-1].sequence == 6


def test_what_any_pc_may_be_offered_is_in_either_and_was_taken_back_in_none() -> None:
    calc = RolloutEntry("calc", "1", 3)
    rollouts = Rollouts(format=1, entries=[RolloutEntry("office", "2", 4), calc])
    assert [str(entry.ref) for entry in joined(rollouts, STAGED).entries] == ["calc@1", "office@2", "word@1"]
    halted = joined(rollouts, without_staged(STAGED, OFFICE, "crashes", 7.0))
    assert [str(entry.ref) for entry in halted.entries] == ["calc@1", "word@1"]
    assert halted.withdrawn == (STOPPED,)
    gone = replace(rollouts, entries=[calc], withdrawn=(STOPPED,))
    assert [str(entry.ref) for entry in joined(gone, STAGED).entries] == ["calc@1", "word@1"]
    assert joined(rollouts, NOTHING_STAGED).entries == [calc, rollouts.entries[0]]

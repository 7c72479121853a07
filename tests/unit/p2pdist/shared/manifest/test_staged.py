"""`p2pdist.shared.manifest.staged`: the document of rollouts by rings."""

from typing import Any

import pytest

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Withdrawal
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan, plan_digest
from p2pdist.shared.manifest.staged import (
    MAX_HOLDS,
    NOTHING_STAGED,
    Approval,
    Hold,
    StagedEntry,
    StagedRollouts,
    approval_bytes,
    decode_staged,
    encode_staged,
)
from p2pdist.shared.wire.codec import DecodeError

PLAN = RolloutPlan(
    format=1,
    patch_id="acme",
    version="2",
    number=2,
    manifest_sha256="0" * 64,
    salt=bytes(16),
    rings=(PlannedRing(name="test", share=100), PlannedRing(name="all")),
    silent_after_seconds=86_400,
)
HOLD = Hold(number=1, patch="acme", who='site == "plant"', reason="a running order", owner="ito", until=2_000)
ENTRY = StagedEntry(7, PLAN, (1_000,), (Approval("ito", 2, 900, bytes(64)),))


def test_a_document_comes_back_as_it_was_signed() -> None:
    staged = StagedRollouts(
        format=1,
        entries=(ENTRY,),
        stopped=(Withdrawal("bad", "1", 3, "it failed", 5),),
        holds=(HOLD,),
        checkpoint=b"note",
    )
    assert decode_staged(encode_staged(staged)) == staged
    assert decode_staged(encode_staged(NOTHING_STAGED)) == NOTHING_STAGED
    assert ENTRY.ref == PatchRef("acme", "2")


def changed(kind: Any, value: Any, **fields: Any) -> Any:
    return kind(**{name: getattr(value, name) for name in kind.__struct_fields__} | fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"entries": (changed(StagedEntry, ENTRY, opened_at=(1, 2, 3)),)},
        {"entries": (changed(StagedEntry, ENTRY, plan=changed(RolloutPlan, PLAN, version="..")),)},
        {"holds": (changed(Hold, HOLD, patch="a b"),)},
        {"holds": (changed(Hold, HOLD, who="site"),)},
        {"holds": (changed(Hold, HOLD, reason="a\nb"),)},
        {"holds": (changed(Hold, HOLD, owner="a\tb"),)},
        {"holds": (HOLD,) * (MAX_HOLDS + 1)},
        {"stopped": (Withdrawal("bad", "1", 3, "a\nb", 5),)},
    ],
)
def test_what_cannot_be_obeyed_or_shown_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        decode_staged(encode_staged(changed(StagedRollouts, NOTHING_STAGED, **fields)))


def test_what_is_approved_names_the_plan_the_rings_and_the_time() -> None:
    digest = plan_digest(PLAN)
    said = {approval_bytes(digest, 1, 5), approval_bytes(digest, 2, 5), approval_bytes(digest, 1, 6)}
    assert len(said) == 3
    assert all(digest in one for one in said)

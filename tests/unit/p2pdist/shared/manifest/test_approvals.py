"""`p2pdist.shared.manifest.approvals`: an approval is one person's, for this very plan, and for so many rings."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from p2pdist.shared.manifest.approvals import approved_by
from p2pdist.shared.manifest.approvers import Approvers
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan, plan_digest
from p2pdist.shared.manifest.staged import Approval, StagedEntry, approval_bytes

KEYS = {name: Ed25519PrivateKey.generate() for name in ("kim", "ito", "thief")}
APPROVERS = Approvers(
    format=1, keys={name: KEYS[name].public_key().public_bytes_raw() for name in ("kim", "ito")}, required=2,
    required_in_emergency=1, since=0,
)  # fmt: skip
PLAN = RolloutPlan(
    format=1, patch_id="acme", version="2", number=2, manifest_sha256="0" * 64, salt=bytes(16),
    rings=(PlannedRing("test", share=100), PlannedRing("all")), silent_after_seconds=0,
)  # fmt: skip


def approval(name: str, *, rings: int = 2, plan: RolloutPlan = PLAN, key: str = "", at: int = 5) -> Approval:
    signature = KEYS[key or name].sign(approval_bytes(plan_digest(plan), rings, at))
    return Approval(name, rings, at, signature)


def count(*approvals: Approval, rings: int = 2, approvers: Approvers = APPROVERS) -> int:
    return approved_by(StagedEntry(1, PLAN, (1,), approvals), rings, approvers)


def test_each_person_s_word_counts_for_the_rings_that_it_names_and_those_before() -> None:
    assert count(approval("kim"), approval("ito")) == 2
    assert count(approval("kim", rings=1), approval("ito")) == 1
    assert count(approval("kim", rings=1), approval("ito"), rings=1) == 2
    assert count() == 0


@pytest.mark.parametrize(
    "forged",
    [
        approval("kim"),
        approval("ito", key="thief"),
        approval("thief"),
        approval("ito", plan=replace(PLAN, number=3)),
        approval("ito", plan=replace(PLAN, rings=PLAN.rings[1:])),
        replace(approval("ito", rings=1), rings=2),
        replace(approval("ito"), at=6),
        replace(approval("kim"), approver="ito"),
    ],
    ids=["twice", "other key", "stranger", "other plan", "other rings", "more rings", "other time", "other name"],
)
def test_what_nobody_has_signed_does_not_count(forged: Approval) -> None:
    assert count(approval("kim"), forged) == 1


def test_one_person_under_two_names_counts_once_and_a_key_that_is_none_never() -> None:
    kim = APPROVERS.keys["kim"]
    twice = replace(APPROVERS, keys={"kim": kim, "ito": APPROVERS.keys["ito"], "other": kim})
    assert count(approval("kim"), approval("other", key="kim"), approvers=twice) == 1
    assert count(approval("kim"), approvers=replace(APPROVERS, keys={"kim": b"\xff" * 32})) == 0

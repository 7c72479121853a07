"""Checks the signatures by which people approve a rollout, each with a key of their own: server and PC alike."""

import functools

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from p2pdist.shared.manifest.approvers import Approvers
from p2pdist.shared.manifest.rollout_plan import RolloutPlan, plan_digest
from p2pdist.shared.manifest.staged import Approval, StagedEntry, approval_bytes

REMEMBERED_SIGNATURES = 4_096  # those of all rollouts that a document can hold: each is checked once
REMEMBERED_PLANS = 600


def approved_by(entry: StagedEntry, rings: int, approvers: Approvers) -> int:
    """Return how many of the ``approvers`` have signed that the first ``rings`` rings of this very plan may open.

    A person is a key: one that stands under two names counts once.
    """
    found = (signing_key(entry.plan, one, approvers) for one in entry.approvals if one.rings >= rings)
    return len({key for key in found if key is not None})


def signing_key(plan: RolloutPlan, approval: Approval, approvers: Approvers) -> bytes | None:
    """Return the key, one of ``approvers``, that has signed an approval of ``plan``; None: none that counts."""
    key = approvers.keys.get(approval.approver)
    if key is None:
        return None
    data = approval_bytes(_digest(plan), approval.rings, approval.at)
    return key if _is_signed(key, approval.signature, data) else None


_digest = functools.lru_cache(REMEMBERED_PLANS)(plan_digest)


@functools.lru_cache(REMEMBERED_SIGNATURES)
def _is_signed(key: bytes, signature: bytes, data: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except (InvalidSignature, ValueError):  # a key that is none
        return False
    return True

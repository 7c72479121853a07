"""`p2pdist.shared.manifest.rollout_plan`: rings are a rule that both sides evaluate alike."""

import hashlib
from collections import Counter
from collections.abc import Callable

import msgspec
import pytest

from p2pdist.shared.identifiers import EndpointId, endpoint_id_of_public_key
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.rollout_plan import (
    BUCKETS,
    PlannedRing,
    RingRules,
    RolloutPlan,
    bucket,
    check_plan,
    plan_digest,
)
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError

RINGS = (
    PlannedRing(name="test", who='"lab" in tags'),
    PlannedRing(name="first", share=500),
    PlannedRing(name="broad", who='site != "plant"'),
)
PLAN = RolloutPlan(
    format=1,
    patch_id="acme",
    version="2",
    number=2,
    manifest_sha256="0" * 64,
    salt=bytes(16),
    rings=RINGS,
    silent_after_seconds=86_400,
)


def pc(number: int) -> EndpointId:
    return endpoint_id_of_public_key(number.to_bytes(4))


def at(site: str, *tags: str) -> Facts:
    return Facts({"site": site, "tags": tags})


def test_a_pc_is_in_the_first_ring_whose_expression_holds_and_below_whose_share_its_bucket_lies() -> None:
    rules = RingRules(PLAN)
    places = Counter(rules.ring_of(pc(n), at("hq")) for n in range(4_000))
    assert set(places) == {1, 2}
    assert 140 <= places[1] <= 260  # 5 %
    assert {rules.ring_of(pc(n), at("hq", "lab")) for n in range(50)} == {0}
    assert Counter(rules.ring_of(pc(n), at("plant")) for n in range(4_000)) == {1: places[1], None: places[2]}


def test_a_bucket_is_the_beginning_of_the_hash_of_salt_and_id() -> None:
    digest = hashlib.sha256(PLAN.salt + pc(1).encode()).hexdigest()
    assert bucket(PLAN.salt, pc(1)) == int(digest[:16], 16) < BUCKETS


def test_another_salt_chooses_other_pcs() -> None:
    other = RingRules(msgspec.structs.replace(PLAN, salt=bytes(15) + b"\1"))
    same = RingRules(PLAN)
    first = [n for n in range(1_000) if same.ring_of(pc(n), at("hq")) == 1]
    assert [n for n in range(1_000) if other.ring_of(pc(n), at("hq")) == 1] != first


def test_any_change_of_a_plan_changes_its_digest_and_a_way_over_the_wire_does_not() -> None:
    again: RolloutPlan = codec.decode(codec.encode(PLAN), RolloutPlan, max_bytes=10_000)
    assert again == PLAN
    assert plan_digest(again) == plan_digest(PLAN)
    slower = (*RINGS[:2], msgspec.structs.replace(RINGS[2], soak_seconds=60))
    assert plan_digest(msgspec.structs.replace(PLAN, rings=slower)) != plan_digest(PLAN)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda plan: msgspec.structs.replace(plan, patch_id="../acme"),
        lambda plan: msgspec.structs.replace(plan, manifest_sha256="0"),
        lambda plan: msgspec.structs.replace(plan, rings=(PlannedRing(name="a\u202eb"),)),
        lambda plan: msgspec.structs.replace(plan, rings=(PlannedRing(name="a", who="site =="),)),
    ],
)
def test_names_hashes_and_expressions_that_cannot_be_used_are_refused(
    spoil: Callable[[RolloutPlan], RolloutPlan],
) -> None:
    check_plan(PLAN)
    with pytest.raises(DecodeError):
        check_plan(spoil(PLAN))

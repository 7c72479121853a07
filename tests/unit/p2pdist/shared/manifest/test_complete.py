"""`p2pdist.shared.manifest.complete`: each rollout has one part, and a part that contradicts itself is refused."""

import pytest

from p2pdist.shared.manifest.complete import (
    COMPLETE_PARTS,
    COMPLETE_TARGETS,
    CompleteRollouts,
    complete_parts,
    complete_target,
    decode_complete,
    encode_complete,
)
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan
from p2pdist.shared.manifest.staged import StagedEntry
from p2pdist.shared.wire.codec import DecodeError


def entry(patch_id: str, sequence: int = 1, *, opened: int = 1, who: str = "") -> StagedEntry:
    plan = RolloutPlan(
        format=1, patch_id=patch_id, version="1", number=1, manifest_sha256="0" * 64, salt=bytes(16),
        rings=(PlannedRing("all", who=who),), silent_after_seconds=0,
    )  # fmt: skip
    return StagedEntry(sequence, plan, (5,) * opened)


def test_each_rollout_is_in_the_part_of_its_id() -> None:
    entries = [entry(f"patch-{number}", 2_000 - number) for number in range(2_000)]
    parts = complete_parts(entries)
    assert set(parts) == set(COMPLETE_TARGETS)
    assert all(complete_target(one.ref.patch_id) == target for target, part in parts.items() for one in part.entries)
    assert sum(len(part.entries) for part in parts.values()) == 2_000
    assert max(len(part.entries) for part in parts.values()) < 3 * 2_000 / COMPLETE_PARTS
    for part in parts.values():
        assert [one.sequence for one in part.entries] == sorted(one.sequence for one in part.entries)
        assert decode_complete(encode_complete(part)) == part
    assert complete_parts([]) == {}


@pytest.mark.parametrize("wrong", [entry("acme", opened=2), entry("acme", who="((("), entry("A b")])
def test_a_part_that_cannot_be_used_is_refused(wrong: StagedEntry) -> None:
    with pytest.raises(DecodeError):
        decode_complete(encode_complete(CompleteRollouts(format=1, entries=(wrong,))))

"""`seed_server.fleet.rollout_counting`: what is found for all PCs at once is what is found for one after the other."""

import hashlib
import random
from types import SimpleNamespace
from typing import cast

import pytest

from p2pdist.shared.manifest.rollout_plan import PlannedRing, RingRules, RolloutPlan
from seed_server.fleet.ring_counts import NO_RING, RING_NOT_KNOWN, PcOutcome, outcome_said
from seed_server.fleet.rollout_counting import CountedRollout, KnownPcs
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.store.rollout_records import ExceptionRow, PcRow, PcWord
from tests.helpers.old_repository import manifest_of

RINGS = {
    "tags": PlannedRing("tags", who='"test" in tags'),
    "some": PlannedRing("some", share=900),
    "oslo": PlannedRing("oslo", who='site == "oslo"', share=5_000),
    "most": PlannedRing("most", share=9_999),
    "none": PlannedRing("none", who='site == "nowhere"'),
    "all": PlannedRing("all"),
}
PLANS = [("all",), ("tags", "some", "most", "all"), ("some", "oslo"), ("none", "oslo", "tags"), ("most", "oslo", "all")]
SAID = [("verified", ""), ("verified", "installed"), ("failed", ""), ("verified", "rolled_back"), ("fetching", "")]


def plan_of(names: tuple[str, ...], salt: int) -> RolloutPlan:
    return RolloutPlan(
        format=1, patch_id="acme", version="1", number=1, manifest_sha256="0" * 64, salt=bytes([salt]) * 16,
        rings=tuple(RINGS[name] for name in names), silent_after_seconds=60,
    )  # fmt: skip


def fleet(chance: random.Random, size: int) -> tuple[list[PcRow], dict[str, dict[str, int | str]]]:
    rows = [
        PcRow(
            3 * number + 1, hashlib.sha256(bytes([number % 256, number // 256])).hexdigest()[:40], f"pc-{number}",
            chance.choice(("oslo", "rome")), chance.choice(((), ("test",))), chance.random() < 0.9, True, 1.0,
        )
        for number in range(size)
    ]  # fmt: skip
    return rows, {row.endpoint_id: {"os.family": "windows"} for row in rows if chance.random() < 0.9}


def kept_of(plan: RolloutPlan) -> KeptRollout:
    return cast("KeptRollout", SimpleNamespace(plan=plan, row=SimpleNamespace(acknowledged=b"", created_at=0.0)))


@pytest.mark.parametrize("names", PLANS)
def test_the_rings_of_all_pcs_are_those_of_each(names: tuple[str, ...]) -> None:
    chance = random.Random(1)
    for salt in range(3):
        pcs, plan = KnownPcs(), plan_of(names, salt)
        rows, told = fleet(chance, 400)
        for _ in range(2):  # the second time, some are elsewhere, and there are more
            pcs.refresh(rows, told)
            rules = RingRules(plan)
            alone = [pcs.ring_of(place, rules) for place in range(len(pcs.rows))]
            assert list(pcs.rings_of(plan)) == alone
            assert {NO_RING, RING_NOT_KNOWN, 0} - {0 if "none" in names else -1} <= set(alone)
            more, heard = fleet(chance, 450)
            rows, told = more, told | heard


def test_what_all_pcs_say_is_what_each_says() -> None:
    chance, pcs = random.Random(2), KnownPcs()
    pcs.refresh(*fleet(chance, 300))
    plan = plan_of(PLANS[1], 1)
    words = {row.number: chance.choice(SAID) for row in pcs.rows if chance.random() < 0.8}
    said: dict[tuple[str, str], list[int]] = {(state, ""): [2] for state in ("verified",)}  # of a PC that is gone
    for number, word in words.items():
        said.setdefault(word, []).append(number)
    delivered = manifest_of("acme", "1")
    assert delivered.install is None
    for manifest in (None, delivered):
        alone, at_once = (CountedRollout(kept_of(plan), manifest) for _ in range(2))
        alone.place(pcs, range(len(pcs.rows)))
        alone.observe(pcs, [PcWord(number, 1, state, install, 1) for number, (state, install) in words.items()])
        at_once.load(pcs, said)
        assert at_once.counts.tallies() == alone.counts.tallies()
        assert [at_once.counts.tally(ring) for ring in (NO_RING, RING_NOT_KNOWN)] == [
            alone.counts.tally(ring) for ring in (NO_RING, RING_NOT_KNOWN)
        ]


def test_what_is_read_anew_moves_those_alone_that_say_something_else() -> None:
    pcs = KnownPcs()
    pcs.refresh(*fleet(random.Random(3), 300))
    one = CountedRollout(kept_of(plan_of(("all",), 1)), None)
    one.load(pcs, {("verified", "installed"): [pcs.rows[0].number], ("failed", ""): [pcs.rows[1].number]})
    one.hold(pcs, [ExceptionRow(1, "", 'site == "oslo"', "x", "Ada", "ada", 0.0, 9.0)])
    held = [place for place in range(300) if one.counts.outcome_of(place) is PcOutcome.EXCEPTED]
    assert held == [place for place in range(2, 300) if pcs.rows[place].site == "oslo"]
    one.observe_all(pcs, {("verified", "installed"): [row.number for row in pcs.rows[:2]]})
    assert one.counts.outcome_of(1) is PcOutcome.INSTALLED is outcome_said("verified", "installed", installs=True)
    assert [place for place in range(300) if one.counts.outcome_of(place) is PcOutcome.EXCEPTED] == held
    one.observe_all(pcs, {})
    assert one.counts.outcome_of(0) in (PcOutcome.WAITING, PcOutcome.EXCEPTED)


def test_a_plan_s_counts_refuse_rings_that_it_has_not() -> None:
    pcs = KnownPcs()
    pcs.refresh(*fleet(random.Random(4), 10))
    one = CountedRollout(kept_of(plan_of(("all",), 1)), None)
    with pytest.raises(ValueError, match="1 rings"):
        one.counts.load(bytes([1] * 10), bytes(10))

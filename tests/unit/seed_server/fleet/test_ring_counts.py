"""`seed_server.fleet.ring_counts`: what a PC's word means, the counts it moves, silence, and Wilson's bound."""

import random
from collections import Counter

import pytest

from seed_server.fleet.ring_counts import (
    DECISIONS,
    NO_RING,
    RING_NOT_KNOWN,
    PcOutcome,
    RingCounts,
    RingTally,
    away_since,
    outcome_said,
    wilson_lower,
)


def counts_of(rings: dict[int, int], *, of: int = 2) -> RingCounts:
    """Return counts whose PCs, by place, are in these rings."""
    counts = RingCounts(of)
    counts.grow(len(rings))
    for pc, ring in rings.items():
        counts.place(pc, ring)
    return counts


@pytest.mark.parametrize(
    ("state", "install", "installs", "outcome"),
    [
        ("verified", "installed", True, PcOutcome.INSTALLED),
        ("verified", "", False, PcOutcome.INSTALLED),
        ("verified", "", True, PcOutcome.WAITING),
        ("verified", "waiting", True, PcOutcome.WAITING),
        ("verified", "retrying", True, PcOutcome.WAITING),
        ("verified", "restart_pending", True, PcOutcome.WAITING),
        ("verified", "unproven", True, PcOutcome.WAITING),
        ("fetching", "", False, PcOutcome.WAITING),
        ("failed", "", False, PcOutcome.FAILED),
        ("failed", "waiting", True, PcOutcome.FAILED),
        ("verified", "failed", True, PcOutcome.FAILED),
        ("verified", "rolled_back", True, PcOutcome.ROLLED_BACK),
        ("waiting", "not_applicable", True, PcOutcome.NOT_APPLICABLE),
    ],
)
def test_a_word_has_its_class(state: str, install: str, installs: bool, outcome: PcOutcome) -> None:
    assert outcome_said(state, install, installs=installs) is outcome


def test_every_word_that_a_pc_can_say_has_a_class() -> None:
    from seed_server.store.tables import INSTALL_CODES, PATCH_CODES

    for state in PATCH_CODES:
        for install in INSTALL_CODES:
            assert outcome_said(state, install, installs=True) in PcOutcome


def test_a_changed_pc_moves_one_count() -> None:
    counts = counts_of({0: 0, 1: 0, 2: 1})
    counts.observe(0, PcOutcome.INSTALLED)
    assert counts.tallies() == [RingTally(installed=1, waiting=1), RingTally(waiting=1)]
    counts.observe(0, PcOutcome.ROLLED_BACK)
    assert counts.tally(0) == RingTally(rolled_back=1, waiting=1)
    assert (counts.tally(0).decided, counts.tally(0).size) == (1, 2)


def test_a_pc_whose_facts_are_not_known_counts_in_no_ring() -> None:
    counts = RingCounts(1)
    counts.grow(3)
    counts.place(1, NO_RING)
    counts.observe(0, PcOutcome.FAILED)
    assert counts.tallies() == [RingTally()]
    assert (counts.tally(RING_NOT_KNOWN).failed, counts.tally(RING_NOT_KNOWN).size, counts.tally(NO_RING).size) == (
        1,
        2,
        1,
    )
    counts.place(0, 0)
    assert counts.tally(0) == RingTally(failed=1)


def test_there_is_no_ring_beyond_the_plan() -> None:
    counts = RingCounts(2)
    counts.grow(1)
    with pytest.raises(ValueError, match="2 rings has none at 2"):
        counts.place(0, 2)


def test_who_is_not_seen_while_the_ring_is_open_is_silent_until_it_is_seen() -> None:
    counts = counts_of({0: 0, 1: 0, 2: 0, 3: 1})
    counts.observe(1, PcOutcome.INSTALLED)
    away = away_since([10.0, 10.0, 30.0, 10.0], 20.0)
    counts.sweep(away, [0])
    assert counts.tallies() == [RingTally(installed=1, silent=1, waiting=1), RingTally(waiting=1)]
    counts.sweep(away_since([40.0, 10.0, 30.0, 10.0], 20.0), [0])
    assert counts.tally(0) == RingTally(installed=1, waiting=2)


def test_who_comes_back_from_silence_with_a_word_is_decided() -> None:
    counts = counts_of({0: 0})
    counts.sweep(b"\1", [0])
    counts.observe(0, PcOutcome.FAILED)
    counts.sweep(b"\1", [0])
    assert counts.tally(0) == RingTally(failed=1)


def test_an_exception_holds_who_has_not_decided_and_ends() -> None:
    counts = counts_of({0: 0, 1: 0, 2: 0})
    counts.observe(0, PcOutcome.INSTALLED)
    counts.hold(b"\1\1\0")
    assert counts.tally(0) == RingTally(installed=1, excepted=1, waiting=1)
    counts.observe(1, PcOutcome.WAITING)
    counts.sweep(b"\1\1\1", [0])
    assert counts.tally(0) == RingTally(installed=1, excepted=1, silent=1)
    counts.hold(b"\0\0\0")
    assert counts.tally(0) == RingTally(installed=1, silent=1, waiting=1)


def test_acknowledged_failures_do_not_count_and_new_ones_do() -> None:
    counts = counts_of({0: 0, 1: 0, 2: 0})
    counts.observe(0, PcOutcome.FAILED)
    counts.observe(1, PcOutcome.ROLLED_BACK)
    assert counts.acknowledge() == [0, 1]
    assert (counts.tally(0).new_failures, counts.tally(0).judged, counts.tally(0).decided) == (0, 0, 2)
    counts.observe(2, PcOutcome.FAILED)
    counts.observe(0, PcOutcome.WAITING)  # it is tried again …
    counts.observe(0, PcOutcome.FAILED)  # … and what fails again there is nothing new
    assert (counts.tally(0).new_failures, counts.tally(0).judged) == (1, 1)
    counts.observe(1, PcOutcome.INSTALLED)
    assert (counts.tally(0).new_failures, counts.tally(0).judged) == (1, 2)
    again = counts_of({0: 0, 1: 1, 2: 0})
    again.acknowledge([0, 1])
    again.observe(0, PcOutcome.FAILED)
    again.observe(1, PcOutcome.FAILED)
    again.place(1, 0)
    assert (again.tally(0).acknowledged, again.tally(1).acknowledged) == (2, 0)


def test_counts_are_those_of_a_count_of_all() -> None:
    chance = random.Random(7)
    rings, pcs = 3, 200
    counts = RingCounts(rings)
    counts.grow(pcs)
    ring, said, held, acknowledged = [RING_NOT_KNOWN] * pcs, [PcOutcome.WAITING] * pcs, bytearray(pcs), set()
    for _ in range(3_000):
        pc = chance.randrange(pcs)
        match chance.randrange(12):
            case 0:
                ring[pc] = chance.choice([0, 1, 2, NO_RING, RING_NOT_KNOWN])
                counts.place(pc, ring[pc])
            case 1:
                held = bytearray(chance.randrange(9) == 0 for _ in range(pcs))
                counts.hold(bytes(held))
            case 2:
                away = bytes(chance.randrange(2) for _ in range(pcs))
                counts.sweep(away, [0, 2])
            case 3 if chance.randrange(20) == 0:
                acknowledged |= set(counts.acknowledge())
            case _:
                said[pc] = chance.choice([*DECISIONS, PcOutcome.NOT_APPLICABLE, PcOutcome.WAITING])
                counts.observe(pc, said[pc])
    everywhere = [0, 1, 2, NO_RING, RING_NOT_KNOWN]
    assert sum(counts.tally(place).size for place in everywhere) == pcs
    for place in everywhere:
        there = [pc for pc in range(pcs) if ring[pc] == place]
        found = Counter(counts.outcome_of(pc) for pc in there)
        failed = [pc for pc in there if said[pc] in (PcOutcome.FAILED, PcOutcome.ROLLED_BACK)]
        seen = sum(pc in acknowledged for pc in failed)
        assert counts.tally(place) == (*(found[outcome] for outcome in PcOutcome), seen)
    for pc in range(pcs):
        if said[pc] is not PcOutcome.WAITING:
            assert counts.outcome_of(pc) is said[pc]
        else:
            assert (counts.outcome_of(pc) is PcOutcome.EXCEPTED) == bool(held[pc])


def test_the_bound_is_wilsons() -> None:
    # by hand: (p + z²/2n − z√(p(1−p)/n + z²/4n²)) ÷ (1 + z²/n), z = 1.645
    assert wilson_lower(5, 5) == pytest.approx(0.6489, abs=1e-4)
    assert wilson_lower(95, 100) == pytest.approx(0.9000, abs=2e-3)
    assert wilson_lower(0, 10) == 0.0
    assert wilson_lower(0, 0) == 0.0
    assert all(wilson_lower(k, 50) <= k / 50 for k in range(51))
    assert all(wilson_lower(k, 50) < wilson_lower(k + 1, 50) for k in range(50))


def test_members_are_those_that_the_tallies_count() -> None:
    chance = random.Random(7)
    counts = counts_of({pc: chance.choice([0, 1, NO_RING, RING_NOT_KNOWN]) for pc in range(300)})
    for pc in range(300):
        counts.observe(pc, chance.choice([*DECISIONS, PcOutcome.WAITING, PcOutcome.NOT_APPLICABLE]))
    for ring in (0, 1, NO_RING, RING_NOT_KNOWN):
        for outcome in PcOutcome:
            found = list(counts.members([ring], [outcome]))
            assert len(found) == counts.tally(ring)[outcome]
            assert all(counts.ring_of(pc) == ring and counts.outcome_of(pc) is outcome for pc in found)
    assert list(counts.members([0, 1, NO_RING, RING_NOT_KNOWN], PcOutcome)) == list(range(300))
    assert list(counts.members([], PcOutcome)) == []

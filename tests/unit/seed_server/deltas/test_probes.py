"""`seed_server.deltas.probes`: what a quick look finds is what all anchors of the payload would say."""

import random

from seed_server.deltas.anchors import anchors_of
from seed_server.deltas.probes import (
    KNOWN_WEIGHT,
    MAX_PROBED,
    PROBE_BYTES,
    BasePrints,
    found_in,
    joined,
    probed_pieces,
)

DATA = random.Random(21).randbytes(3_000_000)


def test_pieces_are_looked_at_evenly_and_bounded() -> None:
    assert list(probed_pieces(3)) == [0, 1, 2]
    assert len(probed_pieces(MAX_PROBED)) == MAX_PROBED
    for count in (MAX_PROBED + 1, 65_536):
        found = probed_pieces(count)
        assert MAX_PROBED // 2 < len(found) <= MAX_PROBED
        assert found[-1] >= count - found.step


def test_a_probe_finds_the_anchors_that_the_whole_has() -> None:
    whole = anchors_of([DATA])
    known = set(zip(whole.places, whole.prints, strict=True))
    for start in range(0, len(DATA) - PROBE_BYTES, 262_144):
        found = found_in(DATA[start : start + PROBE_BYTES], start)
        assert len(found) > 15
        assert len(set(found) - known) <= 2  # before the places that are chosen are the same


def test_a_piece_that_changed_weighs_more() -> None:
    prints = BasePrints(anchors_of([DATA]))
    same, other = DATA[262_144 : 262_144 + PROBE_BYTES], random.Random(1).randbytes(PROBE_BYTES)
    assert prints.unlike(found_in(same, 262_144)) <= KNOWN_WEIGHT + 2
    assert prints.unlike(found_in(other, 262_144)) > KNOWN_WEIGHT + 15
    assert prints.unlike([]) == KNOWN_WEIGHT


def test_what_a_large_base_does_not_remember_is_not_counted() -> None:
    prints = BasePrints(anchors_of([DATA], max_anchors=500))
    assert prints.unlike(found_in(DATA[262_144 : 262_144 + PROBE_BYTES], 262_144)) <= KNOWN_WEIGHT + 2


def test_parts_are_joined_in_their_order() -> None:
    found = joined(99, [[(1, 5)], [], [(7, 3), (9, 2)]])
    assert (found.length_bytes, list(found.places), list(found.prints)) == (99, [1, 7, 9], [5, 3, 2])

"""`bench.ring_pairs`, at a size that takes a moment: server and PC agree about every ring."""

from random import Random

from bench.ring_pairs import compare


def test_server_and_pc_find_the_same_ring() -> None:
    different, rings = compare(6_000, Random(7))
    assert different == 0
    assert sum(rings.values()) == 6_000
    assert rings[-1] > 0 < rings[0]
    assert len(rings) > 5, "else it would show little"

import itertools
import random

import pytest

from seed_server.deltas.anchors import MAX_ANCHORS, PRINT_BYTES, SEARCHED_BYTES, SPACING_BYTES, AnchorFinder, anchors_of


def noise(length, seed=1):
    return random.Random(seed).randbytes(length)


def test_anchors_are_the_same_however_the_file_is_read():
    data = noise(300_000)
    whole = anchors_of([data])
    assert whole == anchors_of(data[i : i + 999] for i in range(0, len(data), 999))
    assert whole.length_bytes == len(data)
    assert list(whole.places) == sorted(whole.places)


def test_there_is_one_for_each_kilobyte_or_so_and_none_too_near_to_another():
    found = anchors_of([noise(1 << 20)])
    assert 700 < len(found.places) < 2048
    assert min(b - a for a, b in itertools.pairwise(found.places)) >= SPACING_BYTES


def test_they_are_found_again_after_bytes_before_them_have_moved():
    data = noise(200_000)
    before, after = anchors_of([data]), anchors_of([noise(1_234, seed=2) + data])
    assert len(set(before.prints) & set(after.prints)) >= 0.95 * len(before.prints)


def test_a_large_file_keeps_the_same_few_of_both_versions():
    data = noise(2 << 20)
    few, moved = anchors_of([data], max_anchors=100), anchors_of([noise(1_000, seed=3) + data], max_anchors=100)
    assert 25 <= len(few.places) <= 100
    assert len(set(few.prints) & set(moved.prints)) >= 0.7 * len(few.prints)


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * (1 << 20), b"\xff" * 100_000, noise(PRINT_BYTES - 1)])
def test_a_file_with_nothing_to_know_it_by_has_none(data):
    assert len(anchors_of([data]).places) == 0


def test_memory_is_bounded():
    finder = AnchorFinder(max_anchors=50)
    for seed in range(8):
        finder.add(noise(SEARCHED_BYTES, seed))
        assert len(finder.found().places) <= 50
    assert MAX_ANCHORS * 16 <= 4 << 20

"""`seed_server.store.pc_sets`: sets of PCs as bits."""

import random

from seed_server.store.pc_sets import joined, numbers_of, packed, pcs_of, unpacked
from seed_server.store.tables_inventory import BLOCK_PCS


def test_a_set_has_the_numbers_that_it_was_made_of_in_their_order() -> None:
    numbers = random.Random(7).sample(range(1, 40_000), 500)
    assert list(numbers_of(pcs_of(numbers))) == sorted(numbers)
    assert pcs_of([]) == 0
    assert list(numbers_of(0)) == []


def test_blocks_join_to_the_whole() -> None:
    numbers = [0, 1, BLOCK_PCS - 1, BLOCK_PCS, 7 * BLOCK_PCS + 3]
    blocks: dict[int, bytes] = {}
    for number in numbers:
        block = number // BLOCK_PCS
        blocks[block] = packed(unpacked(blocks.get(block, b"")) | 1 << number % BLOCK_PCS)
    assert joined(blocks.items()) == pcs_of(numbers)


def test_a_block_is_kept_without_the_zeros_at_its_end() -> None:
    assert packed(0b101) == b"\x05"
    assert len(packed(1 << BLOCK_PCS - 1)) == BLOCK_PCS // 8

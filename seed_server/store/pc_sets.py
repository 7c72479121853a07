"""Sets of PCs as one integer each: a bit for every PC, by its number in `endpoints`. Pure.

What two of them have in common, or have together, is one operation on machine words.
"""

from collections.abc import Iterable, Iterator

from seed_server.store.tables_inventory import BLOCK_PCS

EMPTY_SET = 0
_BITS = tuple(tuple(place for place in range(8) if byte >> place & 1) for byte in range(256))


def pcs_of(numbers: Iterable[int]) -> int:
    """Return the set of these PCs."""
    known = list(numbers)
    bits = bytearray(max(known, default=0) // 8 + 1)
    for number in known:
        bits[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(bits, "little")


def numbers_of(pcs: int) -> Iterator[int]:
    """Yield the numbers of its PCs, rising."""
    for place, byte in enumerate(pcs.to_bytes(-(-pcs.bit_length() // 8), "little")):
        for bit in _BITS[byte]:
            yield 8 * place + bit


def joined(blocks: Iterable[tuple[int, bytes]]) -> int:
    """Return the set of what rows say of blocks of PCs, as `packed` has packed it."""
    found = EMPTY_SET
    for block, pcs in blocks:
        found |= unpacked(pcs) << BLOCK_PCS * block
    return found


def packed(pcs: int) -> bytes:
    """Return the set of a block's PCs as a row keeps it."""
    return pcs.to_bytes(-(-pcs.bit_length() // 8), "little")


def unpacked(pcs: bytes) -> int:
    """Return the set that a row keeps."""
    return int.from_bytes(pcs, "little")

"""`p2pdist.shared.merkle_log` against RFC 9162: its definitions word for word, and the usual test vectors."""

import hashlib
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pdist.shared.merkle import HASH_BYTES
from p2pdist.shared.merkle_log import (
    EMPTY_ROOT,
    MAX_LEAVES,
    MAX_PROOF_HASHES,
    Node,
    completed,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    log_root,
    proves_consistency,
    proves_inclusion,
    subtrees,
)

# of certificate-transparency's own tests
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


class Log:
    """A log as its writer keeps it."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self.nodes: dict[Node, bytes] = {}
        self.reads = 0
        for number, entry in enumerate(entries):
            self.nodes[Node(0, number)] = leaf_hash(entry)
            self.nodes.update(completed(number, leaf_hash(entry), self.nodes.__getitem__))

    def hash_of(self, node: Node) -> bytes:
        self.reads += 1
        return self.nodes[node]


# --- the definitions of RFC 9162, 2.1.1, 2.1.3.1 and 2.1.4.1, as they stand there


def largest_power(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def mth(d: Sequence[bytes]) -> bytes:
    if not d:
        return hashlib.sha256().digest()
    if len(d) == 1:
        return hashlib.sha256(b"\x00" + d[0]).digest()
    k = largest_power(len(d))
    return hashlib.sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: Sequence[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = largest_power(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: Sequence[bytes], b: bool) -> list[bytes]:
    if m == len(d):
        return [] if b else [mth(d)]
    k = largest_power(len(d))
    if m <= k:
        return [*subproof(m, d[:k], b), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


def entries(count: int) -> list[bytes]:
    return [number.to_bytes(2) for number in range(count)]


def test_the_usual_vectors() -> None:
    log = Log(LEAVES)
    assert [log_root(size + 1, log.hash_of).hex() for size in range(8)] == list(ROOTS)
    assert log_root(0, log.hash_of) == EMPTY_ROOT == mth([])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 31, 33])
def test_roots_and_proofs_are_those_of_the_definitions(size: int) -> None:
    data, log = entries(size), Log(entries(size))
    root = log_root(size, log.hash_of)
    assert root == mth(data)
    for number in range(size):
        proof = inclusion_proof(number, size, log.hash_of)
        assert proof == path(number, data)
        assert proves_inclusion(leaf_hash(data[number]), number, size, proof, root)
    for first in range(1, size + 1):
        proof = consistency_proof(first, size, log.hash_of)
        assert proof == subproof(first, data, True)
        assert proves_consistency(first, mth(data[:first]), size, root, proof)
    assert proves_consistency(0, EMPTY_ROOT, size, root, consistency_proof(0, size, log.hash_of))


@settings(max_examples=200, deadline=None)
@given(size=st.integers(1, 200), first=st.integers(0, 200), which=st.randoms(use_true_random=False))
def test_nothing_else_proves_anything(size: int, first: int, which: random.Random) -> None:
    first %= size + 1
    data, log = entries(size), Log(entries(size))
    root, other = mth(data), mth([*data[:-1], b"other"])
    before = mth(data[:first])
    proof = consistency_proof(first, size, log.hash_of)
    assert proves_consistency(first, before, size, root, proof)
    assert not proves_consistency(first, before, size, other, proof) or not first
    assert not proves_consistency(first, other, size, root, proof)
    for wrong in mutated(proof, which):
        assert not proves_consistency(first, before, size, root, wrong)
    number = which.randrange(size)
    proof, leaf = inclusion_proof(number, size, log.hash_of), leaf_hash(data[number])
    assert proves_inclusion(leaf, number, size, proof, root)
    assert not proves_inclusion(leaf, number, size, proof, other)
    assert not proves_inclusion(leaf_hash(b"other"), number, size, proof, root)
    assert size == 1 or not proves_inclusion(leaf, (number + 1) % size, size, proof, root)
    for wrong in mutated(proof, which):
        assert not proves_inclusion(leaf, number, size, wrong, root)


def mutated(proof: list[bytes], which: random.Random) -> list[list[bytes]]:
    wrong = [[*proof, bytes(HASH_BYTES)], [bytes(HASH_BYTES), *proof], [*proof, b""]]
    if proof:
        at = which.randrange(len(proof))
        wrong += [proof[:-1], proof[1:], [*proof[:at], bytes(HASH_BYTES), *proof[at + 1 :]]]
        wrong.append([*proof[:at], proof[at][:-1], *proof[at + 1 :]])
    if len(set(proof)) > 1:
        wrong.append(proof[::-1])
    return wrong


def test_a_shorter_log_is_proved_by_nothing() -> None:
    log = Log(entries(9))
    root = log_root(9, log.hash_of)
    assert not proves_consistency(10, root, 9, root, [])
    assert not proves_consistency(-1, root, 9, root, [])
    assert not proves_consistency(9, root, 9, mth(entries(8)), [])
    assert not proves_consistency(3, mth(entries(3)), 9, root, [])
    assert not proves_inclusion(root, 0, MAX_LEAVES + 1, [], root)
    assert not proves_inclusion(root, 0, 1, [root] * (MAX_PROOF_HASHES + 1), root)


def test_what_is_not_there_is_not_proved() -> None:
    log = Log(entries(3))
    for number in (-1, 3):
        with pytest.raises(ValueError, match="has none"):
            inclusion_proof(number, 3, log.hash_of)
    for first in (-1, 4):
        with pytest.raises(ValueError, match="never had"):
            consistency_proof(first, 3, log.hash_of)


def test_a_proof_reads_few_subtrees_and_an_append_adds_one_on_average() -> None:
    size = 1_000
    log = Log(entries(size))
    assert len(log.nodes) < 2 * size
    for number in (0, 511, 512, 998, 999):
        log.reads = 0
        inclusion_proof(number, size, log.hash_of)
        assert log.reads <= 20
    for first in (1, 511, 513, 999):
        log.reads = 0
        consistency_proof(first, size, log.hash_of)
        assert log.reads <= 20
    assert subtrees(0, 11) == [Node(3, 0), Node(1, 4), Node(0, 10)]

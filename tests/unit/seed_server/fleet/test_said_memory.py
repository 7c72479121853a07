"""`seed_server.fleet.said_memory`: each look reads few patches anew, and shows nothing that is too old."""

from collections.abc import Collection

from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.said_memory import (
    MOST_SAID_PATCHES,
    SAID_AT_ONCE,
    SAID_FRESH_SECONDS,
    SAID_MOST_SECONDS,
    SaidMemory,
)

REFS = [PatchRef(f"p-{number}", "1") for number in range(20)]


class Reads:
    """A database that counts what is read, and says something new each time."""

    def __init__(self) -> None:
        self.asked: list[list[PatchRef]] = []

    def __call__(self, refs: Collection[PatchRef]) -> dict[PatchRef, int]:
        self.asked.append(list(refs))
        return {ref: len(self.asked) for ref in refs if ref != REFS[19]}


def test_what_is_known_is_not_read_again_at_once() -> None:
    memory, reads = SaidMemory[int](), Reads()
    first = memory.said(0.0, REFS, reads)
    assert set(first) == set(REFS[:19]), "of whom nothing is known is left out"
    assert memory.said(SAID_FRESH_SECONDS - 0.1, REFS, reads) == first
    assert reads.asked == [REFS]


def test_each_look_reads_a_few_anew_and_all_have_their_turn() -> None:
    memory, reads = SaidMemory[int](), Reads()
    memory.said(0.0, REFS, reads)
    for look in range(5):
        memory.said(SAID_FRESH_SECONDS + look, REFS, reads)
    assert [len(one) for one in reads.asked[1:]] == [SAID_AT_ONCE] * 5
    assert {ref for one in reads.asked[1:] for ref in one} == set(REFS)


def test_nobody_is_shown_what_is_too_old() -> None:
    memory, reads = SaidMemory[int](), Reads()
    memory.said(0.0, REFS, reads)
    memory.said(SAID_MOST_SECONDS - 0.1, REFS, reads)
    assert len(reads.asked[1]) == SAID_AT_ONCE
    found = memory.said(SAID_MOST_SECONDS, REFS, reads)
    assert len(reads.asked[2]) == len(REFS) - SAID_AT_ONCE
    assert min(found.values()) >= 2
    memory.said(-5.0, REFS, reads)
    assert len(reads.asked[3]) == len(REFS), "a clock that went back"


def test_it_does_not_grow_without_end() -> None:
    memory, reads = SaidMemory[int](), Reads()
    many = [PatchRef("q", str(number)) for number in range(MOST_SAID_PATCHES + 10)]
    assert len(memory.said(0.0, many, reads)) == len(many)
    memory.said(1.0, many[-10:], reads)
    memory.said(1.0, many[:10], reads)
    assert [len(one) for one in reads.asked] == [len(many), 10]

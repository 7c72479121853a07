"""`seed_server.origin.log_proofs`: one proof for nearly all PCs, and no answer that would be an alarm by mistake."""

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.witness import Consistency, ConsistencyWanted
from seed_server.origin.log_proofs import MAX_KEPT_PROOFS, LogProofs


class Database:
    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.size = 1_000
        self.fault: UserError | None = None

    def audit_consistency(self, first: int, size: int) -> list[bytes]:
        self.asked.append((first, size))
        if self.fault is not None:
            raise self.fault
        if not 0 <= first <= size <= self.size:
            raise ValueError
        return [first.to_bytes(32), size.to_bytes(32)]


async def test_a_proof_is_made_once() -> None:
    database = Database()
    proofs = LogProofs(database.audit_consistency)
    for _ in range(3):
        assert await proofs.answer(ConsistencyWanted(3, 9)) == Consistency(3, 9, bytes([*bytes(31), 3, *bytes(31), 9]))
    assert database.asked == [(3, 9)]


async def test_what_the_log_does_not_have_is_said_and_asked_anew() -> None:
    database = Database()
    proofs = LogProofs(database.audit_consistency)
    assert await proofs.answer(ConsistencyWanted(3, 1_001)) == Consistency(3, 1_001, b"")
    database.size = 1_001
    answer = await proofs.answer(ConsistencyWanted(3, 1_001))
    assert answer is not None
    assert answer.hashes


async def test_a_database_that_cannot_be_read_is_no_answer() -> None:
    database = Database()
    proofs = LogProofs(database.audit_consistency)
    database.fault = UserError("busy", FaultKind.BUSY)
    assert await proofs.answer(ConsistencyWanted(3, 9)) is None
    database.fault = None
    assert await proofs.answer(ConsistencyWanted(3, 9)) is not None


@pytest.mark.parametrize("more", [0, 1])
async def test_few_are_kept(more: int) -> None:
    database = Database()
    proofs = LogProofs(database.audit_consistency)
    for first in range(MAX_KEPT_PROOFS + more):
        await proofs.answer(ConsistencyWanted(first, 900))
    database.asked.clear()
    await proofs.answer(ConsistencyWanted(0, 900))
    assert len(database.asked) == more

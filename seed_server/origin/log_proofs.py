"""Proves to PCs that the audit log has only grown: the same proof for nearly all of them, so it is made once."""

from collections import OrderedDict
from collections.abc import Callable

import structlog
import trio

from p2pdist.shared.errors import UserError
from p2pdist.shared.wire.witness import Consistency, ConsistencyWanted

MAX_KEPT_PROOFS = 64  # PCs that were away know older states

log = structlog.get_logger()


class LogProofs:
    """Answers `ConsistencyWanted`."""

    def __init__(self, consistency: Callable[[int, int], list[bytes]]) -> None:
        """``consistency`` is `AuditTable.audit_consistency`; it is called in threads, one at a time."""
        self._consistency = consistency
        self._kept: OrderedDict[tuple[int, int], Consistency] = OrderedDict()
        self._lock = trio.Lock()

    async def answer(self, wanted: ConsistencyWanted) -> Consistency | None:
        """Return the proof, an empty one where the log has no such sizes; None: the log cannot be read now."""
        sizes = wanted.first, wanted.second
        async with self._lock:
            if (kept := self._kept.get(sizes)) is not None:
                self._kept.move_to_end(sizes)
                return kept
            try:
                answer = Consistency(*sizes, await trio.to_thread.run_sync(self._proof, *sizes))
            except UserError as error:
                log.error("the audit log cannot be proved to PCs", reason=error.message)  # noqa: TRY400
                return None
            if answer.hashes:  # a log that lacks entries may have them soon: a PC can be faster than a commit
                self._kept[sizes] = answer
                if len(self._kept) > MAX_KEPT_PROOFS:
                    self._kept.popitem(last=False)
            return answer

    def _proof(self, first: int, second: int) -> bytes:
        try:
            return b"".join(self._consistency(first, second))
        except ValueError:
            return b""

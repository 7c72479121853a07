"""The log's lines about transfers that cannot go on: one for each kind of fault, however many patches it stops."""

from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.log_limit import LogLimit
from p2pdist.transfer.faults import TransferFault

FAULT_LINE_SECONDS = 600.0  # between two lines of one kind; `p2pdist status` shows the fault of each patch

log = lazy_log()


class FaultLog:
    """Writes them; a full disk stops every patch again every few seconds, and the log may be on that very disk."""

    def __init__(self) -> None:
        self._limit = LogLimit(seconds=FAULT_LINE_SECONDS)

    def failed(self, patch: str, fault: TransferFault, now: float) -> None:
        """Log that ``patch`` has failed, or count it for the next line; ``now`` is any clock that only grows."""
        if line := self._limit.line(fault.kind.name, "", now):
            kind, left_out = fault.kind.name, line.left_out
            log.error("transfer failed", patch=patch, kind=kind, reason=fault.text, left_out=left_out)

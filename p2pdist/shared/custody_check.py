"""Check what PCs have signed of their install records: the server's side of `p2pdist.shared.custody`."""

from p2pdist.shared.custody import CustodyHead
from p2pdist.shared.statement_check import StatementError, StatementFault, signed_content


def check_head(jws: str, control_ca: str | None, endpoint_id: str) -> CustodyHead:
    """Return the head that the PC ``endpoint_id`` has signed, of any age. Raises `StatementError`.

    None for a CA: the caller knows by itself that the PC was enrolled.
    """
    head = signed_content(jws, control_ca, CustodyHead)
    if head.endpoint_id != endpoint_id:
        raise StatementError(StatementFault.ANOTHER_PC)
    return head

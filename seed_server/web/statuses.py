"""What a failure is in HTTP: a status for each kind of fault, and the text that a stranger may see. Pure."""

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.enrolment.decisions import RequestRefusedError

OUR_FAULT = "The seed server has a problem of its own; try again later, and tell the operator."

STATUS_OF = {
    FaultKind.FAILED: 500,
    FaultKind.USAGE: 400,
    FaultKind.NOT_SET_UP: 503,
    FaultKind.NOT_RUNNING: 503,
    FaultKind.REFUSED: 403,
    FaultKind.UNREACHABLE: 503,
    FaultKind.BAD_INPUT: 400,
    FaultKind.STORAGE: 503,
    FaultKind.BUSY: 503,
}
"""A 4xx means that the caller must change its request; after a 5xx endpoints try again later."""


def answer_to(error: UserError) -> tuple[int, str]:
    """Return the status and the text to answer with.

    Any error but `RequestRefusedError` is this server's fault, whatever its kind; the caller is told no details.
    """
    status = STATUS_OF[error.kind]
    if isinstance(error, RequestRefusedError):
        return status, error.message
    return (max(status, 500)), OUR_FAULT

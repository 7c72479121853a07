"""What went wrong with a request, as RFC 9457 says it: whose fault it is, and what to do next. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import msgspec
from msgspec import Struct

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.permissions import RightMissingError

PROBLEM_MEDIA = "application/problem+json"
TYPE_PREFIX = "urn:p2pdist:problem:"
TRY_AGAIN_SECONDS = 2  # after which a program may try again what another process holds


class ApiProblemDocument(Struct, frozen=True):
    """Why a request was not carried out, by RFC 9457."""

    type: str
    """Which kind of problem it is: urn:p2pdist:problem: and a name of the list in docs/api.md."""
    title: str
    """The same in words."""
    status: int
    """The HTTP status."""
    detail: str
    """What happened, and what to do, in English."""
    remedy: str
    """What to do about any problem of this kind."""
    request: str
    """The id of the request, which is in the server's log and in the audit log."""


@dataclass(frozen=True)
class ProblemKind:
    """A kind of problem."""

    name: str
    status: int
    title: str
    remedy: str
    headers: Mapping[str, str] = field(default_factory=dict)


def _by_name(*kinds: ProblemKind) -> Mapping[str, ProblemKind]:
    return MappingProxyType({kind.name: kind for kind in kinds})


_TOKEN = MappingProxyType({"WWW-Authenticate": 'Bearer realm="seed-server"'})
_LATER = MappingProxyType({"Retry-After": str(TRY_AGAIN_SECONDS)})

PROBLEM_KINDS = _by_name(
    ProblemKind("malformed", 400, "The request is no HTTP request of this API", "Compare it with docs/api.md."),
    ProblemKind(
        "no-token", 401, "An API token is missing", "Send Authorization: Bearer TOKEN; make one with 'seed-server "
        "api-token make'.", _TOKEN,
    ),
    ProblemKind(
        "token-not-valid", 401, "The API token is not valid", "Make another one with 'seed-server api-token make'.",
        MappingProxyType({"WWW-Authenticate": 'Bearer realm="seed-server", error="invalid_token"'}),
    ),
    ProblemKind(
        "right-missing", 403, "The token may not do this", "Use a token that has the right, for the PCs that it is "
        "about; or ask an administrator for it.",
    ),
    ProblemKind("no-such-thing", 404, "There is no such thing", "List what there is, and take its name from there."),
    ProblemKind("no-such-method", 405, "This address takes another method", "See the Allow header of the answer."),
    ProblemKind("took-too-long", 408, "The request took too long to arrive", "Send it again, at once."),
    ProblemKind(
        "conflict", 409, "What is there does not allow this now", "Look at it, and decide again: trying again alone "
        "changes nothing.",
    ),
    ProblemKind(
        "key-at-work", 409, "The request with this Idempotency-Key is being worked on", "Send it again with the same "
        "key, later.", _LATER,
    ),
    ProblemKind(
        "key-cut-off", 409, "It is not known whether the request with this Idempotency-Key was carried out",
        "Look whether it was (audit log); if not, send it with a new key.",
    ),
    ProblemKind(
        "key-answer-gone", 409, "The request with this Idempotency-Key was carried out, and its answer is not kept",
        "It had a secret, or was long. Look at what was made; make another one with a new key where its secret is "
        "lost.",
    ),
    ProblemKind(
        "changed-meanwhile", 412, "It is not as If-Match says", "Read it again, and decide anew by what it is now.",
    ),
    ProblemKind("too-long", 413, "The request is too long", "Send it in parts."),
    ProblemKind("no-json", 415, "The body is not JSON", "Send Content-Type: application/json."),
    ProblemKind(
        "not-acceptable", 422, "What was given is not acceptable", "Correct what the detail names, and send it again.",
    ),
    ProblemKind(
        "key-of-another", 422, "The Idempotency-Key was given with another request", "Take a new key for each request.",
    ),
    ProblemKind("too-many", 429, "Too many requests", "Wait as Retry-After says, and send fewer.", _LATER),
    ProblemKind("failed", 500, "The server has a problem of its own", "Tell the operator: the server's log says more."),
    ProblemKind("busy", 409, "Another process holds what is needed", "Send it again, as Retry-After says.", _LATER),
    ProblemKind(
        "not-ready", 503, "The server cannot answer now", "Tell the operator what the detail says.", _LATER,
    ),
)  # fmt: skip
"""Every kind of problem, by its name."""

_OF_FAULT = {
    FaultKind.FAILED: "failed",
    FaultKind.USAGE: "malformed",
    FaultKind.NOT_SET_UP: "not-ready",
    FaultKind.NOT_RUNNING: "not-ready",
    FaultKind.REFUSED: "conflict",
    FaultKind.UNREACHABLE: "not-ready",
    FaultKind.BAD_INPUT: "not-acceptable",
    FaultKind.STORAGE: "not-ready",
    FaultKind.BUSY: "busy",
}


class ApiProblemError(Exception):
    """A request is answered with a problem of a kind."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.kind, self.detail = PROBLEM_KINDS[name], detail

    def document(self, request: str) -> ApiProblemDocument:
        """Return what it is answered with; ``request``: its id."""
        kind = self.kind
        return ApiProblemDocument(
            f"{TYPE_PREFIX}{kind.name}", kind.title, kind.status, self.detail, kind.remedy, request
        )


def problem_of(error: UserError, *, of_path: bool = False) -> ApiProblemError:
    """Return what an error is to a program; ``of_path``: nothing was given but what the path names."""
    name = "right-missing" if isinstance(error, RightMissingError) else _OF_FAULT[error.kind]
    if of_path and error.kind is FaultKind.BAD_INPUT:
        name = "no-such-thing"
    return ApiProblemError(name, error.message)


def of_input(error: msgspec.ValidationError, where: str) -> ApiProblemError:
    """Return the problem of what does not have the form that it must have; ``where``: of which part of the request."""
    return ApiProblemError("not-acceptable", f"{where}: {error}.")

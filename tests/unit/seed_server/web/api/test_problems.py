"""`seed_server.web.api.problems`: whose fault it is decides the status, and every kind says what to do."""

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.permissions import RightMissingError
from seed_server.web.api.problems import PROBLEM_KINDS, ApiProblemError, problem_of


@pytest.mark.parametrize(
    ("error", "name", "status"),
    [
        (RightMissingError("no"), "right-missing", 403),
        (UserError("no", FaultKind.REFUSED), "conflict", 409),
        (UserError("no", FaultKind.BAD_INPUT), "not-acceptable", 422),
        (UserError("no", FaultKind.USAGE), "malformed", 400),
        (UserError("no", FaultKind.BUSY), "busy", 409),
        (UserError("no", FaultKind.STORAGE), "not-ready", 503),
        (UserError("no", FaultKind.NOT_SET_UP), "not-ready", 503),
        (UserError("no", FaultKind.FAILED), "failed", 500),
    ],
)
def test_the_kind_of_fault_is_the_kind_of_problem(error: UserError, name: str, status: int) -> None:
    problem = problem_of(error)
    assert (problem.kind.name, problem.kind.status, problem.detail) == (name, status, "no")


def test_every_fault_is_a_problem() -> None:
    assert {problem_of(UserError("", kind)).kind.name for kind in FaultKind} <= set(PROBLEM_KINDS)


def test_every_kind_has_words_and_those_that_pass_say_when() -> None:
    for name, kind in PROBLEM_KINDS.items():
        assert kind.name == name
        assert 400 <= kind.status < 600
        assert kind.title[0].isupper()
        assert kind.remedy.endswith(".")
    assert {name for name, kind in PROBLEM_KINDS.items() if "Retry-After" in kind.headers} >= {"busy", "too-many"}
    assert all("WWW-Authenticate" in kind.headers for kind in PROBLEM_KINDS.values() if kind.status == 401)


def test_a_problem_is_what_rfc_9457_wants() -> None:
    document = ApiProblemError("conflict", "It is denied.").document("0a1b")
    assert document.type == "urn:p2pdist:problem:conflict"
    assert (document.status, document.detail, document.request) == (409, "It is denied.", "0a1b")
    assert document.title
    assert document.remedy

"""`seed_server.web.statuses`: every kind of fault has a status, and a stranger learns nothing of the server's own."""

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.enrolment.decisions import RequestRefusedError
from seed_server.web.statuses import OUR_FAULT, STATUS_OF, answer_to


def test_every_kind_of_fault_has_a_status_of_an_error() -> None:
    assert set(STATUS_OF) == set(FaultKind)
    assert all(400 <= status < 600 for status in STATUS_OF.values())


@pytest.mark.parametrize("kind", FaultKind)
def test_a_fault_of_this_server_is_its_own_and_said_in_no_more_words(kind: FaultKind) -> None:
    status, text = answer_to(UserError("/srv/patches/state.db is damaged.", kind))
    assert status >= 500
    assert text == OUR_FAULT


def test_a_refusal_tells_the_pc_what_to_do() -> None:
    assert answer_to(RequestRefusedError("This token has expired.", FaultKind.REFUSED)) == (
        403,
        "This token has expired.",
    )
    assert answer_to(RequestRefusedError("No CSR.", FaultKind.BAD_INPUT)) == (400, "No CSR.")

"""`p2pdist.identity.signed_statement`: a JWS that others can check, with what it carries and the control CA."""

from pathlib import Path

import pytest

from p2pdist.identity.signed_statement import sign_statement
from p2pdist.shared.statement_check import StatementError, StatementFault, check_statement
from tests.helpers.statements import Company, packed, statement, unpacked

NOW = 1_900_000_000.0


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path, NOW)


def test_statement_can_be_checked_with_the_certificate_it_carries(company: Company) -> None:
    pc = company.pc(NOW)
    jws = sign_statement(pc, said := statement(pc, NOW))
    header, body, _ = jws.split(".")
    assert (unpacked(header)["alg"], unpacked(header)["kid"], unpacked(body)) == ("ES256", pc.endpoint_id, said)
    assert check_statement(jws, company.control_ca, NOW, longest_seconds=1.0).hostname == "pc-köln"


def test_changed_statement_is_noticed(company: Company) -> None:
    pc = company.pc(NOW)
    header, body, signature = sign_statement(pc, statement(pc, NOW, compliant=False)).split(".")
    forged = packed(unpacked(body) | {"compliant": True})
    with pytest.raises(StatementError) as caught:
        check_statement(f"{header}.{forged}.{signature}", company.control_ca, NOW, longest_seconds=1.0)
    assert caught.value.fault is StatementFault.FORGED

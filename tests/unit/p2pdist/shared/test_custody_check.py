"""`p2pdist.shared.custody_check`: a head counts only as its PC has signed it, and for nothing else."""

from pathlib import Path

import pytest

from p2pdist.identity.signed_statement import sign_statement
from p2pdist.shared.custody import Custody, custody_statement
from p2pdist.shared.custody_check import check_head
from p2pdist.shared.statement_check import StatementError, StatementFault, check_statement
from tests.helpers.statements import Company, packed, statement, unpacked

NOW = 1_900_000_000.0


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company(tmp_path_factory.mktemp("ca"), NOW)


def test_a_head_of_any_age_is_read(company: Company) -> None:
    pc = company.pc(NOW)
    jws = sign_statement(pc, custody_statement(pc.endpoint_id, Custody(), NOW))
    head = check_head(jws, company.control_ca, pc.endpoint_id)
    assert (head.size, head.root, head.at) == (0, Custody().root().hex(), int(NOW))


def test_of_another_pc_or_authority_or_changed_it_is_refused(company: Company, tmp_path: Path) -> None:
    pc, other = company.pc(NOW), company.pc(NOW)
    said = custody_statement(pc.endpoint_id, Custody(), NOW)
    jws = sign_statement(pc, said)
    with pytest.raises(StatementError) as caught:
        check_head(jws, company.control_ca, other.endpoint_id)
    assert caught.value.fault is StatementFault.ANOTHER_PC
    with pytest.raises(StatementError) as caught:
        check_head(sign_statement(other, said), company.control_ca, pc.endpoint_id)
    assert caught.value.fault is StatementFault.ANOTHER_PC
    with pytest.raises(StatementError) as caught:
        check_head(jws, Company(tmp_path / "other", NOW).control_ca, pc.endpoint_id)
    assert caught.value.fault is StatementFault.UNTRUSTED
    header, body, signature = jws.split(".")
    changed = ".".join([header, packed(unpacked(body) | {"size": 1}), signature])
    with pytest.raises(StatementError) as caught:
        check_head(changed, company.control_ca, pc.endpoint_id)
    assert caught.value.fault is StatementFault.FORGED


def test_it_is_no_posture_and_a_posture_is_no_head(company: Company) -> None:
    pc = company.pc(NOW)
    with pytest.raises(StatementError) as caught:
        check_head(sign_statement(pc, statement(pc, NOW)), company.control_ca, pc.endpoint_id)
    assert caught.value.fault is StatementFault.MALFORMED
    jws = sign_statement(pc, custody_statement(pc.endpoint_id, Custody(), NOW))
    with pytest.raises(StatementError) as caught:
        check_statement(jws, company.control_ca, NOW, longest_seconds=60.0)
    assert caught.value.fault is StatementFault.MALFORMED

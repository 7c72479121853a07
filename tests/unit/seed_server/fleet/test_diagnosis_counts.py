"""Counts of answers are those that reading every PC gives."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.messages import Diagnosis, DiagnosisAnswer
from seed_server.answers.signed_documents import findings_document
from seed_server.fleet import operations, queries
from seed_server.fleet.diagnosis_counts import count_answers
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.rollout_company import ADA, OTHERS, TESTERS, Company

TEXT = """
title = "Old libraries"
[[item]]
label = "openssl"
expression = 'package("openssl") < version("3.0.17")'
[[item]]
label = "curl"
expression = 'package("curl") < version("8")'
"""


def _set(company: Company, folder: Path) -> None:
    (folder / "old.toml").write_text(TEXT)
    keys = OfflineKeys(company.context.home.offline_keys, None)
    operations.set_template(company.context, ADA, "old", folder / "old.toml", keys)


def _answer(label: str, *, needed: bool | None) -> DiagnosisAnswer:
    return DiagnosisAnswer(label=label, applies=needed is not None, needed=needed, reason="x")


def test_they_are_those_of_the_answers(company: Company, tmp_path: Path) -> None:
    _set(company, tmp_path)
    said = {TESTERS[0]: True, TESTERS[1]: True, OTHERS[0]: False, OTHERS[1]: None}
    for number, (pc, needed) in enumerate(said.items()):
        answers = (_answer("openssl", needed=needed), _answer("gone", needed=True))
        company.database.save_diagnosis(pc, Diagnosis(template="old", answers=answers), 100.0 + number)
    found = count_answers(company.context, "old")
    openssl, curl = found.items
    assert (openssl.needed, openssl.not_needed, openssl.not_applicable, openssl.unanswered) == (2, 1, 1, 6)
    assert openssl.answered_at == 103.0
    assert (curl.needed, curl.unanswered, curl.answered_at) == (0, 10, None)
    whole = findings_document(queries.read_findings(company.context, "old"))
    assert [
        (one.item.label, one.needed, one.not_needed, one.not_applicable, one.unanswered) for one in found.items
    ] == [(one.label, one.needed, one.not_needed, one.not_applicable, one.unanswered) for one in whole.items]


def test_there_is_no_such_template(company: Company) -> None:
    with pytest.raises(UserError) as raised:
        count_answers(company.context, "nothing")
    assert raised.value.kind is FaultKind.BAD_INPUT

"""Counts of answers are those that reading every PC gives."""

from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.messages import Diagnosis, DiagnosisAnswer
from seed_server.answers.signed_documents import findings_document
from seed_server.fleet import operations, queries
from seed_server.fleet.diagnosis_counts import PcAnswer, count_answers, read_answering
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


def _pcs(company: Company, answer: PcAnswer, most: int = 50) -> list[list[str]]:
    """Return the PCs of all pages of an answer."""
    pages, after = [], 0
    while True:
        found = read_answering(company.context, "old", "openssl", answer, most=most, after=after)
        pages.append([one.endpoint_id for one in found.rows])
        if found.after is None:
            return pages
        after = found.after


def test_behind_each_count_are_its_pcs(company: Company, tmp_path: Path) -> None:
    _set(company, tmp_path)
    said = {TESTERS[0]: True, TESTERS[1]: True, OTHERS[0]: False, OTHERS[1]: None}
    for pc, needed in said.items():
        company.database.save_diagnosis(
            pc, Diagnosis(template="old", answers=(_answer("openssl", needed=needed),)), 100.0
        )
        company.database.save_diagnosis(pc, Diagnosis(template="two", answers=(_answer("openssl", needed=True),)), 9.0)
    assert _pcs(company, "needed") == [TESTERS[:2]]
    assert _pcs(company, "needed", most=1) == [TESTERS[:1], TESTERS[1:2]]
    assert _pcs(company, "not_needed") == [OTHERS[:1]]
    assert _pcs(company, "not_applicable") == [OTHERS[1:2]]
    assert _pcs(company, "unanswered", most=4) == [[TESTERS[2], *OTHERS[2:5]], OTHERS[5:]]
    (one,) = read_answering(company.context, "old", "openssl", "not_needed", most=9).rows
    assert (one.hostname, one.site, one.reason, one.at) == (OTHERS[0], "osaka", "x", 100.0)
    (away, *_) = read_answering(company.context, "old", "openssl", "unanswered", most=9).rows
    assert (away.reason, away.at) == ("", None)
    with pytest.raises(UserError, match="has no item 'curly'"):
        read_answering(company.context, "old", "curly", "needed", most=9)


def test_there_is_no_such_template(company: Company) -> None:
    with pytest.raises(UserError) as raised:
        count_answers(company.context, "nothing")
    assert raised.value.kind is FaultKind.BAD_INPUT

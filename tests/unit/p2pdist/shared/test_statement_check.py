"""`p2pdist.shared.statement_check`: good statements are read, any other text is refused; attacks: tests/adversary."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2pdist.identity.signed_statement import sign_statement
from p2pdist.shared.statement_check import (
    CLOCK_AHEAD_SECONDS,
    MAX_STATEMENT_CHARS,
    StatementError,
    StatementFault,
    check_statement,
)
from tests.helpers.statements import Company, statement

NOW = 1_900_000_000.0


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company(tmp_path_factory.mktemp("ca"), NOW)


def test_a_good_statement_is_read(company: Company) -> None:
    pc = company.pc(NOW)
    for n in range(20):  # r or s is short in one of 128 signatures
        jws = sign_statement(pc, statement(pc, NOW, compliant=n % 2 == 0, problem="old", more="keys"))
        read = check_statement(f"{jws}\n", company.control_ca, NOW, longest_seconds=1.0)
        assert (read.endpoint_id, read.hostname, read.at) == (pc.endpoint_id, "pc-köln", int(NOW))
        assert (read.compliant, read.problem) == (n % 2 == 0, "old")


@pytest.mark.parametrize(("age", "good"), [(60.0, True), (61.0, False), (-300.0, True), (-301.0, False)])
def test_it_counts_for_as_long_as_is_said_and_a_clock_may_be_a_little_ahead(
    company: Company, age: float, good: bool
) -> None:
    assert CLOCK_AHEAD_SECONDS == 300.0
    pc = company.pc(NOW)
    jws = sign_statement(pc, statement(pc, NOW))
    if good:
        assert check_statement(jws, company.control_ca, NOW + age, longest_seconds=60.0).compliant
        return
    with pytest.raises(StatementError, match="too old, or from the future") as caught:
        check_statement(jws, company.control_ca, NOW + age, longest_seconds=60.0)
    assert caught.value.fault is StatementFault.STALE


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text() | st.lists(st.text(alphabet="ABCabc019-_="), min_size=3, max_size=3).map(".".join))
def test_any_text_is_refused(company: Company, text: str) -> None:
    with pytest.raises(StatementError) as caught:
        check_statement(text, company.control_ca, NOW, longest_seconds=60.0)
    assert caught.value.fault is StatementFault.MALFORMED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 'acme'", "it has not three parts with dots between them"),
        ("a.b", "it has not three parts with dots between them"),
        ("a.b.c", "a part of it cannot be read"),
        ("e30.e30.", "Object missing required field `alg`"),
    ],
)
def test_what_is_no_statement_is_refused_in_words_for_people(company: Company, text: str, words: str) -> None:
    with pytest.raises(StatementError, match="^it is no statement of a PC: ") as caught:
        check_statement(text, company.control_ca, NOW, longest_seconds=60.0)
    assert words in str(caught.value)


@pytest.mark.parametrize("at", [-(10**12), 10**12, 10**30])
def test_a_time_that_is_none_is_refused(company: Company, at: int) -> None:
    pc = company.pc(NOW)
    with pytest.raises(StatementError):
        check_statement(sign_statement(pc, statement(pc, at)), company.control_ca, NOW, longest_seconds=1.0)


def test_what_is_too_long_is_not_read(company: Company) -> None:
    with pytest.raises(StatementError, match=f"over {MAX_STATEMENT_CHARS} characters"):
        check_statement("a" * (MAX_STATEMENT_CHARS + 1), company.control_ca, NOW, longest_seconds=1.0)


def test_an_authority_that_is_none_trusts_nobody(company: Company) -> None:
    pc = company.pc(NOW)
    with pytest.raises(StatementError) as caught:
        check_statement(sign_statement(pc, statement(pc, NOW)), "no certificate", NOW, longest_seconds=1.0)
    assert caught.value.fault is StatementFault.UNTRUSTED

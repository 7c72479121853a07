"""Any text is an expression or is told where it is none; any expression has an answer on any PC.

What signs a manifest is trusted, but what reads it runs on every PC of a fleet: it must not hang, fall, or be talked
into more than answering.
"""

import builtins
import string
import warnings
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from p2pdist.shared.manifest import applicability
from p2pdist.shared.manifest.applicability import Verdict, evaluate
from p2pdist.shared.manifest.expression import (
    MAX_DEPTH,
    MAX_EXPRESSION_CHARS,
    MAX_NUMBER,
    AllOf,
    AnyOf,
    ExpressionError,
    Not,
    Term,
    parse_expression,
)
from p2pdist.shared.manifest.facts import FACTS, Facts, FactType, FactValue, Packages
from p2pdist.shared.manifest.syntax import MAX_BRACKETS
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, Version, parse_version

PACKAGES = ["openssl", "libc6", "acme-agent", "7-Zip 23.01 (x64)"]


# --- expressions that are valid, of any shape ----------------------------------------------------


def _quoted(text: str) -> str:
    return f'"{text}"' if '"' not in text else f"'{text}'"


TEXTS = st.one_of(
    st.sampled_from(["debian", "windows", "amd64", "ja-jp", "lab"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\\'\"", exclude_categories=["C", "Z"]), max_size=12),
).map(_quoted)
NUMBERS = st.one_of(st.integers(0, MAX_NUMBER).map(str), st.sampled_from(["0", "19_045", str(MAX_NUMBER)]))
NEAR_VERSIONS = ["1", "3.0.17", "1:2.3-4~deb12u1", "10.0.19045.1", "2.1-rc3", "v7", "1.0~beta^2"]
VERSIONS = st.sampled_from(NEAR_VERSIONS).map(lambda text: f'version("{text}")')
GENERIC_VERSIONS = st.sampled_from(["1", "3.0.17", "22.04", "2.1-rc3", "v7"]).map(lambda text: f'version("{text}")')
ORDERED = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
EQUAL = st.sampled_from(["==", "!="])
IN = st.sampled_from(["in", "not in"])
LISTS = st.lists(TEXTS, min_size=2, max_size=5).map(lambda items: f"({', '.join(items)})")


def _names(kind: FactType) -> st.SearchStrategy[str]:
    return st.sampled_from([name for name, fact in FACTS.items() if fact.type is kind])


def _spelled(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(" ".join)


PACKAGE = st.sampled_from(PACKAGES).map(lambda name: f'package("{name}")')
ATOMS = st.one_of(
    _spelled(_names(FactType.TEXT), EQUAL, TEXTS),
    _spelled(TEXTS, EQUAL, _names(FactType.TEXT)),
    _spelled(_names(FactType.TEXT), IN, LISTS),
    _spelled(TEXTS, IN, _names(FactType.TEXTS)),
    _spelled(_names(FactType.NUMBER), ORDERED, NUMBERS),
    _spelled(NUMBERS, ORDERED, _names(FactType.NUMBER)),
    _spelled(_names(FactType.VERSION), ORDERED, GENERIC_VERSIONS),
    _spelled(PACKAGE, ORDERED, VERSIONS),
    _spelled(VERSIONS, ORDERED, PACKAGE),
    _names(FactType.TRUTH),
    st.sampled_from(PACKAGES).map(lambda name: f'installed("{name}")'),
    st.sampled_from(["true", "false", "True"]),
)
VALID = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda text: f"not ({text})"),
        inner.map(lambda text: f"({text})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} and {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}\n or {pair[1]})"),
    ),
    max_leaves=12,
).filter(lambda text: len(text) <= MAX_EXPRESSION_CHARS)


# --- facts of any PC, also of one that lies about a type ------------------------------------------


def _versions(ecosystems: st.SearchStrategy[Ecosystem]) -> st.SearchStrategy[Version | None]:
    def read(pair: tuple[str, Ecosystem]) -> Version | None:
        try:
            return parse_version(*pair)
        except InvalidVersionError:
            return None

    return st.tuples(
        st.sampled_from(NEAR_VERSIONS) | st.text(string.printable, min_size=1, max_size=8), ecosystems
    ).map(read)


VERSION_VALUES = _versions(st.sampled_from(Ecosystem)).filter(lambda version: version is not None)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.integers(),
    st.text(max_size=8),
    st.lists(st.text(max_size=4) | st.just("lab"), max_size=4).map(tuple),
    VERSION_VALUES,
)
ANY_FACTS = st.builds(
    Facts,
    values=st.dictionaries(st.sampled_from(sorted(FACTS)), VALUES, max_size=len(FACTS)),
    packages=st.one_of(
        st.dictionaries(st.sampled_from(PACKAGES), VERSION_VALUES, max_size=4),
        st.dictionaries(
            st.sampled_from(Ecosystem),
            st.dictionaries(st.sampled_from(PACKAGES), st.text(max_size=8), max_size=4),
            max_size=3,
        ).map(Packages),
    ),
)


def parsed(text: str) -> Term | None:
    """Return the expression, if it is one; check what is said if not."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return parse_expression(text)
        except ExpressionError as told:
            error = told
    assert 1 <= error.column <= len(text) + 1
    assert str(error).startswith(f"column {error.column}: ")
    assert len(str(error)) < 500
    return None


def terms(term: Term) -> int:
    """Return how many terms there are."""
    if isinstance(term, AllOf | AnyOf):
        return 1 + sum(map(terms, term.terms))
    return 1 + terms(term.term) if isinstance(term, Not) else 1


@given(VALID, ANY_FACTS)
def test_valid_expressions_have_an_answer_on_every_pc_in_as_many_steps_as_they_have_terms(
    text: str, facts: Facts
) -> None:
    term = parse_expression(text)
    steps = 0
    real = evaluate

    def counted(one: Term, of: Facts) -> Verdict:
        nonlocal steps
        steps += 1
        return real(one, of)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(applicability, "evaluate", counted)
        answer = counted(term, facts)
    assert isinstance(answer.applies, bool)
    assert answer.reason
    assert steps <= terms(term) <= len(text)


@given(VALID, ANY_FACTS)
def test_not_is_the_opposite_and_and_or_are_what_they_are_called(text: str, facts: Facts) -> None:
    holds = evaluate(parse_expression(text), facts).applies
    for spelled, expected in (
        (f"not ({text})", not holds),
        (f"({text}) and ({text})", holds),
        (f"({text}) or false", holds),
        (f"({text}) and false", False),
        (f"({text}) or true", True),
    ):
        if (term := parsed(spelled)) is not None:  # else it has grown over a cap
            assert evaluate(term, facts).applies is expected


@given(VALID, st.data())
def test_mutations_of_valid_expressions(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 4))
        put = data.draw(
            st.sampled_from(["", "(", ")", "[", "]", '"', "'", "\\", ".", ",", "=", "\0", "\n", "#", "é", "ﬁ", "1",
                             " not ", " and", "f", "b'", ":=", "**",
                             "lambda:", "{", "`", ";", "0x", "1e9", "...", "os.", "@"])
            | st.text(max_size=3)
        )  # fmt: skip
        text = text[:at] + put + text[at + length :]
    if (term := parsed(text)) is not None:
        assert isinstance(evaluate(term, Facts()).applies, bool)


@given(
    st.text(max_size=60) | st.text(string.printable, max_size=60) | st.text("()[]\"'.,=<>! notrue\\1_a", max_size=60)
)
@example("\0")
@example("true\0")
@example("'\\d' == os.id")
@example("1or true")
@example('"a" "b" in tags')
@example("ｏs.id == 'x'")
@example("'\ud800' == os.id")
@example("true # and false")
@example("true;false")
def test_any_text(text: str) -> None:
    if (term := parsed(text)) is not None:
        assert evaluate(term, Facts()).reason


@pytest.mark.parametrize(
    "text",
    [
        "(" * 999 + "true" + ")" * 999,
        "(" * 1_999 + "t",
        "[" * 1_000,
        ")" * 1_000,
        "not " * 499 + "true",
        "a" + ".a" * 999,
        "a" * MAX_EXPRESSION_CHARS,
        "a.b" * 600,
        "true" + "==true" * 300,
        "os.build == " + "9" * 1_900,
        "version" + "(" * 60 + '"1"' + ")" * 60,
        "tags == " + "(" * 60 + '"a",' + ")" * 60,
        "tags == (" + '"a",' * 400 + ")",
        "-" * 1_999 + "1",
        "os.id == '" + "x" * 1_980,
    ],
    ids=lambda text: f"{text[:12]} {len(text)}",
)
def test_what_is_deep_long_or_huge_is_told_so(text: str) -> None:
    assert len(text) <= MAX_EXPRESSION_CHARS + 10
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text)
    assert 1 <= caught.value.column <= len(text) + 1


@pytest.mark.parametrize(("levels", "good"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_the_cap_on_levels_is_the_same_however_they_are_written(levels: int, good: bool) -> None:
    for text in ("not " * levels + "true", "not (" * levels + "true" + ")" * levels):
        assert (parsed(text) is not None) is good


@pytest.mark.parametrize(("brackets", "good"), [(MAX_BRACKETS, True), (MAX_BRACKETS + 1, False)])
def test_the_cap_on_parentheses(brackets: int, good: bool) -> None:
    assert (parsed("(" * brackets + "true" + ")" * brackets) is not None) is good


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("os.id = 'x'", 7, "write =="),
        ("os.id == 'x", 10, "without its end"),
        ("os.id == 'a\\x'", 10, "backslash"),
        ('os.id == f"x"', 11, "a space is missing"),
        ("os.build == 1or true", 14, "a space is missing"),
        ('arch in ("amd64" "arm64")', 18, "a comma is missing"),
        ("true # really", 6, "'#' has no place"),
        ("  \n os.id == 'é' @", 18, "'@' has no place"),
        ("os.build == 1.", 14, "'.' has no place"),
        ("os.build == 1.5or true", 16, "a space is missing"),
        ("ﬁ == 'x'", 1, "has no place"),
    ],
)
def test_the_place_of_what_is_no_word(text: str, column: int, words: str) -> None:
    with pytest.raises(ExpressionError, match=words) as caught:
        parse_expression(text)
    assert caught.value.column == column


@settings(max_examples=30)
@given(VALID)
def test_nothing_is_ever_compiled_or_run(text: str) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("an expression must not run")

    with pytest.MonkeyPatch.context() as patched:
        for name in ("eval", "exec", "compile"):
            patched.setattr(builtins, name, forbidden)
        parse_expression(text)


@given(st.lists(st.tuples(st.sampled_from(Ecosystem), st.text(string.printable, max_size=12)), max_size=3))
def test_versions_of_one_ecosystem_are_in_one_order(pairs: list[tuple[Ecosystem, str]]) -> None:
    read: list[Version] = []
    for ecosystem, text in pairs:
        try:
            read.append(parse_version(text, ecosystem))
        except InvalidVersionError:
            continue
    for one in read:
        for other in read:
            if one.ecosystem is other.ecosystem:
                assert (one < other) + (one == other) + (one > other) == 1
                assert (one <= other) is not (one > other)
                assert one != other or hash(one) == hash(other)


def test_a_fact_of_another_type_than_it_should_have_decides_nothing() -> None:
    lies: dict[str, FactValue] = {"os.build": "19045", "os.id": 7, "tags": "lab", "on_mains": 1, "os.release": "12"}
    facts = Facts(values=lies)
    for text in ("os.build > 1", "os.id == '7'", "'lab' in tags", "on_mains", "os.release > version('1')"):
        assert not evaluate(parse_expression(text), facts).applies

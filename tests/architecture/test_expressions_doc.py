"""`docs/expressions.md` describes the language as the parser, the facts and the choice of files have it."""

import re
import textwrap

import pytest

from bench.fact_table import PAGE, page_with_table
from p2pdist.shared.manifest import expression, syntax
from p2pdist.shared.manifest.applicability import evaluate
from p2pdist.shared.manifest.expression import ExpressionError, parse_expression
from p2pdist.shared.manifest.facts import Facts, Packages
from p2pdist.shared.manifest.suitability import language_distance
from p2pdist.shared.manifest.versions import Ecosystem, Version, parse_version

DOC = PAGE.read_text(encoding="utf-8")
PC = Facts(
    values={
        "os.family": "debian",
        "os.release": parse_version("12", Ecosystem.GENERIC),
        "os.language": "ja-jp",
        "arch": "amd64",
        "disk.free_mb": 20_000,
        "tags": ("lab", "first"),
    },
    packages=Packages({Ecosystem.DEB: {"openssl": "3.0.19-1~deb12u1"}}),
)


def rows(header: str) -> list[list[str]]:
    """Return the cells of the table that begins with ``header``."""
    after = DOC.split(f"| {header} |", 1)[1].splitlines()[2:]
    table = after[: next((n for n, line in enumerate(after) if not line.startswith("|")), len(after))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_the_table_of_facts_is_the_sources() -> None:
    assert page_with_table(DOC) == DOC, "run: python -m bench.fact_table"


def test_every_whole_example_is_an_expression() -> None:
    blocks = re.findall(r"```expression\n(.*?)```", DOC, re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        parse_expression(block)


def test_examples_are_answered_as_the_page_says() -> None:
    examples = rows("expression | applies | reason")
    assert len(examples) >= 10
    for text, applies, reason in examples:
        answer = evaluate(parse_expression(text.strip("`")), PC)
        assert ("yes" if answer.applies else "no", answer.reason) == (applies, reason), text


def test_what_is_refused_is_refused_as_the_page_says() -> None:
    refused = rows("text | what is said") + rows("text | what is said now")
    assert len(refused) >= 10
    for text, said in refused:
        with pytest.raises(ExpressionError) as error:
            parse_expression(text.strip("`"))
        assert str(error.value).startswith(said), text


def test_the_caps_are_those_of_the_parser() -> None:
    for text in (
        f"at most {expression.MAX_EXPRESSION_CHARS:_} characters, {expression.MAX_DEPTH} levels".replace("_", " "),
        f"{syntax.MAX_BRACKETS} of parentheses",
        f"a list of 1 to {expression.MAX_LIST_ITEMS} texts",
        "at most 10^15",
    ):
        assert text in DOC, text
    assert expression.MAX_NUMBER == 10**15


def test_the_grammar_is_that_of_the_parser() -> None:
    (grammar,) = re.findall(r"## Grammar\n\n```text\n(.*?)```", DOC, re.DOTALL)
    assert len(grammar.splitlines()) == 6
    assert textwrap.indent(grammar, "    ") in (syntax.__doc__ or "")


def test_versions_are_ordered_as_the_page_says() -> None:
    def version(text: str, ecosystem: Ecosystem) -> Version:
        return parse_version(text, ecosystem)

    for ecosystem, more, less in (
        (Ecosystem.DEB, "1:2.0-1", "9.0-1"),
        (Ecosystem.DEB, "1.0", "1.0~rc1"),
        (Ecosystem.RPM, "1:2.0-1", "9.0-1"),
        (Ecosystem.RPM, "1.0^git1", "1.0"),
        (Ecosystem.GENERIC, "2.1", "2.1-rc3"),
        *((ecosystem, "1.10", "1.9") for ecosystem in Ecosystem),
    ):
        assert version(more, ecosystem) > version(less, ecosystem), ecosystem
    assert version("10.0", Ecosystem.WINDOWS) == version("10.0.0.0", Ecosystem.WINDOWS)
    assert version("v2", Ecosystem.GENERIC) == version("2", Ecosystem.GENERIC)


def test_languages_fall_back_in_the_order_of_the_page() -> None:
    languages = [language.strip("`") for _, _, language in rows("order | language of the file | for a PC with `zh-tw`")]
    distances = [language_distance(language, "zh-tw") for language in languages]
    assert distances == sorted(set(distances), key=lambda distance: -1 if distance is None else distance)
    assert len(distances) == 6
    assert None not in distances

"""The parser reads what CPython's `ast` read until then, and as it did, but for a list of accidents that the page has.

One way: what it accepts, `ast` accepts, with an equal tree. The other: what `ast` accepts it accepts with an equal
tree, or refuses with one of the answers that `docs/expressions.md` names.
"""

import re
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from p2pdist.shared.manifest import tokens
from p2pdist.shared.manifest.expression import MAX_EXPRESSION_CHARS, ExpressionError, Term, parse_expression
from p2pdist.shared.manifest.facts import FACTS
from tests.helpers.ast_expression import parse_expression_with_ast

PAGE = (Path(__file__).parents[2] / "docs" / "expressions.md").read_text(encoding="utf-8")
_ROWS = PAGE.split("| text | what is said now |", 1)[1].split("\n\n", 1)[0]
ACCIDENTS = dict(re.findall(r"^\| `([^`]+)` \| column \d+: ([^|]+) \|$", _ROWS, re.MULTILINE))


# --- one expression in many spellings: as a list of its words, then with whatever may be between them ---------------

Words = list[str]
QUOTES = st.sampled_from("\"'")
SPACES = st.sampled_from(["", " ", "  ", "\n", "\r\n", "\t", "\xa0", "　"])


@st.composite
def texts(draw: st.DrawFn) -> Words:
    quote = draw(QUOTES)
    inner = st.sampled_from(["debian", "amd64", "lab", "", "and", "(", "1", "#", "日本", "a b"]) | st.text(max_size=4)
    return [quote + draw(inner).replace("\\", "").replace(quote, "") + quote]


def quoted(*inner: str) -> st.SearchStrategy[Words]:
    return st.tuples(QUOTES, st.sampled_from(inner)).map(lambda pair: [pair[0] + pair[1] + pair[0]])


def called(name: str, *inner: str) -> st.SearchStrategy[Words]:
    comma = st.sampled_from([[], [], [","]])
    return st.tuples(quoted(*inner), comma).map(lambda parts: [name, "(", *parts[0], *parts[1], ")"])


def grouped(words: st.SearchStrategy[Words]) -> st.SearchStrategy[Words]:
    """Sometimes in parentheses that change nothing."""
    return st.tuples(words, st.sampled_from([0, 0, 0, 1, 2])).map(
        lambda pair: ["("] * pair[1] + pair[0] + [")"] * pair[1]
    )


@st.composite
def lists(draw: st.DrawFn) -> Words:
    opening, closing = draw(st.sampled_from([("(", ")"), ("[", "]")]))
    items = draw(st.lists(grouped(texts()), min_size=1, max_size=3))
    words = [word for item in items for word in [*item, ","]]
    keep = draw(st.booleans()) or (opening == "(" and len(items) == 1)
    return [opening, *(words if keep else words[:-1]), closing]


FACT = st.sampled_from(sorted(FACTS)).map(lambda name: [name])
NUMBER = st.sampled_from(["0", "7", "19045", "19_045", "1_0_0", str(10**15)]).map(lambda digits: [digits])
VERSION = called("version", "1", "3.0.17", "1:2.3-4~deb12u1", "v7")
PACKAGE = called("package", "openssl", "7-Zip 23.01 (x64)")
OPERATOR = st.sampled_from([["=="], ["!="], ["<"], ["<="], [">"], [">="], ["in"], ["not", "in"]])
OPERAND = st.one_of(FACT, texts(), NUMBER, VERSION, PACKAGE, lists())


def joined(*parts: st.SearchStrategy[Words]) -> st.SearchStrategy[Words]:
    return st.tuples(*parts).map(lambda found: [word for part in found for word in part])


def named(*names: str) -> st.SearchStrategy[Words]:
    return st.sampled_from(names).map(lambda name: [name])


ORDER = st.sampled_from([["=="], ["!="], ["<"], ["<="], [">"], [">="]])
EQUALITY = st.sampled_from([["=="], ["!="]])
MEMBERSHIP = st.sampled_from([["in"], ["not", "in"]])
TRUTH = named("true", "false", "True", "False", "on_mains") | called("installed", "acme-agent")
WELL_TYPED = st.one_of(
    joined(grouped(named("os.family", "arch", "site")), EQUALITY, grouped(texts())),
    joined(grouped(texts()), EQUALITY, grouped(named("os.id", "hostname"))),
    joined(grouped(named("os.family", "arch")), MEMBERSHIP, grouped(lists())),
    joined(grouped(texts()), MEMBERSHIP, grouped(named("tags"))),
    joined(grouped(named("tags")), EQUALITY, grouped(lists())),
    joined(grouped(named("os.build", "ram_mb")), ORDER, grouped(NUMBER)),
    joined(grouped(NUMBER), ORDER, grouped(named("os.build", "ram_mb"))),
    joined(grouped(PACKAGE), ORDER, grouped(VERSION)),
    joined(grouped(called("version", "22.04", "7")), ORDER, grouped(named("os.release"))),
    joined(grouped(named("on_mains")), EQUALITY, grouped(named("true", "False"))),
    TRUTH,
)
ANY_TYPES = joined(OPERAND, OPERATOR, OPERAND) | OPERAND | TRUTH


def of(atoms: st.SearchStrategy[Words]) -> st.SearchStrategy[Words]:
    """Return atoms under ``not``, ``and``, ``or`` and parentheses, with as few of these as precedence allows."""
    return st.recursive(
        grouped(atoms),
        lambda inner: st.one_of(
            joined(st.just(["not"]), inner),
            joined(inner, st.sampled_from([["and"], ["or"]]), inner),
            grouped(joined(inner, st.sampled_from([["and"], ["or"]]), inner)),
        ),
        max_leaves=8,
    )


def spelled(words: Words, data: st.DataObject) -> str:
    """Return the words with any spaces between them, none only where a word still ends there."""
    text = data.draw(SPACES)
    for word in words:
        apart = data.draw(SPACES)
        if not apart and text and word and (text[-1] + word[0]).replace(".", "a").replace('"', "a").isidentifier():
            apart = " "
        text += apart + word
    return text + data.draw(SPACES)


# --- old and new together ---------------------------------------------------------------------------------------


def read(text: str, parse: object = parse_expression) -> Term | ExpressionError:
    assert callable(parse)
    try:
        return parse(text)  # type: ignore[no-any-return]
    except ExpressionError as error:
        return error


def check(text: str) -> Term | ExpressionError:
    """Hold the two together, and return what the parser says."""
    new, old = read(text), read(text, parse_expression_with_ast)
    if not isinstance(new, ExpressionError):
        assert new == old or unknown_here(text), text
    elif not isinstance(old, ExpressionError):
        said = str(new).split(": ", 1)[1]
        assert said.startswith(tuple(ACCIDENTS.values())), (text, said)
    return new


def unknown_here(text: str) -> bool:
    """Whether it has a character that this Python, but not every one, holds for none."""
    return any(unicodedata.category(sign) == "Cn" for sign in text)


@given(of(WELL_TYPED), st.data())
def test_what_is_right_is_right_in_every_spelling(words: Words, data: st.DataObject) -> None:
    text = spelled(words, data)
    plain = " ".join(words)
    assume(len(text) <= MAX_EXPRESSION_CHARS)
    term = check(text)
    if isinstance(term, ExpressionError):  # a text with a control character, a name glued to a text
        assert re.search("printable|a space is missing|levels", str(term))
    else:
        assert term == read(plain)


@given(of(ANY_TYPES))
def test_what_is_of_a_wrong_type_is_told_so_in_the_same_words_and_place(words: Words) -> None:
    text = " ".join(words)
    new, old = check(text), read(text, parse_expression_with_ast)
    assume("printable" not in str(new))  # told before types now, and for white space in a text at all
    assert str(new) == str(old)


NEAR = ["(", ")", "[", "]", ",", "not", "and", "or", "in", "is", "<", ">", "=", "==", "!=", ".", "if", "else", "for",
        "lambda", "yield", "await", "None", "True", "true", "package", "version", "(package)", "os . family", "os.",
        ".family", "tags", "0", "00", "007", "1_", "1__0", "1.5", "1e9", "0x1F", "0b1", "1j", "-1", "'x'", '"x"', "''",
        '"""x"""', "'\\x41'", "'a\tb'", "f'x'", "b'x'", "u'x'", "r'x'", ":=", ":", ";", "*", "**", "#", "\\", "\\\n",
        "...", "@", "{", "}", "~", "'", '"', ",", "\0", "\x0c", "\ufeff", "é", "ﬁ", "ｏs", "𝐨𝐬.id", "\u2028", "!", "&",
        "`", "“"]  # fmt: skip


@settings(max_examples=150)
@given(of(WELL_TYPED | ANY_TYPES), st.data())
def test_words_that_are_put_in_taken_out_or_moved(words: Words, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(words)))
        how = data.draw(st.sampled_from(["put", "put", "take", "move", "twice"]))
        if how == "put":
            words = [*words[:at], data.draw(st.sampled_from(NEAR)), *words[at:]]
        elif how == "take":
            words = words[:at] + words[at + 1 :]
        elif how == "move":
            words = words[at:] + words[:at]
        else:
            words = [*words[:at], *words[at : at + 2], *words[at:]]
    check(" ".join(words) if data.draw(st.booleans()) else spelled(words, data))


@settings(max_examples=150)
@given(of(WELL_TYPED), st.data())
def test_characters_that_are_put_in_or_taken_out(words: Words, data: st.DataObject) -> None:
    text = spelled(words, data)
    for _ in range(data.draw(st.integers(1, 3))):
        at, length = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 3))
        text = text[:at] + data.draw(st.sampled_from(["", *NEAR]) | st.text(max_size=2)) + text[at + length :]
    check(text)


@settings(max_examples=150)
@given(st.lists(st.sampled_from([*NEAR, *FACTS]), max_size=9).map(" ".join) | st.text("()[]\"',<>=! ontarue.1_0"))
@example("(" * 40 + "true" + ")" * 40)
@example("(" * 41 + "true" + ")" * 41)
@example("not " * 20 + "(true or false)")
@example("not " * 20 + "'a' not in tags")
@example('(package)("openssl",) < version("1")')
@example('package ( ("openssl") ) < version ((("1")))')
def test_any_words(text: str) -> None:
    check(text)


@pytest.mark.parametrize(
    "text",
    [
        'arch in ("amd64", "b") and not on_mains',
        "'lab' not in tags or [ 'a','b', ]==tags",
        'package("acme") < version("1") or true',
        "(os.build >= 19_045 and (not False))",
    ],
)
def test_one_thing_put_in_or_taken_out_anywhere(text: str) -> None:
    for at in range(len(text) + 1):
        for length in (1, 2, 3):
            check(text[:at] + text[at + length :])
        for put in NEAR:
            check(text[:at] + put + text[at:])
            check(f"{text[:at]} {put} {text[at:]}")


def test_each_accident_is_one_and_is_documented() -> None:
    assert len(ACCIDENTS) == 4
    for text in ACCIDENTS:
        assert not isinstance(read(text, parse_expression_with_ast), ExpressionError), text
        assert isinstance(check(text), ExpressionError), text


# --- characters: the tables of Unicode grow with Python, ours do not -------------------------------------------------


def test_white_space_is_what_it_was() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    ours = {sign for sign in every if (found := tokens._TOKEN.match(sign)) and found.lastgroup == "space"}
    assert ours == set(re.findall(r"\s", every))


def test_what_is_printable_differs_only_where_pythons_differ() -> None:
    for sign in map(chr, range(sys.maxunicode + 1)):
        if tokens._NOT_PRINTABLE.match(sign):
            assert not sign.isprintable(), ascii(sign)
        elif not sign.isprintable() and sign != " ":
            assert unicodedata.category(sign) == "Cn", ascii(sign)


@pytest.mark.parametrize("sign", ["\U0002ebf0", "\u1c89"], ids=ascii)  # of Unicode 15.1 and 16: of Python 3.13 and 3.14
def test_a_letter_is_one_on_every_release_of_python(sign: str) -> None:
    assert not isinstance(read(f"site == '{sign}'"), ExpressionError)

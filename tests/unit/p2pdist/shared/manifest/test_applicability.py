"""`p2pdist.shared.manifest.applicability`: what an expression says of a PC and why, and what no expression is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.manifest.applicability import Verdict, evaluate
from p2pdist.shared.manifest.expression import (
    MAX_DEPTH,
    MAX_EXPRESSION_CHARS,
    MAX_LIST_ITEMS,
    MAX_NUMBER,
    ExpressionError,
    parse_expression,
)
from p2pdist.shared.manifest.facts import FACTS, Facts
from p2pdist.shared.manifest.versions import Ecosystem, parse_version

PC = Facts(
    values={
        "os.family": "debian",
        "os.id": "debian",
        "os.release": parse_version("12", Ecosystem.GENERIC),
        "os.build": 0,
        "arch": "amd64",
        "disk.free_mb": 20_000,
        "on_mains": True,
        "tags": ("lab", "first"),
    },
    packages={"openssl": parse_version("3.0.19-1~deb12u1", Ecosystem.DEB)},
)


def answer(text: str, facts: Facts = PC) -> Verdict:
    return evaluate(parse_expression(text), facts)


@pytest.mark.parametrize(
    ("text", "applies", "reason"),
    [
        ('package("openssl") < version("3.0.17")', False, "openssl 3.0.19-1~deb12u1 ≥ 3.0.17"),
        ('package("openssl") < version("3.0.20")', True, "openssl 3.0.19-1~deb12u1 < 3.0.20"),
        ('version("3.0.20") > package("openssl")', True, "openssl 3.0.19-1~deb12u1 < 3.0.20"),
        ('package("curl") < version("8")', False, "curl is not installed"),
        ('package("curl") != version("8")', False, "curl is not installed"),
        ('installed("openssl")', True, "openssl 3.0.19-1~deb12u1"),
        ('not installed("curl")', True, "curl is not installed"),
        ('os.family == "debian" and package("openssl") >= version("3")', True,
         "os.family debian == debian, openssl 3.0.19-1~deb12u1 >= 3"),
        ('os.family == "rhel" and package("openssl") >= version("3")', False, "os.family debian ≠ rhel"),
        ('os.family == "rhel" or arch == "arm64"', False, "os.family debian ≠ rhel, arch amd64 ≠ arm64"),
        ('arch in ("amd64", "arm64")', True, "arch amd64 in amd64, arm64"),
        ('arch not in ["amd64", "arm64"]', False, "arch amd64 in amd64, arm64"),
        ('"lab" in tags', True, "lab is in tags: lab, first"),
        ('"kiosk" in tags', False, "kiosk is not in tags: lab, first"),
        ('"kiosk" not in tags', True, "kiosk is not in tags: lab, first"),
        ('os.release >= version("11.4")', True, "os.release 12 >= 11.4"),
        ("disk.free_mb > 50_000", False, "disk.free_mb 20000 ≤ 50000"),
        ("on_mains", True, "on_mains is true"),
        ("ram_mb > 1", False, "ram_mb is not known"),
        ("on_mains == false", False, "on_mains True ≠ False"),
        ("true", True, "always is true"),
        ('  not (arch == "x86"\n or false) ', True, "arch amd64 ≠ x86, always is false"),
    ],
)  # fmt: skip
def test_what_it_says_and_why(text: str, applies: bool, reason: str) -> None:
    assert answer(text) == Verdict(applies, reason)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "empty"),
        ("os.famly == 'debian'", 1, "there is no fact 'os.famly'"),
        ("true and os.famly == 'debian'", 10, "there is no fact"),
        ("os.build == '19045'", 1, "os.build is a number, and cannot be compared with a text"),
        ('package("openssl") < "3.0.17"', 1, 'write version("…")'),
        ("os.family < 'x'", 1, "has no order"),
        ("1 < os.build < 2", 1, "one comparison at a time"),
        ("os.family", 1, "os.family alone is neither"),
        ("os.build + 1 == 2", 10, "'+' has no place"),
        ("os.system('rm')", 1, "no other functions"),
        ("__import__('os')", 1, "no other functions"),
        ("(lambda: 1)()", 8, "':' has no place"),
        ("package(os.family) == version('1')", 1, "package takes one text"),
        ("package('a', 'b') == version('1')", 1, "package takes one text"),
        ("package(name='a') == version('1')", 13, "write =="),
        ("package('../x') == version('1')", 1, "no name of a package"),
        ("package('x') == version('a b')", 17, "'a b' is no version"),
        ("'a' == 'a'", 1, "compare a fact"),
        ("os.family is 'debian'", 1, "compare with =="),
        ("arch in tags", 1, "write: arch in"),
        ("1 in tags", 1, "tags has texts"),
        ("arch in ()", 9, "a list has 1 to"),
        ("arch in (1, 2)", 9, "a list has 1 to"),
        ("os.build in ('a', 'b')", 1, "the list has texts"),
        ("os.build == 1.5", 13, "numbers are whole"),
        (f"os.build == {MAX_NUMBER + 1}", 13, "at most"),
        ("true and", 9, "the expression breaks off"),
        ("x" * (MAX_EXPRESSION_CHARS + 1), MAX_EXPRESSION_CHARS + 1, "at most"),
        ("(" * 300 + "true" + ")" * 300, None, ""),
        ("not " * (MAX_DEPTH + 1) + "true", 4 * (MAX_DEPTH + 1) + 1, "levels"),
        ("true\0", 5, "has no place"),
        ("arch == '\u202e'", 9, "texts are printable"),
        ("'é' == arch and ram_mb == 'x'", 17, "ram_mb is a number"),
    ],
)
def test_what_is_none_and_where(text: str, column: int | None, words: str) -> None:
    with pytest.raises(ExpressionError) as error:
        parse_expression(text)
    assert column is None or error.value.column == column
    assert words in str(error.value)


def test_limits_that_are_met() -> None:
    assert answer("not " * MAX_DEPTH + "true").applies is (MAX_DEPTH % 2 == 0)
    assert answer(f"os.build != {MAX_NUMBER}").applies
    items = ", ".join(f'"{n}"' for n in range(MAX_LIST_ITEMS))
    assert not answer(f"arch in ({items})").applies
    with pytest.raises(ExpressionError):
        parse_expression(f'arch in ({items}, "more")')
    assert answer("true" + " " * (MAX_EXPRESSION_CHARS - 4)).applies


def test_versions_of_another_ecosystem_are_said() -> None:
    pc = Facts(packages={"app": parse_version("10.0.1", Ecosystem.WINDOWS)})
    assert answer('package("app") < version("1:2-3")', pc) == Verdict(
        False, "app 10.0.1 has windows versions, and 1:2-3 is none"
    )


WORDS = (
    "and or not ( ) == < in not in true false 12 -1 1e9 package( version( installed( , [ ] lambda for if else := * . "
    "** yield await { } \\ # é"
)
PIECES = st.sampled_from([*FACTS, *WORDS.split(" "), '"debian"', "'x'", '"3.0"', "f''", "\n", "\0"])


@given(st.lists(PIECES, max_size=14).map(" ".join) | st.text(max_size=60), st.booleans())
def test_any_text_has_an_answer_or_a_column(text: str, empty: bool) -> None:
    column, term = None, None
    try:
        term = parse_expression(text)
    except ExpressionError as error:
        column = error.column
    if term is None:
        assert column is not None
        assert 1 <= column <= len(text) + 2
    else:
        found = evaluate(term, Facts() if empty else PC)
        assert found.reason
        assert evaluate(term, Facts() if empty else PC) == found

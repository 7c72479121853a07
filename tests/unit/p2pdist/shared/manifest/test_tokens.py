"""`p2pdist.shared.manifest.tokens`: the words of an expression and their columns, and what is no word."""

import pytest

from p2pdist.shared.manifest.tokens import ExpressionError, tokens_of


def test_words_have_a_kind_and_the_column_they_begin_at() -> None:
    assert tokens_of("\n os.id!='a b'\u3000and(1_0.5)") == [
        ("name", "os.id", 3),
        ("sign", "!=", 8),
        ("text", "'a b'", 10),
        ("name", "and", 16),
        ("sign", "(", 19),
        ("number", "1_0.5", 20),
        ("sign", ")", 25),
        ("end", "", 26),
    ]


def test_the_end_is_behind_the_last_word_not_behind_spaces() -> None:
    assert tokens_of("true \n") == [("name", "true", 1), ("end", "", 5)]
    assert tokens_of(" \n") == [("end", "", 1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("os.id = 'x'", "column 7: to compare, write =="),
        ("true && false", "column 6: '&' has no place in an expression; write: and"),
        ("true || false", "column 6: '|' has no place in an expression; write: or"),
        ("!true", "column 1: '!' has no place in an expression; write: not"),
        ("os .id", "column 4: '.' has no place in an expression, other than inside a name that is written together"),
        ("os.id == “x”", "column 10: '“' has no place in an expression; texts are written \"…\" or '…'"),
        ("true # and", "column 6: '#' has no place in an expression"),
        ("os.id == 'x", "column 10: a text without its end, or with a backslash in it"),
        ("os.id == 'a\\'b'", "column 10: a text without its end, or with a backslash in it"),
        ("os.id == 'a\tb'", r"column 10: texts are printable, and '\t' is not"),
        ("os.id == 'a\u202eb'", r"column 10: texts are printable, and '\u202e' is not"),
        ("os.id == 'a\ud800b'", r"column 10: texts are printable, and '\ud800' is not"),
        ("os.id == b'x'", "column 11: a space is missing here"),
        ("os.build == 0x1F", "column 14: a space is missing here"),
    ],
)
def test_what_is_no_word_and_what_to_write_instead(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        tokens_of(text)
    assert str(caught.value).startswith(said)

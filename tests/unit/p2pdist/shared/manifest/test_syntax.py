"""`p2pdist.shared.manifest.syntax`: which words belong together, and what is said where they do not."""

import pytest

from p2pdist.shared.manifest.syntax import (
    MAX_BRACKETS,
    Call,
    Compared,
    Inverted,
    Joined,
    Listing,
    Node,
    Number,
    Text,
    Word,
    parse_syntax,
)
from p2pdist.shared.manifest.tokens import ExpressionError


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a or b and c", Joined(1, "or", (Word(1, "a"), Joined(6, "and", (Word(6, "b"), Word(12, "c")))))),
        ("(a or b) and c", Joined(1, "and", (Joined(2, "or", (Word(2, "a"), Word(7, "b"))), Word(14, "c")))),
        ("a and b and c", Joined(1, "and", (Word(1, "a"), Word(7, "b"), Word(13, "c")))),
        ("not a == 1", Inverted(1, Compared(5, Word(5, "a"), "==", Number(10, "1")))),
        ("not not a", Inverted(1, Inverted(5, Word(9, "a")))),
        ("'x' not in a", Compared(1, Text(1, "x"), "not in", Word(12, "a"))),
        ('("x")', Text(2, "x")),
        ('("x",)', Listing(1, (Text(2, "x"),))),
        ("['x']", Listing(1, (Text(2, "x"),))),
        ("()", Listing(1, ())),
        ("f('x', y,)", Call(1, "f", (Text(3, "x"), Word(8, "y")))),
        ("((a)) < 1", Compared(1, Word(3, "a"), "<", Number(9, "1"))),
    ],
)
def test_what_belongs_together(text: str, tree: Node) -> None:
    assert parse_syntax(text) == tree


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" \n", "column 1: the expression is empty; to apply everywhere, write: true"),
        ("a ==", "column 5: the expression breaks off; what comes here is a fact, a text, a number"),
        ("a and or b", "column 7: 'or' has no place here; what comes here is a fact"),
        ("a == not b", "column 6: 'not' has no place here; what comes here is a fact"),
        ("(,)", "column 2: ',' has no place here; what comes here is a fact"),
        ("a b", "column 3: 'b' has no place here; two conditions are joined with: and, or"),
        ("a if b", "column 3: 'if' has no place here; two conditions are joined with: and, or"),
        ("a not b", "column 3: 'not' has no place here; two conditions are joined with: and, or"),
        ("tags['x']", "column 5: '[' has no place here"),
        ("a in 'x', 'y'", """column 9: a list has parentheses: ("a", "b")"""),
        ("a in ('x' 'y')", "column 11: a comma is missing between two texts"),
        ("f(a", "column 4: ')' is missing here: '(' is open since column 2"),
        ("a in ['x')", "column 10: ']' is missing here: '[' is open since column 6"),
        ("a)", "column 2: ')' closes what is not open"),
        ("a == 1 or a is b", "column 11: compare with ==, !=, <, <=, >, >=, in or not in"),
        ("a or 1 < b < 2", "column 6: one comparison at a time; join two with: and"),
        ("(" * (MAX_BRACKETS + 1), f"column {MAX_BRACKETS + 1}: more than {MAX_BRACKETS} levels of parentheses"),
    ],
)
def test_what_does_not_belong_together_and_where(text: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_syntax(text)
    assert str(caught.value).startswith(said)

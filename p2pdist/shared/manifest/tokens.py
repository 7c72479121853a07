"""Split an expression into tokens, for `syntax` to parse. Pure.

Nothing here asks the running Python what a letter, a space or a number is: a signed text has the same tokens on
every Python release.
"""

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
      (?P<space>[ \t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+)
    | (?P<text>"[^"\\]*"|'[^'\\]*')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<number>[0-9][0-9_]*(?:\.[0-9]+)?)
    | (?P<sign>[=!<>]=|[<>,()\[\]])
    """,
    re.VERBOSE,
)
# control characters, spaces other than U+0020, characters of zero width, surrogates, and private or unassigned ones
_NOT_PRINTABLE = re.compile(
    "[\0-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u3000\ud800-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U0010ffff]"
)
_INSTEAD = {
    "=": "to compare, write ==",
    "&": "'&' has no place in an expression; write: and",
    "|": "'|' has no place in an expression; write: or",
    "!": "'!' has no place in an expression; write: not",
    ".": "'.' has no place in an expression, other than inside a name that is written together: os.family",
} | {
    sign: f"{shown} has no place in an expression; texts are written \"…\" or '…'"
    for sign in "“”„‘’«»`"
    for shown in [repr(sign)]
}


class ExpressionError(ValueError):
    """The text is not a valid expression. ``column`` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column


class Lexeme(NamedTuple):
    """One token, and the column of its first character."""

    kind: str
    """``text``, ``name``, ``number``, ``sign``, or ``end`` after the last."""
    text: str
    """As it is written. A text keeps its quotes, so it is never mistaken for a keyword."""
    column: int


def tokens_of(text: str) -> list[Lexeme]:
    """Return the tokens of ``text``, and an ``end`` after them. Raises `ExpressionError`."""
    tokens: list[Lexeme] = []
    at, end = 0, 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ExpressionError(_no_token(text[at]), at + 1)
        kind = found.lastgroup or ""
        if kind == "text" and (wrong := _NOT_PRINTABLE.search(found[0])):
            raise ExpressionError(f"texts are printable, and {wrong[0]!a} is not", at + 1)
        if tokens and end == at and (tokens[-1].kind, kind) in (("name", "text"), ("number", "name")):
            raise ExpressionError("a space is missing here", at + 1)
        at = found.end()
        if kind != "space":
            tokens.append(Lexeme(kind, found[0], found.start() + 1))
            end = at
    return [*tokens, Lexeme("end", "", end + 1)]


def _no_token(sign: str) -> str:
    if sign in "\"'":
        return "a text without its end, or with a backslash in it"
    shown = repr(sign)
    return _INSTEAD.get(sign, f"{shown} has no place in an expression")

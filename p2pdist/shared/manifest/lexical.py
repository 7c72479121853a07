"""Which words and signs an expression may have at all, told before Python's parser sees it. Pure.

What Python would read otherwise than it looks (escapes, f-strings, letters that it normalises), warn about, or
descend into without end, is refused here, with its place.
"""

import re

MAX_BRACKETS = 40  # inside each other, those that only group among them; Python's own limit is 200
MAX_NAME_CHARS = 60  # the longest fact has 15

_TOKEN = re.compile(
    r"""
      (?P<space>[ ]+)
    | (?P<text>"[^"\\]*"|'[^'\\]*')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:[ ]*\.[ ]*[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<number>[0-9][0-9_]*(?:\.[0-9]+)?)
    | (?P<open>[(\[])
    | (?P<close>[)\]])
    | (?P<sign>[=!<>]=|[<>,])
    """,
    re.VERBOSE,
)


def problem(text: str) -> tuple[str, int] | None:
    """Return what is wrong with the words of ``text``, and at which character (from 0); None: nothing."""
    at, brackets, last, kind = 0, 0, "", ""
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            return _no_token(text[at]), at
        glued = kind != "space"
        kind = found.lastgroup or ""
        brackets += (kind == "open") - (kind == "close")
        if brackets > MAX_BRACKETS:
            return f"more than {MAX_BRACKETS} levels of parentheses; write it simpler", at
        if kind == "name" and len(found[0]) > MAX_NAME_CHARS:
            return f"there is no fact {found[0][:MAX_NAME_CHARS]!r}…", at
        if kind == "text" and last == "text":
            return "a comma is missing between two texts", at
        if glued and (last, kind) in (("name", "text"), ("number", "name")):
            return "a space is missing here", at
        if kind != "space":
            last = kind
        at = found.end()
    return None


def _no_token(sign: str) -> str:
    if sign in "\"'":
        return "a text without its end, or with a backslash in it"
    if sign == "=":
        return "to compare, write =="
    return f"{sign!r} has no place in an expression"

"""Parse an expression's tokens into a syntax tree; `expression` gives the tree its meaning. Pure.

    any        = all { "or" all }
    all        = not { "and" not }
    not        = { "not" } comparison
    comparison = operand [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not" "in" ) operand ]
    operand    = TEXT | NUMBER | NAME [ "(" items ")" ] | "(" any ")" | "(" items ")" | "[" items "]"
    items      = [ any { "," any } [ "," ] ]

Parentheses around one item without a comma only group.
"""

from dataclasses import dataclass

from p2pdist.shared.manifest.tokens import ExpressionError, Lexeme, tokens_of

MAX_BRACKETS = 40  # levels of nesting, those that only group included; each costs some six nested calls

_OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "in", "is")  # ``is`` only to say what to write instead
_KEYWORDS = ("and", "or", "not", "in", "is")
_CLOSING = {"(": ")", "[": "]"}
_VALUES = "a fact, a text, a number, package(…), installed(…) or version(…)"


# --- the tree; ``column`` is where a node begins -----------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """A text, without its quotes."""

    column: int
    value: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is written, perhaps with underscores, leading zeros or a fraction."""

    column: int
    digits: str


@dataclass(frozen=True, slots=True)
class Word:
    """A name, such as ``os.family``."""

    column: int
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """``name(…)``."""

    column: int
    name: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """``(…, …)`` or ``[…]``."""

    column: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """Two operands and the operator between them."""

    column: int
    left: "Node"
    operator: str
    right: "Node"


@dataclass(frozen=True, slots=True)
class Inverted:
    """``not …``."""

    column: int
    part: "Node"


@dataclass(frozen=True, slots=True)
class Joined:
    """Two or more parts with the same ``word`` between them: ``and`` or ``or``."""

    column: int
    word: str
    parts: tuple["Node", ...]


Node = Text | Number | Word | Call | Listing | Compared | Inverted | Joined


def parse_syntax(text: str) -> Node:
    """Return the syntax tree of ``text``; its names and types are not checked yet. Raises `ExpressionError`.

    Brackets are nested at most `MAX_BRACKETS` deep; ``not`` may be nested as deep as there are tokens.
    """
    tokens = tokens_of(text)
    if len(tokens) == 1:
        raise ExpressionError("the expression is empty; to apply everywhere, write: true", 1)
    return _Parser(tokens).whole()


# --- grammar -----------------------------------------------------------------------------------


class _Parser:
    """A recursive-descent parser: one pass over the tokens, with a method for each rule of the grammar."""

    def __init__(self, tokens: list[Lexeme]) -> None:
        self._tokens = tokens
        self._at = 0
        self._open: list[Lexeme] = []

    @property
    def _next(self) -> Lexeme:
        return self._tokens[self._at]

    def _take(self, *wanted: str) -> Lexeme | None:
        """Step over the next token if it is one of these."""
        token = self._next
        if token.text not in wanted:
            return None
        self._at += 1
        return token

    def whole(self) -> Node:
        node = self._any()
        if self._next.kind != "end":
            raise self._unexpected()
        return node

    def _any(self) -> Node:
        column, parts = self._next.column, [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return Joined(column, "or", tuple(parts)) if len(parts) > 1 else parts[0]

    def _all(self) -> Node:
        column, parts = self._next.column, [self._not()]
        while self._take("and"):
            parts.append(self._not())
        return Joined(column, "and", tuple(parts)) if len(parts) > 1 else parts[0]

    def _not(self) -> Node:
        columns = []
        while token := self._take("not"):
            columns.append(token.column)
        node = self._comparison()
        for column in reversed(columns):
            node = Inverted(column, node)
        return node

    def _comparison(self) -> Node:
        column, left = self._next.column, self._operand()
        operator = self._operator()
        if not operator:
            return left
        if operator == "is":
            raise ExpressionError("compare with ==, !=, <, <=, >, >=, in or not in", column)
        right = self._operand()
        if self._operator():
            raise ExpressionError("one comparison at a time; join two with: and", column)
        return Compared(column, left, operator, right)

    def _operator(self) -> str:
        if token := self._take(*_OPERATORS):
            return token.text
        if self._next.text == "not" and self._tokens[self._at + 1].text == "in":
            self._at += 2
            return "not in"
        return ""

    def _operand(self) -> Node:
        token = self._next
        if (token.kind in ("end", "sign") and token.text not in _CLOSING) or token.text in _KEYWORDS:
            raise self._no_operand()
        self._at += 1
        if token.kind == "text":
            return Text(token.column, token.text[1:-1])
        if token.kind == "number":
            return Number(token.column, token.text)
        if token.kind == "name":
            if opening := self._take("("):
                return Call(token.column, token.text, self._items(opening)[0])
            return Word(token.column, token.text)
        items, comma = self._items(token)
        if token.text == "(" and len(items) == 1 and not comma:
            return items[0]
        return Listing(token.column, items)

    def _items(self, opening: Lexeme) -> tuple[tuple[Node, ...], bool]:
        """Return the items up to the closing bracket, and whether a comma comes right before it."""
        if len(self._open) == MAX_BRACKETS:
            raise ExpressionError(f"more than {MAX_BRACKETS} levels of parentheses; write it simpler", opening.column)
        self._open.append(opening)
        items: list[Node] = []
        comma = True
        while not self._take(_CLOSING[opening.text]):
            if not comma:
                raise self._unexpected()
            items.append(self._any())
            comma = self._take(",") is not None
        self._open.pop()
        return tuple(items), comma

    def _no_operand(self) -> ExpressionError:
        token = self._next
        wrong = "the expression breaks off" if token.kind == "end" else f"{token.text!r} has no place here"
        return ExpressionError(f"{wrong}; what comes here is {_VALUES}", token.column)

    def _unexpected(self) -> ExpressionError:
        """Return the error for a next token that cannot follow a complete operand or condition."""
        token, opening = self._next, self._open[-1] if self._open else None
        if token.kind == "text" and self._tokens[self._at - 1].kind == "text":
            message = "a comma is missing between two texts"
        elif opening and (token.kind == "end" or token.text in _CLOSING.values()):
            message = (
                f"{_CLOSING[opening.text]!r} is missing here: {opening.text!r} is open since column {opening.column}"
            )
        elif token.text in _CLOSING.values():
            message = f"{token.text!r} closes what is not open"
        elif token.text == ",":
            message = 'a list has parentheses: ("a", "b")'
        else:
            message = f"{token.text[:40]!r} has no place here; two conditions are joined with: and, or"
        return ExpressionError(message, token.column)

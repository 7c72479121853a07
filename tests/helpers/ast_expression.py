"""Expressions as CPython's `ast` read them, before we had a parser of our own: the oracle of `tests/property`.

Frozen: a change of the language goes into `p2pdist.shared.manifest`, which says what the two read differently.
"""

import ast
import re

from p2pdist.shared.manifest.expression import (
    MAX_DEPTH,
    MAX_EXPRESSION_CHARS,
    MAX_LIST_ITEMS,
    MAX_NUMBER,
    PACKAGE_NAME,
    AllOf,
    AnyOf,
    Comparison,
    Constant,
    ExpressionError,
    Fact,
    Installed,
    Not,
    Package,
    Term,
    VersionConstant,
)
from p2pdist.shared.manifest.facts import FACTS, FactType
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version

MAX_BRACKETS = 40  # nested, including those that only group; Python's own limit is 200
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


def _problem(text: str) -> tuple[str, int] | None:
    """Return what is wrong with the words of ``text``, and at which character (from 0); None: nothing is."""
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


_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not in",
}  # fmt: skip
_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ORDERS = ("<", "<=", ">", ">=")


def parse_expression_with_ast(text: str) -> Term:
    """Return the expression that ``text`` spells, as it was read then. Raises `ExpressionError`."""
    if len(text) > MAX_EXPRESSION_CHARS:
        raise ExpressionError(f"an expression has at most {MAX_EXPRESSION_CHARS} characters", MAX_EXPRESSION_CHARS + 1)
    flat = re.sub(r"\s", " ", text)  # one line, so that columns count from its start
    if not flat.strip():
        raise ExpressionError("the expression is empty; to apply everywhere, write: true", 1)
    lead = len(flat) - len(flat.lstrip())
    if wrong := _problem(flat.strip()):
        raise ExpressionError(wrong[0], lead + wrong[1] + 1)
    try:
        tree = ast.parse(flat.strip(), mode="eval").body
    except SyntaxError as error:
        column = min(max(1, error.offset or 1), len(flat.strip()) + 1)
        raise ExpressionError(error.msg or "not an expression", lead + column) from None
    except (ValueError, MemoryError, RecursionError):  # half of a surrogate pair, or not not not …
        raise ExpressionError("not an expression: too many levels, or a character that no expression has", 1) from None
    return _Reader(flat.strip(), lead).term(tree, 0)


class _Reader:
    def __init__(self, text: str, lead: int) -> None:
        self._lines = text.encode()
        self._lead = lead

    def error(self, node: ast.expr, message: str) -> ExpressionError:
        # `ast` counts columns in bytes
        return ExpressionError(message, self._lead + len(self._lines[: node.col_offset].decode(errors="replace")) + 1)

    def term(self, node: ast.expr, depth: int) -> Term:
        """Return something that is true or false."""
        if depth > MAX_DEPTH:
            raise self.error(node, f"more than {MAX_DEPTH} levels; write it simpler")
        if isinstance(node, ast.BoolOp):
            terms = tuple(self.term(value, depth + 1) for value in node.values)
            return AllOf(terms) if isinstance(node.op, ast.And) else AnyOf(terms)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Not(self.term(node.operand, depth + 1))
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        value = self._value(node)
        if isinstance(value, Installed) or (isinstance(value, Fact | Constant) and value.type is FactType.TRUTH):
            return value
        raise self.error(node, f"{_kind(value)} alone is neither true nor false; compare it with something")

    def _comparison(self, node: ast.Compare) -> Term:
        if len(node.ops) != 1:
            raise self.error(node, "one comparison at a time; join two with: and")
        operator = _OPERATORS.get(type(node.ops[0]))
        if operator is None:
            raise self.error(node, "compare with ==, !=, <, <=, >, >=, in or not in")
        left, right = self._value(node.left), self._value(node.comparators[0])
        if operator in ("in", "not in"):
            return self._membership(node, left, operator, right)
        if not isinstance(left, Fact | Package) and isinstance(right, Fact | Package):
            left, operator, right = right, _TURNED[operator], left
        if not isinstance(left, Fact | Package) or not isinstance(right, Constant | VersionConstant):
            raise self.error(node, "compare a fact or package(…) with a text, a number or version(…)")
        self._check_types(node, left, operator, right)
        return Comparison(left, operator, right)

    def _membership(self, node: ast.Compare, left: object, operator: str, right: object) -> Term:
        if isinstance(left, Constant) and isinstance(right, Fact) and right.type is FactType.TEXTS:
            if left.type is not FactType.TEXT:
                raise self.error(node, f"{right.name} has texts, and this is {left.type}")
            return _negated(Comparison(right, "has", left), operator == "not in")
        if isinstance(left, Fact) and isinstance(right, Constant) and right.type is FactType.TEXTS:
            if left.type is not FactType.TEXT:
                raise self.error(node, f"{left.name} is {left.type}, and the list has texts")
            return _negated(Comparison(left, "in", right), operator == "not in")
        raise self.error(node, 'write: arch in ("amd64", "arm64") or: "kiosk" in tags')

    def _check_types(
        self, node: ast.expr, left: Fact | Package, operator: str, right: Constant | VersionConstant
    ) -> None:
        wanted = FactType.VERSION if isinstance(left, Package) else left.type
        got = FactType.VERSION if isinstance(right, VersionConstant) else right.type
        if wanted is not got:
            hint = '; write version("…")' if wanted is FactType.VERSION else ""
            raise self.error(node, f"{_kind(left)} is {wanted}, and cannot be compared with {got}{hint}")
        if operator in _ORDERS and wanted not in (FactType.NUMBER, FactType.VERSION):
            raise self.error(node, f"{wanted} has no order; compare with == or !=")
        if isinstance(left, Fact) and isinstance(right, VersionConstant):
            try:
                parse_version(right.text, Ecosystem.GENERIC)
            except InvalidVersionError as error:
                raise self.error(node, str(error)) from error

    def _value(self, node: ast.expr) -> Constant | VersionConstant | Fact | Package | Installed:
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.Tuple | ast.List):
            items = [self._value(item) for item in node.elts[: MAX_LIST_ITEMS + 1]]
            texts = [item.value for item in items if isinstance(item, Constant) and isinstance(item.value, str)]
            if len(texts) != len(items) or not 1 <= len(items) <= MAX_LIST_ITEMS:
                raise self.error(node, f"a list has 1 to {MAX_LIST_ITEMS} texts")
            return Constant(tuple(texts), FactType.TEXTS)
        if isinstance(node, ast.Call):
            return self._call(node)
        name = _dotted(node)
        if name in ("true", "false"):
            return Constant(name == "true", FactType.TRUTH)
        if name is not None:
            if name in FACTS:
                return Fact(name)
            raise self.error(node, f"there is no fact {name[:60]!r}; there are: {', '.join(FACTS)}")
        raise self.error(node, "only facts, texts, numbers, package(…), installed(…) and version(…) have a value")

    def _constant(self, node: ast.Constant) -> Constant:
        value = node.value
        if isinstance(value, bool):
            return Constant(value, FactType.TRUTH)
        if isinstance(value, int) and value <= MAX_NUMBER:
            return Constant(value, FactType.NUMBER)
        if isinstance(value, str) and value.isprintable():
            return Constant(value, FactType.TEXT)
        raise self.error(node, f"texts are printable, numbers whole and at most {MAX_NUMBER}")

    def _call(self, node: ast.Call) -> VersionConstant | Package | Installed:
        name = _dotted(node.func)
        texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if name not in ("package", "installed", "version"):
            raise self.error(node, "there are package(…), installed(…) and version(…), no other functions")
        if node.keywords or len(node.args) != 1 or len(texts) != 1:
            raise self.error(node, f'{name} takes one text: {name}("…")')
        (text,) = texts
        if name == "version":
            if not any(_is_version(text, ecosystem) for ecosystem in Ecosystem):
                raise self.error(node, f"{text[:60]!r} is no version")
            return VersionConstant(text)
        if not PACKAGE_NAME.fullmatch(text):
            raise self.error(node, f"{text[:60]!r} is no name of a package")
        return Package(text) if name == "package" else Installed(text)


def _negated(term: Term, negate: bool) -> Term:
    return Not(term) if negate else term


def _is_version(text: str, ecosystem: Ecosystem) -> bool:
    try:
        parse_version(text, ecosystem)
    except InvalidVersionError:
        return False
    return True


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)) is not None:
        return f"{before}.{node.attr}"
    return None


def _kind(value: object) -> str:
    if isinstance(value, Fact):
        return value.name
    if isinstance(value, Package):
        return f'package("{value.name}")'
    return "version(…)" if isinstance(value, VersionConstant) else str(getattr(value, "type", "this"))

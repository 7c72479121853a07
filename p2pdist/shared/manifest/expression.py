"""The language of "does this patch apply?": small, typed and total; nothing of it is ever run as code. Pure.

    os.family == "debian" and package("openssl") < version("3.0.17")
    arch in ("amd64", "arm64") and not "kiosk" in tags
    installed("acme-agent") or os.build >= 19045

The spelling is Python's, and so is its parser; of what it returns, only the nodes below are taken. Every expression
has a type before it is signed, and `applicability` answers it in a number of steps that its text bounds.
"""

import ast
import re
from dataclasses import dataclass

from p2pdist.shared.manifest import lexical
from p2pdist.shared.manifest.facts import FACTS, FactType, FactValue
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version

MAX_EXPRESSION_CHARS = 2_000
MAX_DEPTH = 20
MAX_LIST_ITEMS = 100
MAX_NUMBER = 10**15
PACKAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_ ()-]{0,99}")


class ExpressionError(ValueError):
    """The text is no expression. ``column`` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column


# --- the tree ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a number, a list of texts, true or false."""

    value: FactValue
    type: FactType


@dataclass(frozen=True, slots=True)
class VersionText:
    """``version("…")``: of the ecosystem of what it is compared with."""

    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A name from `FACTS`."""

    name: str

    @property
    def type(self) -> FactType:
        """Its type."""
        return FACTS[self.name].type


@dataclass(frozen=True, slots=True)
class Package:
    """``package("…")``: an installed package's version."""

    name: str


@dataclass(frozen=True, slots=True)
class Installed:
    """``installed("…")``."""

    name: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left`` has a value on a PC, ``right`` is written down."""

    left: Fact | Package
    operator: str
    right: Literal | VersionText


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    term: "Term"


@dataclass(frozen=True, slots=True)
class AllOf:
    """``and``."""

    terms: tuple["Term", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """``or``."""

    terms: tuple["Term", ...]


Term = Literal | Fact | Installed | Comparison | Not | AllOf | AnyOf

_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not in",
}  # fmt: skip
_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ORDERS = ("<", "<=", ">", ">=")


def parse_expression(text: str) -> Term:
    """Return the expression that ``text`` spells, with every type checked. Raises `ExpressionError`."""
    if len(text) > MAX_EXPRESSION_CHARS:
        raise ExpressionError(f"an expression has at most {MAX_EXPRESSION_CHARS} characters", MAX_EXPRESSION_CHARS + 1)
    flat = re.sub(r"\s", " ", text)  # one line, so that a column is a column
    if not flat.strip():
        raise ExpressionError("the expression is empty; to apply everywhere, write: true", 1)
    lead = len(flat) - len(flat.lstrip())
    if wrong := lexical.problem(flat.strip()):
        raise ExpressionError(wrong[0], lead + wrong[1] + 1)
    try:
        tree = ast.parse(flat.strip(), mode="eval").body
    except SyntaxError as error:
        column = min(max(1, error.offset or 1), len(flat.strip()) + 1)
        raise ExpressionError(error.msg or "not an expression", lead + column) from None
    except (ValueError, MemoryError, RecursionError):  # half of a character, or not not not …
        raise ExpressionError("not an expression: too many levels, or a character that no expression has", 1) from None
    return _Reader(flat.strip(), lead).term(tree, 0)


class _Reader:
    def __init__(self, text: str, lead: int) -> None:
        self._lines = text.encode()
        self._lead = lead

    def error(self, node: ast.expr, message: str) -> ExpressionError:
        # Python counts bytes
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
        if isinstance(value, Installed) or (isinstance(value, Fact | Literal) and value.type is FactType.TRUTH):
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
        if not isinstance(left, Fact | Package) or not isinstance(right, Literal | VersionText):
            raise self.error(node, "compare a fact or package(…) with a text, a number or version(…)")
        self._check_types(node, left, operator, right)
        return Comparison(left, operator, right)

    def _membership(self, node: ast.Compare, left: object, operator: str, right: object) -> Term:
        if isinstance(left, Literal) and isinstance(right, Fact) and right.type is FactType.TEXTS:
            if left.type is not FactType.TEXT:
                raise self.error(node, f"{right.name} has texts, and this is {left.type}")
            return _negated(Comparison(right, "has", left), operator == "not in")
        if isinstance(left, Fact) and isinstance(right, Literal) and right.type is FactType.TEXTS:
            if left.type is not FactType.TEXT:
                raise self.error(node, f"{left.name} is {left.type}, and the list has texts")
            return _negated(Comparison(left, "in", right), operator == "not in")
        raise self.error(node, 'write: arch in ("amd64", "arm64") or: "kiosk" in tags')

    def _check_types(self, node: ast.expr, left: Fact | Package, operator: str, right: Literal | VersionText) -> None:
        wanted = FactType.VERSION if isinstance(left, Package) else left.type
        got = FactType.VERSION if isinstance(right, VersionText) else right.type
        if wanted is not got:
            hint = '; write version("…")' if wanted is FactType.VERSION else ""
            raise self.error(node, f"{_kind(left)} is {wanted}, and cannot be compared with {got}{hint}")
        if operator in _ORDERS and wanted not in (FactType.NUMBER, FactType.VERSION):
            raise self.error(node, f"{wanted} has no order; compare with == or !=")
        if isinstance(left, Fact) and isinstance(right, VersionText):
            try:
                parse_version(right.text, Ecosystem.GENERIC)
            except InvalidVersionError as error:
                raise self.error(node, str(error)) from error

    def _value(self, node: ast.expr) -> Literal | VersionText | Fact | Package | Installed:
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.Tuple | ast.List):
            items = [self._value(item) for item in node.elts[: MAX_LIST_ITEMS + 1]]
            texts = [item.value for item in items if isinstance(item, Literal) and isinstance(item.value, str)]
            if len(texts) != len(items) or not 1 <= len(items) <= MAX_LIST_ITEMS:
                raise self.error(node, f"a list has 1 to {MAX_LIST_ITEMS} texts")
            return Literal(tuple(texts), FactType.TEXTS)
        if isinstance(node, ast.Call):
            return self._call(node)
        name = _dotted(node)
        if name in ("true", "false"):
            return Literal(name == "true", FactType.TRUTH)
        if name is not None:
            if name in FACTS:
                return Fact(name)
            raise self.error(node, f"there is no fact {name[:60]!r}; there are: {', '.join(FACTS)}")
        raise self.error(node, "only facts, texts, numbers, package(…), installed(…) and version(…) have a value")

    def _constant(self, node: ast.Constant) -> Literal:
        value = node.value
        if isinstance(value, bool):
            return Literal(value, FactType.TRUTH)
        if isinstance(value, int) and value <= MAX_NUMBER:
            return Literal(value, FactType.NUMBER)
        if isinstance(value, str) and value.isprintable():
            return Literal(value, FactType.TEXT)
        raise self.error(node, f"texts are printable, numbers whole and at most {MAX_NUMBER}")

    def _call(self, node: ast.Call) -> VersionText | Package | Installed:
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
            return VersionText(text)
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
    return "version(…)" if isinstance(value, VersionText) else str(getattr(value, "type", "this"))

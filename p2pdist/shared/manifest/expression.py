"""The language of "does this patch apply?": small, typed and total; nothing of it is ever run as code. Pure.

    os.family == "debian" and package("openssl") < version("3.0.17")
    arch in ("amd64", "arm64") and not "kiosk" in tags
    installed("acme-agent") or os.build >= 19045

`syntax` parses the text into a tree. This module checks the tree's names and types and turns it into terms. So every
expression is typed before it is signed, and `applicability` evaluates it in a number of steps that its length bounds.
"""

import re
from dataclasses import dataclass

from p2pdist.shared.manifest.facts import FACTS, FactType, FactValue
from p2pdist.shared.manifest.syntax import (
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
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version

MAX_EXPRESSION_CHARS = 2_000
MAX_DEPTH = 20
MAX_LIST_ITEMS = 100
MAX_NUMBER = 10**15
PACKAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_ ()-]{0,99}")


# --- the tree ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """A text, a number, a list of texts, true or false."""

    value: FactValue
    type: FactType


@dataclass(frozen=True, slots=True)
class VersionConstant:
    """``version("…")``; its ecosystem is that of the value it is compared with."""

    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A name from `FACTS`."""

    name: str

    @property
    def type(self) -> FactType:
        """The type of its value."""
        return FACTS[self.name].type


@dataclass(frozen=True, slots=True)
class Package:
    """``package("…")``: the version of an installed package."""

    name: str


@dataclass(frozen=True, slots=True)
class Installed:
    """``installed("…")``: whether the package is installed."""

    name: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left`` gets its value from a PC, ``right`` is a constant."""

    left: Fact | Package
    operator: str
    right: Constant | VersionConstant


@dataclass(frozen=True, slots=True)
class Not:
    """``not …``."""

    term: "Term"


@dataclass(frozen=True, slots=True)
class AllOf:
    """``and``."""

    terms: tuple["Term", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """``or``."""

    terms: tuple["Term", ...]


Term = Constant | Fact | Installed | Comparison | Not | AllOf | AnyOf

_TURNED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_TRUTHS = {"true": True, "false": False, "True": True, "False": False}
_ORDERS = ("<", "<=", ">", ">=")
_WHOLE = re.compile(r"0|[1-9][0-9]*(?:_[0-9]+)*")


def parse_expression(text: str) -> Term:
    """Return the expression in ``text``, with every type checked. Raises `ExpressionError`."""
    if len(text) > MAX_EXPRESSION_CHARS:
        raise ExpressionError(f"an expression has at most {MAX_EXPRESSION_CHARS} characters", MAX_EXPRESSION_CHARS + 1)
    return _term(parse_syntax(text), 0)


def _term(node: Node, depth: int) -> Term:
    """Return the term for a node that is true or false. Raises `ExpressionError`."""
    if depth > MAX_DEPTH:
        raise ExpressionError(f"more than {MAX_DEPTH} levels; write it simpler", node.column)
    if isinstance(node, Joined):
        terms = tuple(_term(part, depth + 1) for part in node.parts)
        return AllOf(terms) if node.word == "and" else AnyOf(terms)
    if isinstance(node, Inverted):
        return Not(_term(node.part, depth + 1))
    if isinstance(node, Compared):
        return _comparison(node)
    value = _value(node)
    if isinstance(value, Installed) or (isinstance(value, Fact | Constant) and value.type is FactType.TRUTH):
        return value
    raise ExpressionError(f"{_kind(value)} alone is neither true nor false; compare it with something", node.column)


def _comparison(node: Compared) -> Term:
    left, operator, right = _value(node.left), node.operator, _value(node.right)
    if operator in ("in", "not in"):
        return _membership(node.column, left, operator, right)
    if not isinstance(left, Fact | Package) and isinstance(right, Fact | Package):
        left, operator, right = right, _TURNED[operator], left
    if not isinstance(left, Fact | Package) or not isinstance(right, Constant | VersionConstant):
        raise ExpressionError("compare a fact or package(…) with a text, a number or version(…)", node.column)
    _check_types(node.column, left, operator, right)
    return Comparison(left, operator, right)


def _membership(column: int, left: object, operator: str, right: object) -> Term:
    if isinstance(left, Constant) and isinstance(right, Fact) and right.type is FactType.TEXTS:
        if left.type is not FactType.TEXT:
            raise ExpressionError(f"{right.name} has texts, and this is {left.type}", column)
        return _negated(Comparison(right, "has", left), operator == "not in")
    if isinstance(left, Fact) and isinstance(right, Constant) and right.type is FactType.TEXTS:
        if left.type is not FactType.TEXT:
            raise ExpressionError(f"{left.name} is {left.type}, and the list has texts", column)
        return _negated(Comparison(left, "in", right), operator == "not in")
    raise ExpressionError('write: arch in ("amd64", "arm64") or: "kiosk" in tags', column)


def _check_types(column: int, left: Fact | Package, operator: str, right: Constant | VersionConstant) -> None:
    wanted = FactType.VERSION if isinstance(left, Package) else left.type
    what = FactType.VERSION if isinstance(right, VersionConstant) else right.type
    if wanted is not what:
        if wanted is FactType.VERSION:
            raise ExpressionError(
                f'{_kind(left)} is a version, and cannot be compared with {what}; write version("…")', column
            )
        raise ExpressionError(f"{_kind(left)} is {wanted}, and cannot be compared with {what}", column)
    if operator in _ORDERS and wanted not in (FactType.NUMBER, FactType.VERSION):
        raise ExpressionError(f"{wanted} has no order; compare with == or !=", column)
    if isinstance(left, Fact) and isinstance(right, VersionConstant):
        try:
            parse_version(right.text, Ecosystem.GENERIC)
        except InvalidVersionError as error:
            raise ExpressionError(str(error), column) from error


def _value(node: Node) -> Constant | VersionConstant | Fact | Package | Installed:
    if isinstance(node, Text):
        return Constant(node.value, FactType.TEXT)
    if isinstance(node, Number):
        return _number(node)
    if isinstance(node, Listing):
        return _texts(node)
    if isinstance(node, Call):
        return _call(node)
    if isinstance(node, Word):
        return _word(node)
    raise ExpressionError(
        "only facts, texts, numbers, package(…), installed(…) and version(…) have a value", node.column
    )


def _number(node: Number) -> Constant:
    if _WHOLE.fullmatch(node.digits) and (value := int(node.digits)) <= MAX_NUMBER:
        return Constant(value, FactType.NUMBER)
    raise ExpressionError(
        f"numbers are whole, at most {MAX_NUMBER} and without a zero in front: 19045 or 19_045", node.column
    )


def _texts(node: Listing) -> Constant:
    texts = tuple(item.value for item in node.items if isinstance(item, Text))
    if len(texts) != len(node.items) or not 1 <= len(texts) <= MAX_LIST_ITEMS:
        raise ExpressionError(f"a list has 1 to {MAX_LIST_ITEMS} texts", node.column)
    return Constant(texts, FactType.TEXTS)


def _word(node: Word) -> Constant | Fact:
    if node.name in _TRUTHS:
        return Constant(_TRUTHS[node.name], FactType.TRUTH)
    if node.name in FACTS:
        return Fact(node.name)
    raise ExpressionError(f"there is no fact {node.name[:60]!r}; there are: {', '.join(FACTS)}", node.column)


def _call(node: Call) -> VersionConstant | Package | Installed:
    if node.name not in ("package", "installed", "version"):
        raise ExpressionError("there are package(…), installed(…) and version(…), no other functions", node.column)
    if len(node.arguments) != 1 or not isinstance(node.arguments[0], Text):
        raise ExpressionError(f'{node.name} takes one text: {node.name}("…")', node.column)
    text = node.arguments[0].value
    if node.name == "version":
        if not any(_is_version(text, ecosystem) for ecosystem in Ecosystem):
            raise ExpressionError(f"{text[:60]!r} is no version", node.column)
        return VersionConstant(text)
    if not PACKAGE_NAME.fullmatch(text):
        raise ExpressionError(f"{text[:60]!r} is no name of a package", node.column)
    return Package(text) if node.name == "package" else Installed(text)


def _negated(term: Term, negate: bool) -> Term:
    return Not(term) if negate else term


def _is_version(text: str, ecosystem: Ecosystem) -> bool:
    try:
        parse_version(text, ecosystem)
    except InvalidVersionError:
        return False
    return True


def _kind(value: object) -> str:
    if isinstance(value, Fact):
        return value.name
    if isinstance(value, Package):
        return f'package("{value.name}")'
    return "version(…)" if isinstance(value, VersionConstant) else str(getattr(value, "type", "this"))


__all__ = [
    "MAX_DEPTH",
    "MAX_EXPRESSION_CHARS",
    "MAX_LIST_ITEMS",
    "MAX_NUMBER",
    "PACKAGE_NAME",
    "AllOf",
    "AnyOf",
    "Comparison",
    "Constant",
    "ExpressionError",
    "Fact",
    "Installed",
    "Not",
    "Package",
    "Term",
    "VersionConstant",
    "parse_expression",
]

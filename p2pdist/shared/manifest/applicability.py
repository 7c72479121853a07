"""Evaluate an expression on a PC's facts, and say what decided. Pure.

A comparison with a fact or package that the PC does not have is false, whatever its operator.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from p2pdist.shared.manifest.expression import (
    AllOf,
    AnyOf,
    Comparison,
    Constant,
    Installed,
    Not,
    Package,
    Term,
    VersionConstant,
)
from p2pdist.shared.manifest.facts import Facts, FactValue
from p2pdist.shared.manifest.versions import InvalidVersionError, Version, parse_version


@dataclass(frozen=True, slots=True)
class Verdict:
    """The value of an expression, and the comparison that decided it, in words."""

    applies: bool
    reason: str


def evaluate(term: Term, facts: Facts) -> Verdict:
    """Return whether ``term`` holds on a PC with ``facts``, and what decided. Never raises."""
    if isinstance(term, AllOf | AnyOf):
        return _evaluate_all(term.terms, facts, decisive=isinstance(term, AnyOf))
    if isinstance(term, Not):
        answer = evaluate(term.term, facts)
        return Verdict(not answer.applies, answer.reason)
    if isinstance(term, Comparison):
        return _compare(term, facts)
    if isinstance(term, Installed):
        version = facts.packages.get(term.name)
        return Verdict(version is not None, f"{term.name} {version}" if version else f"{term.name} is not installed")
    value = term.value if isinstance(term, Constant) else facts.values.get(term.name)
    name = "always" if isinstance(term, Constant) else term.name
    return Verdict(value is True, f"{name} is {'not known' if value is None else 'true' if value else 'false'}")


def _evaluate_all(terms: Sequence[Term], facts: Facts, *, decisive: bool) -> Verdict:
    """Return the first verdict that equals ``decisive`` (true for `or`, false for `and`), else the reasons of all."""
    answers = []
    for term in terms:
        answer = evaluate(term, facts)
        if answer.applies is decisive:
            return answer
        answers.append(answer.reason)
    return Verdict(not decisive, ", ".join(dict.fromkeys(answers)))


def _compare(term: Comparison, facts: Facts) -> Verdict:
    left = term.left
    name = left.name
    got = facts.packages.get(name) if isinstance(left, Package) else facts.values.get(name)
    if got is None:
        return Verdict(False, f"{name} is not installed" if isinstance(left, Package) else f"{name} is not known")
    if isinstance(term.right, VersionConstant):
        return _compare_versions(name, got, term.operator, term.right.text)
    right = term.right.value
    holds = _holds(got, term.operator, right)
    shown = (", ".join(got) if isinstance(got, tuple) else str(got)) or "(empty)"
    if term.operator == "has":
        return Verdict(holds, f"{right} is {'' if holds else 'not '}in {name}: {shown}")
    sign = term.operator if holds else _OPPOSITES[term.operator]
    return Verdict(holds, f"{name} {shown} {sign} {', '.join(right) if isinstance(right, tuple) else right}")


def _compare_versions(name: str, got: FactValue, operator: str, text: str) -> Verdict:
    if not isinstance(got, Version):
        return Verdict(False, f"{name} has no version")
    try:
        wanted = parse_version(text, got.ecosystem)
    except InvalidVersionError:
        return Verdict(False, f"{name} {got} has {got.ecosystem} versions, and {text} is none")
    holds = _holds(got, operator, wanted)
    return Verdict(holds, f"{name} {got} {operator if holds else _OPPOSITES[operator]} {text}")


_OPPOSITES = {"==": "≠", "!=": "=", "<": "≥", "<=": ">", ">": "≤", ">=": "<", "in": "not in"}


def _holds(left: FactValue, operator: str, right: FactValue) -> bool:
    if operator == "has":
        return isinstance(left, tuple) and right in left
    if operator == "in":
        return isinstance(right, tuple) and left in right
    if type(left) is not type(right):
        return False
    if operator in ("==", "!="):
        return (left == right) is (operator == "==")
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]  # type: ignore[operator]

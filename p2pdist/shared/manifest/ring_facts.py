"""The facts by which rings, holds and recalls choose PCs: those that a PC and its server know alike. Pure.

Site and tags the server knows by itself. The others the PC tells, when they have changed. What changes by itself, such
as the battery, decides about no ring, and neither do packages: a PC would leave a ring by installing its patch.
"""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import msgspec

from p2pdist.shared.manifest.expression import (
    AllOf,
    AnyOf,
    Comparison,
    Constant,
    Installed,
    Not,
    Package,
    Term,
    parse_expression,
)
from p2pdist.shared.manifest.facts import FACTS, Facts, FactType, FactValue, Packages
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, Version, parse_version

TOLD_FACTS = (
    "hostname", "os.family", "os.id", "os.release", "os.build", "os.language", "arch", "ram_mb",
)  # fmt: skip
"""Those that a PC tells its server."""
RING_FACTS = frozenset(("site", "tags", *TOLD_FACTS))
MAX_FACT_NAME_CHARS = 32
MAX_TOLD_FACT_CHARS = 255  # as long as a host's name may be
MAX_FACT_NUMBER = 1 << 53

_Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_FACT_NUMBER)]
_Text = Annotated[str, msgspec.Meta(max_length=MAX_TOLD_FACT_CHARS)]
ToldFacts: TypeAlias = Annotated[
    dict[Annotated[str, msgspec.Meta(max_length=MAX_FACT_NAME_CHARS)], _Number | _Text], msgspec.Meta(max_length=32)
]
"""Fact → value; names that are not known mean nothing."""


def told_facts(facts: Facts) -> dict[str, int | str]:
    """Return what a PC with ``facts`` tells its server: those that it knows."""
    found = {name: _plain(facts.values[name]) for name in TOLD_FACTS if name in facts.values}
    return {
        name: value
        for name, value in found.items()
        if not isinstance(value, bool) and isinstance(value, int | str) and len(str(value)) <= MAX_TOLD_FACT_CHARS
    }


def ring_facts(told: Mapping[str, int | str], *, site: str, tags: tuple[str, ...]) -> Facts:
    """Return the facts by which both sides choose; of what was told, only what is known here and of its type."""
    values: dict[str, FactValue] = {"site": site, "tags": tags}
    for name in TOLD_FACTS:
        if (value := _value(name, told.get(name))) is not None:
            values[name] = value
    return Facts(values, Packages())


def _plain(value: FactValue) -> FactValue:
    return value.text if isinstance(value, Version) else value


def _value(name: str, told: int | str | None) -> FactValue | None:
    wanted = FACTS[name].type
    if wanted is FactType.VERSION and isinstance(told, str):
        try:
            return parse_version(told, Ecosystem.GENERIC)
        except InvalidVersionError:
            return None
    kind = {FactType.NUMBER: int, FactType.TEXT: str}.get(wanted)
    return told if kind is not None and type(told) is kind else None


def other_names(expression: str) -> list[str]:
    """Return what ``expression`` asks for that no ring can know, sorted. Raises `ExpressionError`."""
    return sorted(_names(parse_expression(expression)) - RING_FACTS)


def _names(term: Term) -> set[str]:
    if isinstance(term, AllOf | AnyOf):
        return {name for part in term.terms for name in _names(part)}
    if isinstance(term, Not):
        return _names(term.term)
    if isinstance(term, Constant):
        return set()
    if isinstance(term, Installed):
        return {f'installed("{term.name}")'}
    if isinstance(term, Comparison):
        return {f'package("{term.left.name}")' if isinstance(term.left, Package) else term.left.name}
    return {term.name}

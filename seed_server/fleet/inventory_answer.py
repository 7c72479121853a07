"""Which PCs an expression of recipes is true of, by what they have told: sets of PCs, combined. Pure.

Every comparison is made by `applicability.evaluate`, which PCs use, once for every value that there is: so both sides
mean the same. An answer has three values. What a PC would not know of itself is false, as on that PC; what only the
server does not know is unknown, and neither true nor false.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from p2pdist.shared.manifest.applicability import evaluate
from p2pdist.shared.manifest.expression import AllOf, AnyOf, Comparison, Constant, Fact, Installed, Not, Package, Term
from p2pdist.shared.manifest.facts import Facts, FactValue, Packages
from p2pdist.shared.manifest.inventory import INVENTORY_FACTS
from p2pdist.shared.manifest.versions import Ecosystem
from seed_server.store.pc_sets import EMPTY_SET, pcs_of

Asked: TypeAlias = Fact | Package
"""What a PC has one value of."""

KNOWN_FACTS = INVENTORY_FACTS | {"site", "tags"}
"""Those that questions may be about."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Two sets of PCs that have none in common; of those in neither, it is not known."""

    true: int
    false: int


class PcKnowledge(Protocol):
    """What is known of PCs; what is asked for may be read when it is."""

    everyone: int
    """The set of PCs that a question is about."""
    complete: int
    """Those of them of which packages that are not known are known not to be installed."""

    def fact(self, name: str) -> Iterable[tuple[FactValue, Sequence[int]]]:
        """Return every value that a PC has, with the numbers of PCs that have it."""
        ...

    def package(self, name: str) -> Iterable[tuple[Ecosystem, str, int]]:
        """Return every version that a PC has: its ecosystem, its text, and the set of PCs that have it."""
        ...


def answer(term: Term, known: PcKnowledge) -> Answer:
    """Return which PCs ``term`` is true of, and which it is false of."""
    if isinstance(term, AllOf | AnyOf):
        parts = [answer(part, known) for part in term.terms]
        return _all_of(parts) if isinstance(term, AllOf) else _turned(_all_of([_turned(part) for part in parts]))
    if isinstance(term, Not):
        return _turned(answer(term.term, known))
    if isinstance(term, Constant):
        return _split(known.everyone, known.everyone if term.value is True else EMPTY_SET)
    if isinstance(term, Installed):
        return _by_package(term, term.name, known)
    left = term.left if isinstance(term, Comparison) else term
    return _by_package(term, left.name, known) if isinstance(left, Package) else _by_fact(term, left, known)


def unknown_facts(term: Term) -> list[str]:
    """Return the facts in ``term`` that no PC tells its server, sorted."""
    return sorted({name for name in _facts_of(term) if name not in KNOWN_FACTS})


def named_values(term: Term) -> list[Asked]:
    """Return the facts and packages that ``term`` asks for, each once, in its order."""
    return list(dict.fromkeys(_values_of(term)))


def _facts_of(term: Term) -> Iterable[str]:
    return (value.name for value in _values_of(term) if isinstance(value, Fact))


def _values_of(term: Term) -> Iterable[Asked]:
    if isinstance(term, AllOf | AnyOf):
        for part in term.terms:
            yield from _values_of(part)
    elif isinstance(term, Not):
        yield from _values_of(term.term)
    elif isinstance(term, Installed):
        yield Package(term.name)
    elif isinstance(term, Comparison):
        yield term.left
    elif isinstance(term, Fact):
        yield term


def _by_fact(term: Term, fact: Fact, known: PcKnowledge) -> Answer:
    true = [
        number
        for value, numbers in known.fact(fact.name)
        if evaluate(term, Facts({fact.name: value})).applies
        for number in numbers
    ]
    return _split(known.everyone, pcs_of(true))


def _by_package(term: Term, name: str, known: PcKnowledge) -> Answer:
    """Return the answer by what PCs have of one package; of a name in two ecosystems, the first one counts."""
    true, rest = EMPTY_SET, known.everyone
    versions = list(known.package(name))
    for ecosystem in Ecosystem:  # in the order in which a PC has them
        seen = EMPTY_SET
        for of, version, pcs in versions:
            packages = Packages({of: {name: version}})
            if of is not ecosystem or name not in packages:  # one that is no version at all is left out, as on the PC
                continue
            seen |= pcs
            if evaluate(term, Facts(packages=packages)).applies:
                true |= pcs & rest
        rest &= ~seen
    false = known.everyone & ~true & ~(rest & ~known.complete)
    return Answer(true, false)


def _split(everyone: int, true: int) -> Answer:
    return Answer(everyone & true, everyone & ~true)


def _turned(one: Answer) -> Answer:
    return Answer(one.false, one.true)


def _all_of(parts: Sequence[Answer]) -> Answer:
    true, false = parts[0].true, parts[0].false
    for part in parts[1:]:
        true &= part.true
        false |= part.false
    return Answer(true, false)

"""Which PCs are or have what: questions in the language of recipes about what PCs have told. Blocking; only reads."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.expression import PACKAGE_NAME, ExpressionError, Fact, Package, Term, parse_expression
from p2pdist.shared.manifest.facts import FACTS, Packages
from p2pdist.shared.manifest.inventory import PACKAGES_TOLD, PackagesTold
from p2pdist.shared.manifest.versions import Ecosystem, Version
from seed_server.fleet.context import Context
from seed_server.fleet.inventory_answer import KNOWN_FACTS, Asked, answer, named_values, unknown_facts
from seed_server.fleet.known_inventories import KnownInventories, Lately, TimeLimit
from seed_server.fleet.paging import end_of_page, shown_no_more, site_asked
from seed_server.store.pc_sets import numbers_of

if TYPE_CHECKING:
    from seed_server.store.database import Database
    from seed_server.store.inventory_sets import InventoriedPc

DEFAULT_MAX_DAYS = 7  # a PC that is on confirms what is known of it in hours
DEFAULT_SECONDS = 30  # to answer; it takes less than one


@dataclass(frozen=True)
class InventoryQuestion:
    """What is asked, and of which PCs."""

    expression: str = "true"
    site: str = ""
    columns: tuple[str, ...] | None = None
    """Facts and packages whose values are wanted; None: those that the expression names. A package that has the name of
    a fact is written as in an expression: package("hostname")."""
    versions_of: str = ""
    """A package of which is wanted how many PCs have which version; empty: of none."""
    max_days: int = DEFAULT_MAX_DAYS
    """What is known of a PC and is older counts as unknown."""
    seconds: float = DEFAULT_SECONDS
    """How long it may take."""


_END = re.compile(r"[0-9]{1,10}")
_PACKAGE_COLUMN = re.compile(r'package\("([^"]*)"\)')

WhyUnknown: TypeAlias = Literal["never", "outdated", "withheld", "incomplete"]
"""A PC has told nothing, or nothing for too long; or what is asked about its administrator withholds, or could not be
read."""


class VersionCount(NamedTuple):
    """How many PCs have a version of a package."""

    ecosystem: Ecosystem
    version: str
    pcs: int


@dataclass(frozen=True)
class PackageCount:
    """Who has a package, of the PCs that the expression is true of."""

    versions: Sequence[VersionCount]
    """By ecosystem, the highest version first; what is no version comes last."""
    without: int
    """PCs that do not have it."""
    unknown: int
    """PCs that do not tell whether they have it."""


@dataclass(frozen=True)
class InventoryAnswer:
    """The answer to a question, by PC."""

    true: Sequence["InventoriedPc"]
    """By name, then by number."""
    unknown: Sequence["InventoriedPc"]
    """Those of which it is not known, likewise."""
    false: int
    """How many others there are."""
    never: int
    """Of how many of the unknown ones nothing is known."""
    outdated: int
    """Of how many of them only what is too old."""
    withheld: frozenset[int]
    """The numbers of those of them whose administrator withholds the packages."""
    asked: bool
    """Whether the server asks PCs for what they are and have, as it is set now."""
    lately: Lately
    """What was told at another time counts as unknown."""
    oldest_at: float | None
    """When the first of the PCs that count has told or confirmed what it goes by; None: none has."""
    values: Mapping[str, Mapping[int, str]]
    """The values of each column that is wanted, by the number of the PC; a missing one is not known, or not there."""
    package: PackageCount | None = None
    """Of `InventoryQuestion.versions_of`."""

    @property
    def total(self) -> int:
        """How many PCs the question is about."""
        return len(self.true) + self.false + len(self.unknown)

    @property
    def incomplete(self) -> int:
        """Of how many of the unknown ones what the question is about could not be read, or not all of it."""
        return len(self.unknown) - self.never - self.outdated - len(self.withheld)

    def why_unknown(self, pc: "InventoriedPc") -> WhyUnknown:
        """Return why it is not known of one of the unknown ones."""
        if pc.told_at is None:
            return "never"
        if not self.lately.holds(pc.told_at):
            return "outdated"
        return "withheld" if pc.number in self.withheld else "incomplete"


def ask_inventory(context: Context, question: InventoryQuestion) -> InventoryAnswer:
    """Return which PCs the expression is true of. Raises `UserError`.

    BAD_INPUT for what is no expression, for facts that PCs do not tell, for what is no name of a fact or package, and
    for an unknown site; FAILED after too long; NOT_SET_UP, STORAGE, BUSY.
    """
    term = checked_expression(question.expression)
    columns = _columns(question, term)
    settings = context.settings()
    limit = TimeLimit(context.clock, question.seconds)
    with context.database() as database, database.one_state():
        pcs = sorted(
            database.inventoried_pcs(site_asked(context, database, question.site)),
            key=attrgetter("hostname", "number"),
        )
        facts = {value.name for value in (*named_values(term), *columns) if isinstance(value, Fact)}
        lately = Lately.within(question.max_days, context.clock.now())
        known = KnownInventories(database, pcs, lately, facts, limit)
        found = answer(term, known)
        are_true, are_false = set(numbers_of(found.true)), set(numbers_of(found.false))
        true = [pc for pc in pcs if pc.number in are_true]
        unknown = [pc for pc in pcs if pc.number not in are_true and pc.number not in are_false]
        shown = {pc.number for pc in (*true, *unknown)}
        told = [pc.told_at for pc in pcs if pc.told_at is not None]
        return InventoryAnswer(
            true=true,
            unknown=unknown,
            false=found.false.bit_count(),
            never=sum(pc.told_at is None for pc in unknown),
            outdated=sum(not lately.holds(at) for at in told),
            withheld=_withheld(database, {pc.number for pc in unknown if lately.holds(pc.told_at)}),
            asked=settings.inventory_minutes > 0,
            lately=lately,
            oldest_at=min(filter(lately.holds, told), default=None),
            values={_heading(asked): known.texts_of(asked, shown) for asked in columns},
            package=_package_count(known, question.versions_of, found.true) if question.versions_of else None,
        )


def checked_expression(text: str) -> Term:
    """Return what ``text`` means. Raises `UserError` (BAD_INPUT); also for what no PC tells its server."""
    try:
        term = parse_expression(text)
    except ExpressionError as error:
        raise UserError(f"This is no expression: {error}.", FaultKind.BAD_INPUT) from error
    if untold := unknown_facts(term):
        raise UserError(
            f"PCs do not tell the server what changes all the time: {', '.join(untold)}. A diagnosis template "
            "(seed-server template) asks each PC.",
            FaultKind.BAD_INPUT,
        )
    return term


def _columns(question: InventoryQuestion, term: Term) -> tuple[Asked, ...]:
    """Return what the columns show. Raises `UserError` (BAD_INPUT)."""
    if question.versions_of and not PACKAGE_NAME.fullmatch(question.versions_of):
        raise UserError(f"{question.versions_of[:60]!r} is no name of a package.", FaultKind.BAD_INPUT)
    if question.columns is None:
        return tuple(named_values(term))
    return tuple(dict.fromkeys(map(_column, question.columns)))


def _column(text: str) -> Asked:
    """Return what ``text`` names. Raises `UserError` (BAD_INPUT)."""
    if text in KNOWN_FACTS & FACTS.keys():
        return Fact(text)
    if text in FACTS:
        raise UserError(f"PCs do not tell the server {text}, which changes all the time.", FaultKind.BAD_INPUT)
    as_package = _PACKAGE_COLUMN.fullmatch(text)
    name = as_package[1] if as_package else text
    if not PACKAGE_NAME.fullmatch(name):
        raise UserError(f"{text[:60]!r} is no name of a fact or package.", FaultKind.BAD_INPUT)
    return Package(name)


def _heading(asked: Asked) -> str:
    """Return what is written above a column, as `_column` reads it."""
    is_both = isinstance(asked, Package) and asked.name in FACTS
    return f'package("{asked.name}")' if is_both else asked.name


def _withheld(database: "Database", pcs: set[int]) -> frozenset[int]:
    """Return those of ``pcs`` whose administrator withholds the packages."""
    told = database.told_facts_of_all((PACKAGES_TOLD,)) if pcs else []
    return frozenset(number for number, (said,) in told if said == PackagesTold.WITHHELD and number in pcs)


def _package_count(known: KnownInventories, name: str, pcs: int) -> PackageCount:
    versions = [(of, version, has & pcs) for of, version, has in known.package(name) if has & pcs]
    without = pcs
    for _, _, has in versions:
        without &= ~has
    counts = (VersionCount(of, version, has.bit_count()) for of, version, has in versions)
    return PackageCount(
        _highest_first(name, counts), (without & known.complete).bit_count(), (without & ~known.complete).bit_count()
    )


def _highest_first(name: str, counts: Iterable[VersionCount]) -> list[VersionCount]:
    """Return them by ecosystem, and by the rules by which each compares."""
    groups: dict[tuple[Ecosystem, Ecosystem | None], list[tuple[Version | None, VersionCount]]] = {}
    for one in sorted(counts):
        read = Packages({one.ecosystem: {name: one.version}}).get(name)
        groups.setdefault((one.ecosystem, read.ecosystem if read else None), []).append((read, one))
    for group in groups.values():
        group.sort(key=lambda pair: pair[0] or 0, reverse=True)  # none of a group is a version, or all are
    return [
        one
        for ecosystem in Ecosystem
        for rules in (ecosystem, *([Ecosystem.GENERIC] if ecosystem is not Ecosystem.GENERIC else []), None)
        for _, one in groups.get((ecosystem, rules), ())
    ]


def pcs_behind(pcs: Sequence["InventoriedPc"], after: str) -> Sequence["InventoriedPc"]:
    """Return those behind the one that ended a page. Raises `UserError` (BAD_INPUT)."""
    if not after:
        return pcs
    number = int(end_of_page(_END, after)[0])
    for place, pc in enumerate(pcs, 1):
        if pc.number == number:
            return pcs[place:]
    raise shown_no_more()

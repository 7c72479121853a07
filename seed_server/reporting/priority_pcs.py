"""Which PCs a patch may be for, and what these are to the company: by what they say of it, and have told. Blocking.

A PC's own word counts: that a patch is not for it, or is there. Of the others, what they have told of themselves is
asked, by the patch's `applies_to`; a PC of which nothing is known may be one that needs it.
"""

import functools
import operator
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.expression import ExpressionError, Fact, Term, parse_expression
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Reached
from seed_server.fleet.inventory_answer import answer, named_values, unknown_facts
from seed_server.fleet.inventory_queries import DEFAULT_MAX_DAYS, DEFAULT_SECONDS
from seed_server.fleet.known_inventories import KnownInventories, Lately, TimeLimit
from seed_server.fleet.look_memory import RECENTLY_SECONDS
from seed_server.fleet.overview import said_as
from seed_server.fleet.said_memory import SaidLately
from seed_server.reporting.priority_decision import PcGroup
from seed_server.reporting.priority_table import PriorityTable
from seed_server.store.intelligence_records import SaidCounts
from seed_server.store.pc_sets import EMPTY_SET, pcs_of
from seed_server.store.tables import said_code

if TYPE_CHECKING:
    from seed_server.store.database import Database
    from seed_server.store.inventory_sets import InventoriedPc

NOTHING_SAID = SaidCounts(0, 0)
_NOT_FOR_THEM = tuple(said_code(*said) for said in said_as(Reached.NOT_APPLICABLE))
_DONE = tuple(said_code(*said) for one in (Reached.INSTALLED, Reached.DELIVERED) for said in said_as(one))


class PcsOfPatch(NamedTuple):
    """The PCs that one patch may be for."""

    groups: Mapping[PcGroup, int]
    """How many, of each kind that is there."""
    missing: int
    """How many do not have it."""


def _inventoried(database: "Database") -> tuple[list["InventoriedPc"], dict[tuple[str, ...], int]]:
    """Return all PCs, and the set of those that have the same tags."""
    pcs = sorted(database.inventoried_pcs(), key=operator.attrgetter("number"))
    by_tags: dict[str, list[int]] = {}
    for pc in pcs:
        by_tags.setdefault(pc.tags, []).append(pc.number)
    return pcs, {tuple(tags.split()): pcs_of(numbers) for tags, numbers in by_tags.items()}


def pcs_of_patches(
    context: Context,
    database: "Database",
    table: PriorityTable,
    manifests: Sequence[Manifest],
    *,
    lately: bool = False,
) -> dict[PatchRef, PcsOfPatch]:
    """Return the PCs that each patch may be for. Raises `UserError`.

    Who there is may be as it was a minute ago, where the process remembers it; ``lately``: also what they say, and as
    it was some minutes ago.
    """
    words = context.opened.said if lately and context.opened is not None else SaidLately()
    now, refs = context.clock.monotonic(), [one.ref for one in manifests]
    with database.one_state():
        pcs, by_tags = context.lately("inventoried", lambda: _inventoried(database), RECENTLY_SECONDS)
        groups: dict[PcGroup, int] = {}
        for tags, here in by_tags.items():
            group = PcGroup(table.exposure_of(tags), table.mission_of(tags))
            groups[group] = groups.get(group, EMPTY_SET) | here
        everyone = functools.reduce(operator.or_, groups.values(), EMPTY_SET)
        false = _false_of(context, database, pcs, manifests)
        counts = words.counts.said(now, refs, lambda some: database.spoken_counts(some, _NOT_FOR_THEM, _DONE))
        # who they are is read where it matters: in which groups, or whether they are among those that do not need it
        said_done = words.done.said(now, list(false), lambda some: database.pcs_saying(some, _DONE))
        apart = dict.fromkeys(
            ref for ref in refs if ref in false or (len(groups) > 1 and counts.get(ref, NOTHING_SAID).not_for_them)
        )  # in their order
        said_not = words.not_for_them.said(now, apart, lambda some: database.pcs_saying(some, _NOT_FOR_THEM))
    everybody = {group: here.bit_count() for group, here in groups.items()}
    found = {}
    for ref in refs:
        said = counts.get(ref, NOTHING_SAID)
        if ref in apart:
            done = said_done.get(ref, EMPTY_SET)
            may_need = everyone & ~said_not.get(ref, EMPTY_SET) & ~(false.get(ref, EMPTY_SET) & ~done)
            many = {group: (here & may_need).bit_count() for group, here in groups.items()}
            missing = (may_need & ~done).bit_count() if ref in false else may_need.bit_count() - said.done
        else:  # all are in one group, or nobody has said that it is not for them
            many = {group: here - said.not_for_them for group, here in everybody.items()}
            missing = sum(many.values()) - said.done
        found[ref] = PcsOfPatch({group: count for group, count in many.items() if count > 0}, max(0, missing))
    return found


def _false_of(
    context: Context, database: "Database", pcs: Sequence["InventoriedPc"], manifests: Sequence[Manifest]
) -> dict[PatchRef, int]:
    """Return the PCs that do not need a patch by what they have told of themselves; a patch with none is left out."""
    terms = {one.ref: term for one in manifests if (term := _asked(one)) is not None}
    if not terms:
        return {}
    days = Lately.within(DEFAULT_MAX_DAYS, context.clock.now())
    limit = TimeLimit(context.clock, DEFAULT_SECONDS)
    known = KnownInventories(database, pcs, days, _facts(terms.values()), limit)
    false = {term: answer(term, known).false for term in set(terms.values())}
    return {ref: false[term] for ref, term in terms.items() if false[term]}


def _asked(manifest: Manifest) -> Term | None:
    """Return the patch's expression, as far as PCs tell what it asks; None: it may be for every PC."""
    if not manifest.applies_to:
        return None
    try:
        term = parse_expression(manifest.applies_to)
    except ExpressionError:  # of a newer release: PCs say themselves whom it is for
        return None
    return None if unknown_facts(term) else term


def _facts(terms: Collection[Term]) -> frozenset[str]:
    return frozenset(value.name for term in terms for value in named_values(term) if isinstance(value, Fact))

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
from seed_server.fleet.said_memory import SaidMemory
from seed_server.reporting.priority_decision import PcGroup
from seed_server.reporting.priority_table import PriorityTable
from seed_server.store.intelligence_records import SaidByPcs
from seed_server.store.pc_sets import EMPTY_SET, pcs_of
from seed_server.store.tables import said_code

if TYPE_CHECKING:
    from seed_server.store.database import Database
    from seed_server.store.inventory_sets import InventoriedPc

NOTHING_SAID = SaidByPcs(EMPTY_SET, EMPTY_SET)
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
    words = context.opened.said if lately and context.opened is not None else SaidMemory()
    now = context.clock.monotonic()
    with database.one_state():
        pcs, by_tags = context.lately("inventoried", lambda: _inventoried(database), RECENTLY_SECONDS)
        groups: dict[PcGroup, int] = {}
        for tags, here in by_tags.items():
            group = PcGroup(table.exposure_of(tags), table.mission_of(tags))
            groups[group] = groups.get(group, EMPTY_SET) | here
        everyone = functools.reduce(operator.or_, groups.values(), EMPTY_SET)
        said = words.said(
            now,
            [one.ref for one in manifests],
            lambda refs: database.said_of_patches(refs, _NOT_FOR_THEM, _DONE),
        )
        terms = {one.ref: term for one in manifests if (term := _asked(one)) is not None}
        days = Lately.within(DEFAULT_MAX_DAYS, context.clock.now())
        limit = TimeLimit(context.clock, DEFAULT_SECONDS)
        known = KnownInventories(database, pcs, days, _facts(terms.values()), limit)
        false: dict[Term, int] = {}
        found = {}
        for one in manifests:
            spoken = said.get(one.ref, NOTHING_SAID)
            may_need = everyone & ~spoken.not_for_them
            if (term := terms.get(one.ref)) is not None:
                if term not in false:
                    false[term] = answer(term, known).false
                may_need &= ~(false[term] & ~spoken.done)
            counts = {group: (here & may_need).bit_count() for group, here in groups.items()}
            found[one.ref] = PcsOfPatch(
                {group: count for group, count in counts.items() if count}, (may_need & ~spoken.done).bit_count()
            )
    return found


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

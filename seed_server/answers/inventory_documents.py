"""What is printed of inventories, made of what `seed_server.fleet` answers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seed_server.answers.inventory import (
    InventoryDocument,
    InventoryPackageDocument,
    InventoryRowDocument,
    InventoryVersionDocument,
)
from seed_server.fleet.inventory_queries import InventoryAnswer, InventoryQuestion

if TYPE_CHECKING:
    from seed_server.store.inventory_sets import InventoriedPc


def inventory_row_document(found: InventoryAnswer, pc: "InventoriedPc", *, of_unknown: bool) -> InventoryRowDocument:
    """Return what is printed of a PC; ``of_unknown``: with why it is not known of it."""
    return InventoryRowDocument(
        endpoint_id=pc.endpoint_id,
        hostname=pc.hostname,
        site=pc.site or None,
        told_at=pc.told_at,
        unknown=found.why_unknown(pc) if of_unknown else None,
        values={name: values.get(pc.number) for name, values in found.values.items()},
    )


def inventory_document(
    found: InventoryAnswer,
    shown: Sequence["InventoriedPc"],
    following: str,
    question: InventoryQuestion,
    *,
    of_unknown: bool,
) -> InventoryDocument:
    """Return what is printed of an answer, of which ``shown`` is a page."""
    package = found.package
    return InventoryDocument(
        expression=question.expression,
        total=found.total,
        true=len(found.true),
        false=found.false,
        unknown=len(found.unknown),
        never=found.never,
        outdated=found.outdated,
        withheld=len(found.withheld),
        incomplete=found.incomplete,
        asked=found.asked,
        oldest_at=found.oldest_at,
        package=None
        if package is None
        else InventoryPackageDocument(
            name=question.versions_of,
            versions=tuple(
                InventoryVersionDocument(ecosystem=one.ecosystem.value, version=one.version, pcs=one.pcs)
                for one in package.versions
            ),
            without=package.without,
            unknown=package.unknown,
        ),
        rows=tuple(inventory_row_document(found, pc, of_unknown=of_unknown) for pc in shown),
        next=following or None,
    )

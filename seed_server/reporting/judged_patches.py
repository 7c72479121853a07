"""The patches that reports are about, with what rules ask of them. Blocking; nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Manifest
from seed_server.fleet.context import Context
from seed_server.fleet.overview import FleetHead, patches_head, patches_named
from seed_server.reporting.service_levels import JudgedPatch
from seed_server.store.count_rows import PatchHead

if TYPE_CHECKING:
    from seed_server.store.database import Database


@dataclass(frozen=True)
class PatchesAsked:
    """Which patches a report is about; what is empty tells none apart."""

    patch: str = ""
    """An id, or ID@VERSION."""
    days: int = 0
    """Only those that were published in the last days; 0: all."""
    replaced: bool = False
    """Also those in whose place something newer is."""


def report_head(context: Context, database: "Database") -> FleetHead:
    """Return which patches there are. Raises `UserError`."""
    return patches_head(context, database)


def patches_asked_for(head: FleetHead, asked: PatchesAsked, now: float) -> list[PatchHead]:
    """Return the patches that are meant, without those that are withdrawn, or that PCs were never told of.

    One that is named is meant in any case. Raises `UserError` (BAD_INPUT) for a name that no patch has.
    """
    if asked.patch:
        return patches_named(head, asked.patch)
    gone = head.announced.withdrawn.keys() | head.announced.cut_off
    patches = [*head.patches, *(head.history if asked.replaced else ())]
    since = now - asked.days * DAY_SECONDS if asked.days else 0.0
    return [patch for patch in patches if patch.ref not in gone and patch.published_at >= since]


def cves_of(manifest: Manifest) -> tuple[str, ...]:
    """Return which vulnerabilities a patch mends, as its publisher says; empty: nothing is said of that."""
    return manifest.mended_cves


def judged(
    database: "Database", patches: Sequence[PatchHead], cves: dict[PatchRef, tuple[str, ...]]
) -> list[JudgedPatch]:
    """Return patches as rules look at them; ``cves``: which vulnerabilities they mend."""
    scores = database.cvss_scores()
    return [
        JudgedPatch(
            number=patch.number,
            ref=patch.ref,
            title=patch.title,
            severity=patch.severity,
            cvss=scores.get(patch.number),
            published_at=patch.published_at,
            cves=cves.get(patch.ref, ()),
        )
        for patch in patches
    ]

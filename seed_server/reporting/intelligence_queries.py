"""What is known of weaknesses, by which files, and how old that is. Blocking; only reads."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.cves import is_cve
from seed_server.fleet.context import Context
from seed_server.reporting.priority_decision import CveKnowledge, WorldKnowledge
from seed_server.reporting.service_levels import KevDates


@dataclass(frozen=True)
class KnownCve:
    """One weakness: what is known of it, and what was published against it."""

    known: CveKnowledge
    patches: Sequence[PatchRef]
    """Publications that name it, whatever became of them."""
    world: WorldKnowledge


def read_intelligence_state(context: Context) -> WorldKnowledge:
    """Return by which files weaknesses are known, and all that are exploited, the newest first. Raises `UserError`."""
    context.settings()
    with context.database() as database, database.one_state():
        return WorldKnowledge(database.intelligence_sources(), database.exploited_cves())


def read_cve(context: Context, cve: str) -> KnownCve:
    """Return what is known of one weakness. Raises `UserError`; BAD_INPUT for what is no CVE number."""
    number = cve.strip().upper()
    if not is_cve(number):
        raise UserError(f"{cve[:40]!r} is no CVE number. Write it as CVE-2026-1234.", FaultKind.BAD_INPUT)
    manifests = context.repository().readable_manifests()[0]
    with context.database() as database, database.one_state():
        world = WorldKnowledge(
            database.intelligence_sources(), database.exploited_cves([number]), database.exploit_scores([number])
        )
    patches = sorted((one.ref for one in manifests if number in one.mended_cves), key=str)
    return KnownCve(world.of(number), patches, world)


def kev_dates(context: Context) -> KevDates:
    """Return when weaknesses came to be known as exploited, by the newest catalogue here. Raises `UserError`."""
    with context.database() as database:
        exploited = database.exploited_cves()

    def day_of(cve: str, /) -> dt.date | None:
        known = exploited.get(cve)
        return None if known is None else dt.datetime.fromtimestamp(known.added_at, dt.UTC).date()

    return day_of

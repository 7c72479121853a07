"""Files of intelligence are taken over by hand, all of them or none, and move what is urgent. Blocking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.lazy_log import lazy_log
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.intelligence_age import day
from seed_server.fleet.operation import operation
from seed_server.reporting.intelligence_files import IntelligenceFile, read_intelligence
from seed_server.reporting.intelligence_formats import ReadEpss, ReadKev
from seed_server.reporting.priority_decision import PriorityDecision, WorldKnowledge, decide, ranked
from seed_server.reporting.priority_queries import OpenPatch, known_world, open_patches, priority_table
from seed_server.reporting.priority_table import PriorityTable, urgency
from seed_server.reporting.priority_words import NextStep, next_step
from seed_server.settings.priority_section import PriorityClass
from seed_server.store.intelligence_records import IntelligenceKind, IntelligenceSource, PriorityMove
from seed_server.store.score_blocks import ExploitScore, cve_number, score_in

if TYPE_CHECKING:
    from seed_server.store.database import Database

IMPORT_INTELLIGENCE = "import intelligence"
MAX_IMPORTED_FILES = 2  # one of each kind
KIND_NAMES: Mapping[IntelligenceKind, str] = {"kev": "KEV", "epss": "EPSS"}
MAX_NAMED_MOVES = 50  # in the entry of the audit log

log = lazy_log()


@dataclass(frozen=True)
class ImportedFile:
    """One file that was taken over."""

    source: IntelligenceSource
    before: IntelligenceSource | None
    """What was known until then; None: nothing."""
    new: int
    """How many CVEs it has that were not known by the one before."""
    gone: int
    """How many that one had, and it has not."""


@dataclass(frozen=True)
class MovedPatch:
    """An open patch that has another priority by what was imported."""

    before: PriorityClass
    decision: PriorityDecision
    step: NextStep

    @property
    def is_urgent(self) -> bool:
        """Whether it has become more urgent."""
        return urgency(self.decision.leaf.priority) > urgency(self.before)


@dataclass(frozen=True)
class ImportedIntelligence:
    """What an import has brought."""

    files: Sequence[ImportedFile]
    moved: Sequence[MovedPatch]
    """Those that are most urgent now first."""
    world: WorldKnowledge
    """What is known now."""


@operation("publish")
def import_intelligence(
    context: Context, actor: Actor, paths: Sequence[Path], *, older: bool = False
) -> ImportedIntelligence:
    """Take over a KEV catalogue, EPSS scores, or both, in the place of those that are known: all or nothing.

    ``older``: also what is older than that. Writes the database. Raises `UserError`: BAD_INPUT for a file that is none
    of these, is damaged, or is older; BUSY where somebody else imports meanwhile; NOT_SET_UP, STORAGE.
    """
    if not 1 <= len(paths) <= MAX_IMPORTED_FILES:
        raise UserError("Give one file, or one of each kind: KEV and EPSS.", FaultKind.BAD_INPUT)
    now, table = context.clock.now(), priority_table(context)
    files = [read_intelligence(path, now) for path in paths]
    sources = [_source(file, now, actor) for file in files]
    if len({source.kind for source in sources}) < len(sources):
        raise UserError("Both files are of one kind. Give the newer one alone.", FaultKind.BAD_INPUT)
    repository = context.repository()
    with context.database() as database:
        patches = open_patches(context, database, repository, table)
        before = known_world(database, (one.facts for one in patches))
        known = database.exploited_cves()
    for source in sources:
        _check_age(source, before.sources.get(source.kind), older=older)
    after = _world_with(before, sources, files, patches)
    moved = _moved(table, patches, before, after)
    deed = Deed(IMPORT_INTELLIGENCE, ", ".join(f"{KIND_NAMES[one.kind]} of {day(one.dated_at)}" for one in sources))
    deed.details = _details(sources, moved)
    imported = []
    with context.audited(actor, deed) as database:
        if database.intelligence_sources() != before.sources:
            raise UserError("Somebody else has imported a file meanwhile. Run the same command again.", FaultKind.BUSY)
        for file, source in zip(files, sources, strict=True):
            was = before.sources.get(source.kind)
            both = _replace(database, file, source, known.keys())
            imported.append(ImportedFile(source, was, source.rows - both, (was.rows if was else 0) - both))
        database.save_priority_moves(
            [
                PriorityMove(one.decision.facts.ref, now, one.before, one.decision.leaf.priority)
                for one in moved
                if one.is_urgent
            ],
            [one.decision.facts.ref for one in moved if not one.is_urgent],
        )
    log.info("intelligence imported", files=deed.subject, moved=len(moved))
    return ImportedIntelligence(imported, moved, after)


def _replace(database: "Database", file: IntelligenceFile, source: IntelligenceSource, known: object) -> int:
    """Take over one file; return how many of its CVEs were known before."""
    if isinstance(file.read, ReadEpss):
        return database.replace_exploit_scores(source, file.read.rows)
    both = sum(one.cve in known for one in file.read.rows)  # type: ignore[operator]
    database.replace_exploited_cves(source, file.read.rows)
    return both


def _source(file: IntelligenceFile, now: float, actor: Actor) -> IntelligenceSource:
    read = file.read
    kind: IntelligenceKind = "kev" if isinstance(read, ReadKev) else "epss"
    return IntelligenceSource(kind, read.dated_at, now, len(read.rows), read.version, file.sha256, actor.who)


def _check_age(source: IntelligenceSource, known: IntelligenceSource | None, *, older: bool) -> None:
    if known is not None and source.dated_at < known.dated_at and not older:
        raise UserError(
            f"This {KIND_NAMES[source.kind]} file is of {day(source.dated_at)}, and what is known is of "
            f"{day(known.dated_at)}. Nothing was changed. Import it all the same with --older.",
            FaultKind.BAD_INPUT,
        )


def _world_with(
    before: WorldKnowledge,
    sources: Sequence[IntelligenceSource],
    files: Sequence[IntelligenceFile],
    patches: Sequence[OpenPatch],
) -> WorldKnowledge:
    """Return what will be known of the patches' weaknesses."""
    cves = {cve for one in patches for cve in one.facts.cves}
    exploited, scores = before.exploited, before.scores
    for file in files:
        if isinstance(file.read, ReadKev):
            exploited = {one.cve: one for one in file.read.rows if one.cve in cves}
        else:
            scores = _scores(file.read, cves)
    return WorldKnowledge({**before.sources, **{one.kind: one for one in sources}}, exploited, scores)


def _scores(read: ReadEpss, cves: set[str]) -> dict[str, ExploitScore]:
    if not cves:
        return {}
    whole = b"".join(read.rows)
    found = {cve: score_in(whole, cve_number(cve)) for cve in cves}
    return {cve: score for cve, score in found.items() if score is not None}


def _moved(
    table: PriorityTable, patches: Sequence[OpenPatch], before: WorldKnowledge, after: WorldKnowledge
) -> list[MovedPatch]:
    was = {one.facts.ref: decide(table, one.facts, before).leaf.priority for one in patches}
    offered = {one.facts.ref: one.offered for one in patches}
    found = []
    for decision in ranked(decide(table, one.facts, after) for one in patches):
        ref: PatchRef = decision.facts.ref
        if was[ref] != decision.leaf.priority:
            found.append(MovedPatch(was[ref], decision, next_step(decision, offered[ref])))
    return found


def _details(sources: Sequence[IntelligenceSource], moved: Sequence[MovedPatch]) -> dict[str, str]:
    details = {f"{one.kind} sha256": one.sha256 for one in sources}
    details |= {f"{one.kind} rows": str(one.rows) for one in sources}
    if moved:
        named = [f"{one.decision.facts.ref} {one.before} → {one.decision.leaf.priority}" for one in moved]
        details["moved"] = ", ".join(named[:MAX_NAMED_MOVES]) + (", …" if len(named) > MAX_NAMED_MOVES else "")
    return details

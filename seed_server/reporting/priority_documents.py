"""What `intelligence` and `priority` print with `--json`, and the answers of which these are made. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Count, Share, UnixSeconds
from seed_server.fleet.intelligence_age import is_stale
from seed_server.reporting.priority_decision import KINDS, CveKnowledge, PriorityDecision, WorldKnowledge
from seed_server.reporting.priority_words import (
    NextStep,
    Offered,
    PriorityInput,
    doubts_of,
    inputs_of,
    leaf_words,
    why_sentence,
)


class IntelligenceSourceDocument(Struct, frozen=True):
    """A file that was imported."""

    kind: Literal["kev", "epss"]
    """CISA's catalogue of known exploited vulnerabilities; FIRST's exploit prediction scores. Since 0.3."""
    dated_at: UnixSeconds
    """When it was made, as it says. Since 0.3."""
    imported_at: UnixSeconds
    """When it was imported here. Since 0.3."""
    imported_by: str
    """Who did it. Since 0.3."""
    version: str
    """What it calls itself, or the model that made it. Since 0.3."""
    rows: Count
    """How many CVEs it has. Since 0.3."""
    sha256: str
    """Of the file as it was given. Since 0.3."""
    stale: bool
    """Whether it is over seven days old. Since 0.3."""


class ImportedFileDocument(Struct, frozen=True):
    """What one file has brought."""

    kind: Literal["kev", "epss"]
    """As of `intelligence show`. Since 0.3."""
    dated_at: UnixSeconds
    """When it was made, as it says. Since 0.3."""
    rows: Count
    """How many CVEs it has. Since 0.3."""
    before_dated_at: UnixSeconds | None
    """Of the file that was known until then; null: there was none. Since 0.3."""
    new: Count
    """How many of its CVEs that one did not have. Since 0.3."""
    gone: Count
    """How many CVEs that one had, and this has not. Since 0.3."""


class MovedPatchDocument(Struct, frozen=True):
    """An open patch whose priority is another one now."""

    patch: str
    """ID@VERSION. Since 0.3."""
    before: Literal["immediate", "out-of-cycle", "scheduled", "defer"]
    """Its priority until then. Since 0.3."""
    after: Literal["immediate", "out-of-cycle", "scheduled", "defer"]
    """Its priority now. Since 0.3."""
    why: str
    """The decision in one sentence of English. Since 0.3."""
    command: str | None
    """What follows from it; null: nothing is to be done. Since 0.3."""


class IntelligenceImportDocument(Struct, frozen=True):
    """What was imported, and which patches it has moved."""

    files: tuple[ImportedFileDocument, ...]
    """In the order in which they were given. Since 0.3."""
    moved: tuple[MovedPatchDocument, ...]
    """Open patches with another priority than before, the most urgent one first. Since 0.3."""
    doubts: tuple[str, ...]
    """What is not known, or is old, in English. Since 0.3."""


class IntelligenceDocument(Struct, frozen=True):
    """By which files weaknesses are known."""

    sources: tuple[IntelligenceSourceDocument, ...]
    """The files; of a kind that is missing, nothing is known. Since 0.3."""
    doubts: tuple[str, ...]
    """What is not known, or is old, in English. Since 0.3."""


class ExploitedDocument(Struct, frozen=True):
    """What the KEV catalogue says of a weakness."""

    name: str
    """What it is. Since 0.3."""
    added_at: UnixSeconds
    """When it was added. Since 0.3."""
    due_at: UnixSeconds | None
    """By when CISA wants it mended; null: it does not say. Since 0.3."""
    ransomware: bool
    """Whether ransomware is known to use it. Since 0.3."""
    action: str
    """What CISA wants done. Since 0.3."""


class ScoreDocument(Struct, frozen=True):
    """What EPSS says of a weakness."""

    probability: Share
    """That somebody tries it within 30 days. Since 0.3."""
    percentile: Share
    """The share of all CVEs that are no more likely. Since 0.3."""


class CveDocument(Struct, frozen=True):
    """What is known of a weakness."""

    cve: str
    """Its number. Since 0.3."""
    exploited: ExploitedDocument | None
    """What KEV says; null: it is not in it, or there is no KEV file. Since 0.3."""
    score: ScoreDocument | None
    """What EPSS says; null: nothing, or there is no EPSS file. Since 0.3."""
    patches: tuple[str, ...]
    """Publications that mend it, as ID@VERSION. Since 0.3."""
    sources: tuple[IntelligenceSourceDocument, ...]
    """The files by which this is known. Since 0.3."""
    doubts: tuple[str, ...]
    """What is not known, or is old, in English. Since 0.3."""


class PriorityInputDocument(Struct, frozen=True):
    """One thing by which a patch is judged."""

    name: Literal["exploitation", "likelihood", "exposure", "mission", "score"]
    """Which. Since 0.3."""
    value: str
    """In the words of the table, or `not known`, which counts as `none`. Since 0.3."""
    words: str
    """In a sentence of English, without its full stop. Since 0.3."""
    source: Literal["kev", "epss", "recipe", "tags", "nothing"]
    """Where it is known from: a file, the patch's recipe, the tags of PCs, or nowhere. Since 0.3."""
    dated_at: UnixSeconds | None
    """Of that file; null: it is of no file. Since 0.3."""


class PriorityPatchDocument(Struct, frozen=True):
    """An open patch, and how urgent it is."""

    patch: str
    """ID@VERSION. Since 0.3."""
    title: str
    """One line for people; may be empty. Since 0.3."""
    priority: Literal["immediate", "out-of-cycle", "scheduled", "defer"]
    """How urgent it is. Since 0.3."""
    why: str
    """The decision in one sentence of English. Since 0.3."""
    leaf: str
    """The place in the table that has decided: exploitation, exposure, likelihood, impact → priority. Since 0.3."""
    inputs: tuple[PriorityInputDocument, ...]
    """What it goes by. Since 0.3."""
    cves: tuple[str, ...]
    """The weaknesses that it mends; empty: its recipe names none. Since 0.3."""
    cve: str | None
    """The one of them that has decided; null: it names none. Since 0.3."""
    pcs: Count
    """How many PCs it may be for. Since 0.3."""
    deciding_pcs: Count
    """How many of them are of the exposure and mission that have decided. Since 0.3."""
    missing: Count
    """How many of them do not have it. Since 0.3."""
    template: str
    """By which rings it goes. Since 0.3."""
    approvals: Count
    """So many people have to approve that rollout. Since 0.3."""
    due_at: UnixSeconds | None
    """By when every PC is to have it; null: it has no deadline. Since 0.3."""
    rollout: int | None
    """The rollout that is under way; null: none is. Since 0.3."""
    offered_to_all: bool
    """Whether every PC is offered it. Since 0.3."""
    step: str
    """What is so now, in a sentence of English. Since 0.3."""
    command: str | None
    """What follows from its priority; null: nothing is to be done. Since 0.3."""


class PriorityDocument(Struct, frozen=True):
    """What comes first."""

    patches: tuple[PriorityPatchDocument, ...]
    """Open patches, the most urgent one first. Since 0.3."""
    sources: tuple[IntelligenceSourceDocument, ...]
    """The files by which their weaknesses are known. Since 0.3."""
    doubts: tuple[str, ...]
    """What is not known, or is old, in English. Since 0.3."""


def source_documents(world: WorldKnowledge, now: float) -> tuple[IntelligenceSourceDocument, ...]:
    """Return the files by which something is known."""
    found = [world.sources[kind] for kind in KINDS if kind in world.sources]
    return tuple(IntelligenceSourceDocument(stale=is_stale(one, now), **one._asdict()) for one in found)


def cve_document(known: CveKnowledge, patches: tuple[str, ...], world: WorldKnowledge, now: float) -> CveDocument:
    """Return what is known of one weakness."""
    kev, score = known.exploited, known.score
    return CveDocument(
        cve=known.cve,
        exploited=None
        if kev is None
        else ExploitedDocument(kev.name, kev.added_at, kev.due_at, kev.ransomware, kev.action),
        score=None if score is None else ScoreDocument(score.probability, score.percentile),
        patches=patches,
        sources=source_documents(world, now),
        doubts=tuple(doubts_of(world, now)),
    )


def patch_document(
    title: str,
    decision: PriorityDecision,
    offered: Offered,
    step: NextStep,
    approvals: int,
    world: WorldKnowledge,
    now: float,
) -> PriorityPatchDocument:
    """Return how urgent one patch is."""
    facts = decision.facts
    return PriorityPatchDocument(
        patch=str(facts.ref),
        title=title,
        priority=decision.leaf.priority,
        why=why_sentence(decision, now),
        leaf=leaf_words(decision),
        inputs=tuple(map(_input_document, inputs_of(decision, world))),
        cves=tuple(facts.cves),
        cve=decision.by.cve if decision.by is not None else None,
        pcs=facts.pcs,
        deciding_pcs=decision.pcs,
        missing=facts.missing,
        template=decision.rule.template,
        approvals=approvals,
        due_at=decision.due_at,
        rollout=offered.rollout,
        offered_to_all=offered.to_everyone,
        step=step.words,
        command=step.command or None,
    )


def _input_document(one: PriorityInput) -> PriorityInputDocument:
    return PriorityInputDocument(**one._asdict())

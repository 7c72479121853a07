"""What comes first: every open patch with its priority, and why. Blocking; only reads."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.toml_config import parse_toml
from seed_server.fleet.context import Context
from seed_server.fleet.names import hint_of
from seed_server.fleet.ring_templates import RingTemplate
from seed_server.fleet.rollout_announcing import kept_rollouts, wanted_by
from seed_server.fleet.rollout_queries import ring_template
from seed_server.reporting.priority_decision import (
    PatchFacts,
    PriorityDecision,
    WorldKnowledge,
    decide,
    ranked,
)
from seed_server.reporting.priority_documents import PriorityDocument, patch_document, source_documents
from seed_server.reporting.priority_pcs import pcs_of_patches
from seed_server.reporting.priority_table import PriorityTable, PriorityTableError
from seed_server.reporting.priority_words import NextStep, Offered, doubts_of, next_step
from seed_server.reporting.shipped_priority import shipped_priority
from seed_server.settings.priority_section import PrioritySettings
from seed_server.signing.offers import parse_named
from seed_server.signing.repository import Repository

if TYPE_CHECKING:
    from seed_server.store.database import Database

MANY_TABLES = 4  # that are remembered, as checked: each page of patches asks for the one in force


@dataclass(frozen=True)
class OpenPatch:
    """A publication that PCs are offered, or that waits for its rollout."""

    manifest: Manifest
    facts: PatchFacts
    offered: Offered


@dataclass(frozen=True)
class RankedPatch:
    """An open patch with its priority."""

    title: str
    decision: PriorityDecision
    offered: Offered
    step: NextStep
    approvals: int
    """So many people have to approve its rollout by the template that follows from its priority."""


@dataclass(frozen=True)
class PriorityAnswer:
    """What comes first."""

    patches: Sequence[RankedPatch]
    """The most urgent one first."""
    world: WorldKnowledge
    """What is known of their weaknesses."""


def read_priorities(
    context: Context, named: str = "", *, done: bool = False, lately: bool = False
) -> PriorityAnswer:  # fmt: skip
    """Return the open patches that PCs lack, or all that are ``done`` too, or those that ``named`` names.

    ``lately``: as PCs were lately, as `open_patches` has it.

    Raises `UserError`: BAD_INPUT for a name that no open patch has, and for a table in ``server.toml`` that cannot be
    used; NOT_SET_UP, STORAGE, BUSY; FAILED where it takes too long.
    """
    table, repository = priority_table(context), context.repository()
    with context.database() as database:
        refs = _named([one.manifest.ref for one in repository.offers() if one.is_open], named) if named else None
        found = open_patches(context, database, repository, table, refs=refs, lately=lately)
        if not named and not done:
            found = [one for one in found if one.facts.missing or not one.facts.pcs]
        world = known_world(database, (one.facts for one in found))
    rows = _ranked(table, repository, found, world)
    return PriorityAnswer(rows, world)


def priorities_of(context: Context, refs: Collection[PatchRef]) -> dict[PatchRef, RankedPatch]:
    """Return the priorities of those of ``refs`` that are open, the most urgent one first. Raises as `read_priorities`.

    It costs by the number of ``refs``. PCs are as they were lately, as `open_patches` has it.
    """
    table, repository = priority_table(context), context.repository()
    with context.database() as database:
        found = open_patches(context, database, repository, table, refs=refs, lately=True)
        world = known_world(database, (one.facts for one in found))
    return {one.decision.facts.ref: one for one in _ranked(table, repository, found, world)}


def _ranked(
    table: PriorityTable, repository: Repository, found: Sequence[OpenPatch], world: WorldKnowledge
) -> list[RankedPatch]:
    by_ref = {one.facts.ref: one for one in found}
    templates = _Templates(repository)
    rows = []
    for decision in ranked(decide(table, one.facts, world) for one in found):
        one = by_ref[decision.facts.ref]
        approvals = templates.approvals(decision, one.manifest)
        rows.append(RankedPatch(one.manifest.title, decision, one.offered, next_step(decision, one.offered), approvals))
    return rows


def read_unbegun(context: Context, most: int) -> list[RankedPatch]:
    """Return the open patches that PCs lack and that nobody has begun to offer, ranked; of ``most`` looked at.

    Where there are more, those are looked at that are the most severe by their own score. Raises as `read_priorities`.
    """
    table, repository = priority_table(context), context.repository()
    with context.database() as database:
        found = [one for one in open_patches(context, database, repository, table, unbegun=most) if one.facts.missing]
        world = known_world(database, (one.facts for one in found))
    return _ranked(table, repository, found, world)


def priority_table(context: Context) -> PriorityTable:
    """Return the table that is in force. Raises `UserError` (BAD_INPUT) for one that cannot be used."""
    try:
        return _table_of(context.settings().priority)
    except PriorityTableError as error:
        raise UserError(
            f"[priority] in {context.home.settings}: {error}. Correct it, or leave it out.", FaultKind.BAD_INPUT
        ) from error


@lru_cache(MANY_TABLES)
def _table_of(settings: PrioritySettings) -> PriorityTable:
    return PriorityTable.of(settings, parse_toml(shipped_priority(), PrioritySettings, source="priority.toml"))


def open_patches(
    context: Context,
    database: "Database",
    repository: Repository,
    table: PriorityTable,
    *,
    refs: Collection[PatchRef] | None = None,
    unbegun: int | None = None,
    lately: bool = False,
) -> list[OpenPatch]:
    """Return every publication that PCs are offered, or that waits for its rollout. Raises `UserError`.

    ``refs``: of these alone. ``unbegun``: only so many of those that nobody is offered, and of which no rollout was
    begun; with the highest scores. ``lately``: what PCs have said may be some minutes old, where the process remembers
    it.
    """
    offers = [one for one in repository.offers() if one.is_open and (refs is None or one.manifest.ref in refs)]
    manifests = [one.manifest for one in offers]
    rollouts = {one.plan.ref: one.row for one in kept_rollouts(database, live=True)}
    everyone = {entry.ref for entry in repository.current_rollouts().entries}
    if unbegun is not None:
        manifests = [one for one in manifests if one.ref not in rollouts and one.ref not in everyone]
        manifests = sorted(manifests, key=lambda one: -(one.cvss or 0.0))[:unbegun]
        if not manifests:
            return []
    pcs = pcs_of_patches(context, database, table, manifests, lately=lately)
    found = []
    for manifest in manifests:
        ref, row = manifest.ref, rollouts.get(manifest.ref)
        facts = PatchFacts(
            ref, manifest.severity, manifest.cvss, manifest.mended_cves, float(manifest.published_at),
            pcs[ref].groups, pcs[ref].missing,
        )  # fmt: skip
        offered = Offered(to_everyone=ref in everyone)
        if row is not None:
            offered = Offered(row.number, row.template)
        found.append(OpenPatch(manifest, facts, offered))
    return found


def known_world(database: "Database", patches: Iterable[PatchFacts]) -> WorldKnowledge:
    """Return what is known of the weaknesses of ``patches``. Raises `UserError`."""
    cves = {cve for one in patches for cve in one.cves}
    with database.one_state():
        return WorldKnowledge(
            database.intelligence_sources(), database.exploited_cves(cves), database.exploit_scores(cves)
        )


def _named(refs: Sequence[PatchRef], text: str) -> list[PatchRef]:
    named = parse_named(text)
    if found := [one for one in refs if one.is_named(named)]:
        return found
    hint = hint_of(named.patch_id, {one.patch_id for one in refs} - {named.patch_id})
    raise UserError(
        f"No patch {_written(named)} is open: PCs are offered none, and none waits for its rollout.{hint} 'seed-server "
        "list' lists all.",
        FaultKind.BAD_INPUT,
    )


def _written(named: PatchRef) -> str:
    return str(named) if named.version else named.patch_id


class _Templates:
    """The templates that classes name, each read once."""

    def __init__(self, repository: Repository) -> None:
        self._approvers = repository.approvers()
        self._read: dict[str, RingTemplate] = {}

    def approvals(self, decision: PriorityDecision, manifest: Manifest) -> int:
        name = decision.rule.template
        if name not in self._read:
            try:
                self._read[name] = ring_template(name)
            except UserError as error:
                raise UserError(
                    f"[priority.classes] in server.toml names a template that cannot be used: {error.message}",
                    error.kind,
                ) from error
        return self._read[name].required_approvals(wanted_by(self._approvers, manifest))


def priority_document(answer: PriorityAnswer, now: float) -> PriorityDocument:
    """Return it for programs."""
    return PriorityDocument(
        patches=tuple(
            patch_document(one.title, one.decision, one.offered, one.step, one.approvals, answer.world, now)
            for one in answer.patches
        ),
        sources=source_documents(answer.world, now),
        doubts=tuple(doubts_of(answer.world, now)),
    )

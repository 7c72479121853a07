"""What people ask of rollouts, exceptions and templates. Blocking."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from p2pdist.shared.capped_files import read_given_text
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Manifest
from seed_server.fleet.context import Context
from seed_server.fleet.harm_share import HarmShare, harm_share
from seed_server.fleet.pc_memory import lately_known_pcs
from seed_server.fleet.ring_counts import NO_RING, RING_NOT_KNOWN, PcOutcome, RingTally
from seed_server.fleet.ring_templates import MAX_RING_TEMPLATE_BYTES, RingTemplate, parse_ring_template
from seed_server.fleet.rollout import RolloutState, RolloutWhy, decide, waits_for
from seed_server.fleet.rollout_announcing import approvals_wanted, approvers_in_force, kept_rollouts, wanted_by
from seed_server.fleet.rollout_announcing import read_rollouts as rollouts_in
from seed_server.fleet.rollout_counting import CountedRollout, KnownPcs, counted
from seed_server.fleet.rollout_documents import BrokenRollout, KeptRollout, hold_of
from seed_server.fleet.rollout_faults import NO_ROLLOUT
from seed_server.fleet.rollout_operations import known_rollout
from seed_server.fleet.shipped_rings import SHIPPED_RINGS, shipped_rings
from seed_server.fleet.way_back import GoneBack, read_ways_back
from seed_server.signing.bundle import read_bundle
from seed_server.signing.prepared_bundles import manifests_in
from seed_server.store.rollout_records import ExceptionRow, RolloutFault
from seed_server.store.rows import SAYS_REPLACED
from seed_server.store.serve_lock import is_serving

if TYPE_CHECKING:
    from seed_server.store.database import Database

SAYS_WITHDRAWN = "withdrawn: "
"""What the words of a PC begin with of a patch that is offered no more, where nothing of it is there."""


@dataclass(frozen=True)
class RolloutView:
    """One look at a rollout."""

    kept: KeptRollout
    tallies: Sequence[RingTally]
    """Of each ring, the first one first."""
    in_no_ring: int
    not_known: int
    """PCs whose facts the server does not know."""
    why: RolloutWhy
    """What it waits for now, or why it is over."""
    back: GoneBack | None = None
    """How far PCs are that go back from the patch; None: none does."""
    replaced: int = 0
    """Of those that installed it, so many have installed a newer version of the patch since."""
    fault: RolloutFault | None = None
    """What is broken, so that the server does not carry it on; None: nothing."""
    serving: bool = True
    """Whether the server runs: while it does not, no ring opens and nothing halts."""
    title: str = ""
    """What the patch is, as its publisher wrote it; may be empty."""
    harm: HarmShare | None = None
    """Of the active sites at which PCs have still to decide, where business suffers now; None: it is over or halted."""


@dataclass(frozen=True)
class CountedRings:
    """A rollout that goes on, and how its PCs stand."""

    kept: KeptRollout
    tallies: Sequence[RingTally]
    """Of each ring, the first one first."""


@dataclass(frozen=True)
class CountedPcs:
    """A rollout, each of whose PCs is in a ring and a class."""

    counted: CountedRollout
    pcs: KnownPcs
    manifest: Manifest | None
    """None: its publication is listed no more, or cannot be read."""
    replaced: int
    """As `RolloutView.replaced`."""


@dataclass(frozen=True)
class ListedRollout:
    """A rollout as it stands, without a look at its PCs."""

    kept: KeptRollout
    why: RolloutWhy
    """As `RolloutView.why`, as far as it can be said without counting PCs."""
    fault: RolloutFault | None = None


@dataclass(frozen=True)
class GivenTemplate:
    """A template, and how it is named."""

    name: str
    """As a command line names it: that of a shipped one, or a file."""
    template: RingTemplate
    by_score: bool = False
    """Whether the patch's CVSS score has chosen it."""


def read_rollouts(context: Context, *, live: bool = False) -> list[KeptRollout]:
    """Return all rollouts that can be read, or those that are not over, the newest first. Raises `UserError`."""
    context.settings()
    with context.database() as database:
        return kept_rollouts(database, live=live)[::-1]


def list_rollouts(context: Context, *, live: bool = False) -> tuple[list[ListedRollout], list[BrokenRollout]]:
    """Return all rollouts, or those that are not over, the newest first; and those that cannot be read.

    Raises `UserError`.
    """
    return _listed(context, lambda database: rollouts_in(database, live=live))


def rollouts_of(context: Context, ref: PatchRef) -> tuple[list[ListedRollout], list[BrokenRollout]]:
    """Return the rollouts of one patch, over or not; as `list_rollouts`."""
    found, broken = _listed(context, lambda database: rollouts_in(database, over=[ref]), of=ref)
    return found, [one for one in broken if one.row.ref == ref]


def _listed(
    context: Context,
    read: Callable[["Database"], tuple[list[KeptRollout], list[BrokenRollout]]],
    *,
    of: PatchRef | None = None,
) -> tuple[list[ListedRollout], list[BrokenRollout]]:
    repository, now = context.repository(), context.clock.now()
    approvers, manifests = repository.approvers(), {one.ref: one for one in repository.readable_manifests()[0]}
    with context.database() as database:
        kept, broken = read(database)
        faults = {one.rollout: one for one in database.rollout_faults()}
        in_force = approvers_in_force(database, approvers)
    found = []
    for one in reversed(kept):
        if of is not None and one.plan.ref != of:
            continue
        manifest = manifests.get(one.plan.ref)
        approved = one.approved(in_force, by_pcs=0 if manifest is None else wanted_by(approvers, manifest))
        why = waits_for(one.plan, one.progress, now, approved)
        found.append(ListedRollout(one, why, faults.get(one.row.number)))
    return found, broken[::-1]


def read_rollout(context: Context, number: int) -> RolloutView:
    """Return one rollout as it stands. Raises `UserError`; BAD_INPUT for one that is not known."""
    repository = context.repository()
    now = context.clock.now()
    with context.database() as database:
        found = count_rollout(context, database, number)
        kept, one, manifest = found.counted.kept, found.counted, found.manifest
        faults = {fault.rollout: fault for fault in database.rollout_faults()}
        in_force = approvers_in_force(database, repository.approvers())
        harm = harm_share(database.sites_at_work(now), one.sites_waiting(found.pcs)) if kept.live else None
    tallies = one.counts.tallies()
    by_pcs = 0 if manifest is None else approvals_wanted(repository, manifest)
    decision = decide(kept.plan, kept.progress, tallies, now, kept.approved(in_force, by_pcs=by_pcs))
    why = decision.why if decision.step is None else kept.progress.why  # the step is the engine's
    back = read_ways_back(context).get(kept.plan.ref)
    in_no_ring, not_known = one.counts.tally(NO_RING).size, one.counts.tally(RING_NOT_KNOWN).size
    fault = faults.get(number) or faults.get(NO_ROLLOUT)
    serving, title = is_serving(context.home), "" if manifest is None else manifest.title
    return RolloutView(
        kept, tallies, in_no_ring, not_known, why, back, found.replaced, fault, serving, title, harm
    )  # fmt: skip


def count_rollout(context: Context, database: "Database", number: int) -> CountedPcs:
    """Return how the PCs of a rollout stand. Raises `UserError`; BAD_INPUT for one that is not known."""
    now, kept = context.clock.now(), known_rollout(database, number)
    manifest = next((one for one in context.repository().readable_manifests()[0] if one.ref == kept.plan.ref), None)
    exceptions = [one for one in _holding(database.exceptions(), now) if hold_of(one) is not None]
    pcs = lately_known_pcs(context, database)
    one = counted(database, pcs, kept, exceptions, now, manifest)
    return CountedPcs(one, pcs, manifest, 0 if kept.live else _as_it_came(database, pcs, one, now))


def rollout_ref(context: Context, number: int) -> PatchRef:
    """Return which patch a rollout is of. Raises `UserError`; BAD_INPUT for one that is not known."""
    with context.database() as database:
        return known_rollout(database, number).plan.ref


def read_live_rings(context: Context, most: int) -> list[CountedRings]:
    """Return how the PCs of rollouts stand that are not over: of the newest ``most``. Raises `UserError`."""
    repository, now = context.repository(), context.clock.now()
    manifests = {one.ref: one for one in repository.readable_manifests()[0]}
    with context.database() as database:
        newest = kept_rollouts(database, live=True)[::-1][:most]
        if not newest:
            return []
        pcs, exceptions = lately_known_pcs(context, database), _holding(database.exceptions(), now)
        held = [one for one in exceptions if hold_of(one) is not None]
        return [
            CountedRings(one, counted(database, pcs, one, held, now, manifests.get(one.plan.ref)).counts.tallies())
            for one in newest
        ]


def _as_it_came(database: "Database", pcs: KnownPcs, one: CountedRollout, now: float) -> int:
    """Count who says that a patch is no more for them by what it came to there; return how many have a newer one."""
    replaced = 0
    for number, install, words in database.install_words(one.kept.row.patch):
        place = pcs.places.get(number)
        if place is None or install != "not_applicable":
            continue
        if words.startswith(SAYS_REPLACED):
            one.counts.observe(place, PcOutcome.INSTALLED)
            replaced += 1
        elif words.startswith(SAYS_WITHDRAWN):
            one.counts.observe(place, PcOutcome.WAITING)
    one.sweep(pcs, now)
    return replaced


def titles(context: Context) -> dict[PatchRef, str]:
    """Return the title of every patch, as its publisher wrote it; may be empty."""
    with context.database() as database:
        return database.titles()


def serves(context: Context) -> bool:
    """Whether the server runs: while it does not, no ring opens and nothing halts."""
    return is_serving(context.home)


def halted_refs(context: Context, named: PatchRef) -> tuple[PatchRef, ...]:
    """Return what ``named`` (no version: any) is of halted rollouts: PCs are not offered it, and yet it may go on."""
    halted = (one for one in read_rollouts(context, live=True) if one.progress.state is RolloutState.HALTED)
    refs = (one.plan.ref for one in halted)
    return tuple(ref for ref in refs if ref.is_named(named))


def read_exceptions(context: Context, *, holding: bool = False) -> list[ExceptionRow]:
    """Return all exceptions, or those that hold PCs back now, the newest first. Raises `UserError`."""
    context.settings()
    with context.database() as database:
        found = [one for one in database.exceptions() if not one.is_withdrawal]
    return (_holding(found, context.clock.now()) if holding else found)[::-1]


def ring_template(name: str) -> RingTemplate:
    """Return the shipped template of this name, or that in the file. Raises `UserError` (BAD_INPUT)."""
    if name in SHIPPED_RINGS:
        return parse_ring_template(shipped_rings(name), name)
    path = Path(name)
    if path.suffix != ".toml" and not path.exists():
        near = difflib.get_close_matches(name[:80], SHIPPED_RINGS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UserError(
            f"There is no template {name[:80]}.{hint} 'seed-server rollout templates' lists them; name another one by "
            "its file.",
            FaultKind.BAD_INPUT,
        )
    text = read_given_text("template", path, MAX_RING_TEMPLATE_BYTES, "a template has at most ten rings.")
    return parse_ring_template(text, path.stem, source=str(path))


def template_for(context: Context, named: str | None, cvss: float | None) -> GivenTemplate:
    """Return by which template a patch of this CVSS score is offered: the ``named`` one, else as ``server.toml`` says.

    Raises `UserError` (BAD_INPUT).
    """
    settings = context.settings()
    if named:
        return GivenTemplate(named, ring_template(named))
    if settings.emergency_template:
        emergency = ring_template(settings.emergency_template)
        if emergency.least_cvss is None:
            raise UserError(
                f"emergency_template in server.toml names {settings.emergency_template}, which does not say for which "
                "patches it is. Write least_cvss = 9.0 into it, or name another one.",
                FaultKind.BAD_INPUT,
            )
        if cvss is not None and cvss >= emergency.least_cvss:
            return GivenTemplate(settings.emergency_template, emergency, by_score=True)
    return GivenTemplate(settings.rollout_template, ring_template(settings.rollout_template))


def bundled_cvss(file: Path) -> float | None:
    """Return the CVSS score of the patch that the bundle in ``file`` publishes. Raises `UserError` (BAD_INPUT)."""
    return next((manifest.cvss for manifest in manifests_in(read_bundle(file))), None)


def _holding(rows: Sequence[ExceptionRow], now: float) -> list[ExceptionRow]:
    return [one for one in rows if one.holds(now)]

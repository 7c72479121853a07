"""The patches as a list to choose from: what each is, how far it is, what comes first. Blocking; nothing here writes.

A page of patches costs sums over tallies, by the rows of the page alone; who is asked for by priority costs more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Severity
from seed_server.fleet.context import Context
from seed_server.fleet.look_memory import RECENTLY_SECONDS
from seed_server.fleet.overview import PatchProgress, progress_of
from seed_server.fleet.paging import shown_no_more
from seed_server.fleet.rollout_queries import ListedRollout, list_rollouts
from seed_server.reporting.intelligence_queries import kev_dates
from seed_server.reporting.judged_patches import report_head
from seed_server.reporting.priority_queries import RankedPatch, priorities_of, read_priorities
from seed_server.reporting.service_level_queries import levels_of
from seed_server.reporting.service_levels import ServiceLevel, no_kev_dates
from seed_server.settings.priority_section import PriorityClass
from seed_server.settings.sections import SlaRule
from seed_server.signing.offers import Offer

OfferedState: TypeAlias = Literal["rollout", "waiting", "offered", "withdrawn", "superseded"]
"""By a rollout; to nobody yet; to every PC; to nobody any more; something newer is in its place."""
OFFERED_STATES: tuple[OfferedState, ...] = get_args(OfferedState)
PRIORITIES: tuple[PriorityClass, ...] = get_args(PriorityClass)


@dataclass(frozen=True)
class PatchesQuestion:
    """Which patches a page is about; what is empty tells none apart."""

    text: str = ""
    """Part of the id, the version, a title, or the number of a weakness, in whatever case."""
    state: OfferedState | Literal[""] = ""
    severity: Severity | Literal[""] = ""
    priority: PriorityClass | Literal[""] = ""
    by_priority: bool = False
    """Open patches alone, the most urgent one first; else the newest one first."""
    size: int = 50
    after: str = ""
    """The patch, as ID@VERSION, with which the page before has ended."""


@dataclass(frozen=True)
class ListedPatch:
    """One patch of the list."""

    offer: Offer
    state: OfferedState
    rollout: ListedRollout | None
    """The newest one that is not over."""
    progress: PatchProgress | None
    """None: the database does not know it."""
    priority: RankedPatch | None
    """None: it is not open."""
    levels: Sequence[ServiceLevel] = ()
    damage: str = ""
    """Why its files cannot be served; empty: they can."""

    @property
    def ref(self) -> PatchRef:
        """Which patch it is."""
        return self.offer.manifest.ref


@dataclass(frozen=True)
class PatchesPage:
    """A page of patches."""

    rows: Sequence[ListedPatch]
    total: int
    """How many rows all pages have."""
    after: str = ""
    """What the next page begins behind; empty: this is the last one."""
    counts: Mapping[OfferedState, int] = field(default_factory=dict)
    """How many patches there are of each state, whatever was asked for."""
    has_rules: bool = False
    """Whether server.toml has rules of service levels."""


def read_patches(context: Context, question: PatchesQuestion) -> PatchesPage:
    """Return a page of patches. Raises `UserError`; BAD_INPUT where the page before has ended with what is no more."""
    rules = context.settings().sla
    rollouts = {one.kept.plan.ref: one for one in reversed(list_rollouts(context, live=True)[0])}
    offers = {
        one.manifest.ref: (one, offered_state(one, by_rollout=one.manifest.ref in rollouts))
        for one in context.repository().offers()
    }
    counts = dict.fromkeys(OFFERED_STATES, 0)
    for _, state in offers.values():
        counts[state] += 1
    fitting = [ref for ref, (offer, state) in offers.items() if _fits(offer, state, question)]
    ranked: dict[PatchRef, RankedPatch] = {}
    if question.priority or question.by_priority:
        ranked = {one.decision.facts.ref: one for one in read_priorities(context, done=True, lately=True).patches}
        known = set(fitting)
        wanted = (one for one in ranked.values() if question.priority in ("", one.decision.leaf.priority))
        fitting = [ref for one in wanted if (ref := one.decision.facts.ref) in known]
    else:
        fitting.sort(key=lambda ref: (offers[ref][0].manifest.published_at, str(ref)), reverse=True)
    rest = _behind(fitting, question.after)
    page = rest[: question.size]
    ranked = ranked or priorities_of(context, page)
    with context.database() as database, database.one_state():
        head = report_head(context, database)
        heads = {one.ref: one for one in (*head.patches, *head.history) if one.ref in set(page)}
        progress = {one.patch.ref: one for one in progress_of(database, head, [*heads.values()], context.clock.now())}
    judged = [ref for ref in page if offers[ref][0].is_open]
    levels = context.lately(("levels", rules, *judged), lambda: _levels(context, rules, judged), RECENTLY_SECONDS)
    rows = [
        ListedPatch(
            *offers[ref],
            rollouts.get(ref),
            progress.get(ref),
            ranked.get(ref),
            [one for one in levels if one.patch.ref == ref],
            head.damages.get(heads[ref].number, "") if ref in heads else "",
        )
        for ref in page
    ]
    after = str(page[-1]) if len(rest) > len(page) else ""
    return PatchesPage(rows, len(fitting), after, counts, bool(rules))


def _levels(context: Context, rules: Sequence[SlaRule], refs: Collection[PatchRef]) -> list[ServiceLevel]:
    if not rules:
        return []
    kev = kev_dates(context) if any(one.clock == "kev" for one in rules) else no_kev_dates
    with context.database() as database, database.one_state():
        head = report_head(context, database)
        heads = [one for one in (*head.patches, *head.history) if one.ref in refs]
        return levels_of(context, database, head, heads, rules, kev=kev)


def offered_state(offer: Offer, *, by_rollout: bool) -> OfferedState:
    """Return how a patch is offered; ``by_rollout``: whether a rollout of it is not over."""
    if by_rollout:
        return "rollout"
    if offer.is_open:
        return "offered" if offer.state == "offered" else "waiting"
    return "superseded" if offer.state == "superseded" else "withdrawn"


def _fits(offer: Offer, state: OfferedState, question: PatchesQuestion) -> bool:
    manifest, words = offer.manifest, question.text.casefold().strip()
    said = (str(manifest.ref), manifest.title, *manifest.other_titles.values(), *manifest.mended_cves)
    return (
        question.state in ("", state)
        and question.severity in ("", manifest.severity)
        and (not words or any(words in one.casefold() for one in said))
    )


def _behind(refs: Sequence[PatchRef], after: str) -> Sequence[PatchRef]:
    if not after:
        return refs
    for place, ref in enumerate(refs, 1):
        if str(ref) == after:
            return refs[place:]
    raise shown_no_more()


def read_offer(context: Context, ref: PatchRef) -> Offer | None:
    """Return what PCs are told of one patch; None: it is listed no more. Raises `UserError`."""
    return next((one for one in context.repository().offers() if one.manifest.ref == ref), None)

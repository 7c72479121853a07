"""The parts of a patch's page: how PCs stand, what comes first and why, the plan, and what a rollout would do."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.state_words import state_word
from seed_server.answers.csv_text import csv_line
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Reached
from seed_server.fleet.rollout_announcing import approvals_wanted
from seed_server.fleet.rollout_queries import read_rollouts
from seed_server.fleet.standing import StatusQuestion, read_standing
from seed_server.reporting.patch_states import PatchStates
from seed_server.reporting.plan_answers import read_plan
from seed_server.reporting.plan_documents import PlanDocument, PlanSiteDocument
from seed_server.reporting.plan_picture import plan_picture
from seed_server.reporting.plan_sentences import PLAN_HEADINGS, plan_cells, plan_sentences
from seed_server.reporting.priority_queries import read_priorities
from seed_server.reporting.priority_words import NOTHING_SAYS, doubts_of, inputs_of, leaf_words
from seed_server.reporting.rollout_sentences import way_back_words
from seed_server.reporting.words import input_names, input_sources, priority_level
from seed_server.signing.offers import Offer
from seed_server.web.api.given import AtSite, MaybeName, NamedPatch
from seed_server.web.api.paging import After
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.routes_fleet import State
from seed_server.web.frame.page import LIST_ROWS, Asked, FileAnswer
from seed_server.web.pages.offer_words import PRIORITY_TONES, rows_path
from seed_server.web.pages.ring_choices import shipped_template, templates_of
from seed_server.web.pages.standing_lines import STANDING_TONES, standing_line
from seed_server.web.pages.view_pcs import ListRows, patch_state_choices

MOST_PLANNED_SITES = 15  # of a plan: those done last, below its picture; CSV, command line and API have all
MAX_LOOKED_FOR_CHARS = 300  # of a reason: what PCs say is 1,000 at most, and its beginning tells it
PatchPart: TypeAlias = Literal["", "pcs", "priority", "plan", "files", "start"]


class PatchAsked(NamedPatch, frozen=True):
    """Which patch, and what of it."""

    part: PatchPart = ""
    template: MaybeName = ""
    """Of a plan, or of the rollout that is to begin."""
    state: State = ""
    """Of PCs, as the next ones."""
    reason: Annotated[str, Meta(max_length=MAX_LOOKED_FOR_CHARS)] = ""
    site: AtSite = ""
    limit: ListRows = LIST_ROWS
    after: After = ""


@dataclass(frozen=True)
class CountLine:
    """So many PCs, and where they are listed."""

    name: str
    tone: str
    pcs: int
    path: str


@dataclass(frozen=True)
class StateLine:
    """The PCs that say the same."""

    name: str
    tone: str
    pcs: int
    path: str
    first_at: float
    last_at: float


@dataclass(frozen=True)
class ReasonLine:
    """The PCs that give the same reason."""

    state: str
    tone: str
    words: str
    pcs: int
    path: str
    examples: Sequence[tuple[str, str]]
    """Id and host name."""
    output: str


def _now(
    context: Context, now: float, given: PatchAsked, states: PatchStates, offer: Offer | None
) -> Mapping[str, Any]:
    del context, now, given, offer
    progress, ref = states.progress, states.patch.ref
    names = {
        Reached.INSTALLED: (state_word("installed"), "good"),
        Reached.DELIVERED: (state_word("delivered"), "good"),
        Reached.UNDER_WAY: (tr("under way"), "open"),
        Reached.FAILED: (state_word("failed"), "bad"),
        Reached.AWAY: (tr("off, and not done"), "open"),
        Reached.SILENT: (tr("without a word yet"), "open"),
        Reached.NOT_APPLICABLE: (state_word("not_applicable"), "quiet"),
    }
    done = progress.counts[Reached.INSTALLED] + progress.counts[Reached.DELIVERED]
    return {
        "done": done,
        "applicable": progress.total - progress.counts[Reached.NOT_APPLICABLE],
        "fleet": progress.total,
        "rest_seconds": progress.rest.seconds,
        "rest_why": "" if progress.rest.why_not is None else in_words(progress.rest.why_not.value),
        "counts": [
            CountLine(*names[one], progress.counts[one], rows_path(ref, state=one.name.lower())) for one in Reached
        ],
        "states": [
            StateLine(
                state_word(one.state), one.tone or "quiet", one.pcs, rows_path(ref, state=one.state), one.first_at,
                one.last_at,
            )
            for one in states.states
        ],
        "reasons": [
            ReasonLine(
                state=state_word(one.state),
                tone="bad" if one.state in ("failed", "rolled_back") else "open",
                words=in_words(printable(one.reason)),
                pcs=one.endpoints,
                path=rows_path(ref, state=one.state, reason=one.reason[:MAX_LOOKED_FOR_CHARS]),
                examples=one.examples,
                output=one.output,
            )
            for one in states.reasons
        ],
        "more_reasons": states.more_reasons,
        "back": way_back_words(states.back),
    }  # fmt: skip


def _pcs(
    context: Context, now: float, given: PatchAsked, states: PatchStates, offer: Offer | None
) -> Mapping[str, Any]:
    del now, offer
    wrong, page, serving = "", None, True
    question = StatusQuestion(
        patch=str(states.patch.ref), site=given.site, reason=given.reason.strip(), state=given.state, size=given.limit,
        after=given.after,
    )  # fmt: skip
    try:
        head, page = read_standing(context, question)
        serving = head.serving
    except UserError as error:
        if error.kind is not FaultKind.BAD_INPUT:
            raise
        wrong = in_words(error.message)
    rows = [] if page is None else page.rows
    return {
        "wrong": wrong,
        "serving": serving,
        "rows": [standing_line(one.pc, STANDING_TONES.get(one.reached, "open")) for one in rows],
        "total": None if page is None else page.total,
        "next": None if page is None else page.after,
        "pc_states": patch_state_choices(),
    }


def _priority(
    context: Context, now: float, given: PatchAsked, states: PatchStates, offer: Offer | None
) -> Mapping[str, Any]:
    del given
    if offer is None or not offer.is_open:
        return {"ranked": None, "doubts": ()}
    answer = read_priorities(context, str(states.patch.ref), done=True)
    one = answer.patches[0]
    decision, names, sources = one.decision, input_names(), input_sources()
    inputs = [
        (
            names[found.name],
            tr("not known") if found.value == NOTHING_SAYS else found.value,
            in_words(printable(found.words)),
            sources[found.source],
            found.dated_at,
        )
        for found in inputs_of(decision, answer.world)
    ]
    return {
        "ranked": one,
        "level": priority_level(decision.leaf.priority),
        "tone": PRIORITY_TONES[decision.leaf.priority],
        "leaf": leaf_words(decision),
        "inputs": inputs,
        "step": in_words(printable(one.step.words)),
        "command": one.step.command,
        "template": decision.rule.template,
        "due_at": decision.due_at,
        "doubts": [in_words(doubt) for doubt in doubts_of(answer.world, now)],
    }


def _plan(
    context: Context, now: float, given: PatchAsked, states: PatchStates, offer: Offer | None
) -> Mapping[str, Any]:
    del now, offer
    plan = _planned(context, str(states.patch.ref), given.template)
    return {
        "plan": plan,
        "sentences": list(plan_sentences(plan)),
        "assumptions": [in_words(one) for one in plan.assumptions],
        "site_rows": _last_sites(plan),
        "picture_svg": plan_picture(plan) if plan.sites else "",
        "templates": templates_of(context),
    }


def _planned(context: Context, patch: str, template: str) -> PlanDocument:
    try:
        rings = shipped_template(context, template) if template else None
    except UserError as error:
        raise ApiProblemError("not-acceptable", error.message) from error
    begun = tuple(
        one.row.number for one in read_rollouts(context, live=True)
    )  # its plan is kept, and shown from then on
    return context.lately(("plan", patch, template, begun), lambda: read_plan(context, patch, template=rings))


class PlanFileAsked(NamedPatch, frozen=True):
    """Which plan."""

    template: MaybeName = ""


def plan_file(asked: Asked[PlanFileAsked]) -> FileAnswer:
    """Return all sites of a plan as CSV, as `seed-server plan --csv` prints them."""
    plan = _planned(asked.context, asked.given.patch, asked.given.template)
    lines = [csv_line(PLAN_HEADINGS), *(csv_line(plan_cells(site)) for site in plan.sites)]
    return FileAnswer("plan.csv", "text/csv; charset=utf-8", "".join(f"{line}\r\n" for line in lines).encode())


def _last_sites(plan: PlanDocument) -> list[PlanSiteDocument]:
    """Return the sites that are done last, or never: those somebody has to look at."""

    def late(site: PlanSiteDocument) -> float:
        at = site.finish_p50 if site.actual_finish is None else site.actual_finish
        return math.inf if at is None and site.pcs else at or 0.0

    return sorted(plan.sites, key=lambda site: (-late(site), site.site))[:MOST_PLANNED_SITES]


def _files(
    context: Context, now: float, given: PatchAsked, states: PatchStates, offer: Offer | None
) -> Mapping[str, Any]:
    del context, now, given, states
    manifest = None if offer is None else offer.manifest
    install = None if manifest is None or manifest.install is None else manifest.install
    return {"manifest": manifest, "install_kind": "" if install is None else str(install.__struct_config__.tag)}


def _start(
    context: Context, now: float, given: PatchAsked, states: PatchStates, offer: Offer | None
) -> Mapping[str, Any]:
    del now, states
    templates = templates_of(context)
    name = given.template or context.settings().rollout_template
    name = name if any(name == one for one, _ in templates) else "rings"
    chosen = shipped_template(context, name)
    manifest = None if offer is None else offer.manifest
    by_pcs = 0 if manifest is None else approvals_wanted(context.repository(), manifest)
    least, cvss = chosen.least_cvss, None if manifest is None else manifest.cvss
    return {
        "templates": templates,
        "chosen": chosen,
        "chosen_name": name,
        "approvals": chosen.required_approvals(by_pcs),
        "needs_reason": least is not None and (cvss is None or cvss < least),
    }


PATCH_PARTS: Mapping[
    PatchPart, Callable[[Context, float, PatchAsked, PatchStates, Offer | None], Mapping[str, Any]]
] = {"": _now, "pcs": _pcs, "priority": _priority, "plan": _plan, "files": _files, "start": _start}  # fmt: skip
"""What each part of the page is given."""

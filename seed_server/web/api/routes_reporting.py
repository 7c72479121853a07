"""Routes over reports, priorities and plans: what managers and auditors ask."""

from typing import Annotated

from msgspec import Meta

from seed_server.fleet import rollout_queries
from seed_server.fleet.shipped_rings import SHIPPED_RINGS
from seed_server.reporting.answering import levels_document, missing_page_document, patch_document
from seed_server.reporting.compliance import COMPLIANCE_DAYS, MOST_COMPLIANCE_DAYS, read_compliance
from seed_server.reporting.compliance_documents import ComplianceDocument, compliance_document
from seed_server.reporting.documents import (
    FollowUpDocument,
    MissingPageDocument,
    PatchReportDocument,
    ServiceLevelsDocument,
)
from seed_server.reporting.follow_up_operations import MAX_NOTE_CHARS, follow_up
from seed_server.reporting.intelligence_queries import kev_dates, read_cve, read_intelligence_state
from seed_server.reporting.judged_patches import PatchesAsked
from seed_server.reporting.line_documents import SiteHistoryDocument, history_document
from seed_server.reporting.line_history import DAY_HOURS, MOST_HOURS, read_line_history
from seed_server.reporting.missing_pcs import SILENT_DAYS, FollowUp
from seed_server.reporting.missing_queries import MissingQuestion, read_missing
from seed_server.reporting.patch_report import read_patch_report
from seed_server.reporting.plan_answers import read_plan
from seed_server.reporting.plan_documents import PlanDocument
from seed_server.reporting.priority_documents import (
    CveDocument,
    IntelligenceDocument,
    PriorityDocument,
    cve_document,
    source_documents,
)
from seed_server.reporting.priority_queries import priority_document, read_priorities
from seed_server.reporting.priority_words import doubts_of
from seed_server.reporting.service_level_queries import read_service_levels
from seed_server.web.api.given import (
    MAX_DAYS,
    AtSite,
    Body,
    Given,
    MaybeName,
    NamedPatch,
    NamedSite,
    OfEndpoint,
    OfPatch,
    UnixMoment,
)
from seed_server.web.api.paging import Paged
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.route import API, ApiCall, Nothing, Route

_REPORTS, _PRIORITY = "Reports", "Priority"
SilentDays = Annotated[int, Meta(ge=1, le=365, description="Who was not seen for so many days is silent.")]


class Levels(Given, frozen=True):
    """Which rules and patches."""

    patch: OfPatch = ""
    rule: Annotated[MaybeName, Meta(description="Only this rule of server.toml.")] = ""
    days: Annotated[int, Meta(ge=0, le=MAX_DAYS, description="Published in the last days; 0: all.")] = 90
    replaced: Annotated[bool, Meta(description="Also patches in whose place something newer is.")] = False
    silent_days: SilentDays = SILENT_DAYS


def _levels(call: ApiCall[Levels, None]) -> ServiceLevelsDocument:
    given = call.given
    asked = PatchesAsked(given.patch, given.days, given.replaced)
    report = read_service_levels(
        call.context, asked, rule=given.rule, silent_days=given.silent_days, kev=kev_dates(call.context)
    )
    return levels_document(report)


class LastDays(Given, frozen=True):
    """How many days."""

    days: Annotated[int, Meta(ge=1, le=MOST_COMPLIANCE_DAYS, description="The last days.")] = COMPLIANCE_DAYS


def _compliance(call: ApiCall[LastDays, None]) -> ComplianceDocument:
    return compliance_document(read_compliance(call.context, call.given.days, kev=kev_dates(call.context)))


class LineAsked(NamedSite, frozen=True):
    """A site, and how far back."""

    hours: Annotated[int, Meta(ge=1, le=MOST_HOURS, description="The last hours.")] = DAY_HOURS


def _line(call: ApiCall[LineAsked, None]) -> SiteHistoryDocument:
    return history_document(read_line_history(call.context, call.given.site, call.given.hours))


class Missing(Paged, frozen=True):
    """Which patches and PCs."""

    patch: OfPatch = ""
    site: AtSite = ""
    reason: Annotated[MaybeName, Meta(description="Only for this reason, as `reason` of a row has it.")] = ""
    owner: Annotated[MaybeName, Meta(description="Only PCs about which this one is to be asked.")] = ""
    silent_days: SilentDays = SILENT_DAYS


def _missing(call: ApiCall[Missing, None]) -> MissingPageDocument:
    given = call.given
    question = MissingQuestion(
        given.patch, given.site, given.reason, given.silent_days, given.limit, given.after, given.owner
    )
    return missing_page_document(read_missing(call.context, question))


class OnePatch(NamedPatch, frozen=True):
    """A patch, and from when on a PC is silent."""

    silent_days: SilentDays = SILENT_DAYS


def _patch(call: ApiCall[OnePatch, None]) -> PatchReportDocument:
    given = call.given
    report = read_patch_report(call.context, given.patch, silent_days=given.silent_days, kev=kev_dates(call.context))
    return patch_document(report)


class NewFollowUp(Body, frozen=True):
    """What is done about a PC that lacks patches."""

    state: Annotated[FollowUp | None, Meta(description="null: nothing any more.")]
    patch: OfPatch = ""
    note: Annotated[str, Meta(max_length=MAX_NOTE_CHARS, description="A ticket's number, or a sentence.")] = ""


def _follow_up(call: ApiCall[OfEndpoint, NewFollowUp]) -> FollowUpDocument:
    body = call.body
    row, patches = follow_up(
        call.context, call.actor, call.given.endpoint, body.state, patch=body.patch, note=body.note
    )
    return FollowUpDocument(
        endpoint_id=row.endpoint_id,
        hostname=row.hostname,
        follow_up=None if body.state is None else body.state.value,
        patches=tuple(patches),
    )


def _intelligence(call: ApiCall[Nothing, None]) -> IntelligenceDocument:
    world, now = read_intelligence_state(call.context), call.context.clock.now()
    return IntelligenceDocument(source_documents(world, now), tuple(doubts_of(world, now)))


class NamedCve(Given, frozen=True):
    """A weakness."""

    cve: Annotated[str, Meta(min_length=1, max_length=40, description="Such as CVE-2026-1234.")]


def _cve(call: ApiCall[NamedCve, None]) -> CveDocument:
    one = read_cve(call.context, call.given.cve)
    return cve_document(one.known, tuple(map(str, one.patches)), one.world, call.context.clock.now())


class Ranked(Given, frozen=True):
    """Which patches."""

    patch: OfPatch = ""
    done: Annotated[bool, Meta(description="Also patches that every PC has.")] = False


def _priorities(call: ApiCall[Ranked, None]) -> PriorityDocument:
    answer = read_priorities(call.context, call.given.patch, done=call.given.done)
    return priority_document(answer, call.context.clock.now())


class PlanAsked(NamedPatch, frozen=True):
    """A patch, and how it is to be rolled out."""

    template: Annotated[MaybeName, Meta(description="By these shipped rings; all-at-once: every PC at once.")] = ""
    start: Annotated[UnixMoment | None, Meta(description="From then on, seconds since 1970.")] = None


def _plan(call: ApiCall[PlanAsked, None]) -> PlanDocument:
    given = call.given
    if given.template and given.template not in SHIPPED_RINGS:  # it might be a file of this machine
        raise ApiProblemError(
            "not-acceptable",
            f"There is no template {given.template[:80]!r} for programs. There are those of GET {API}/ring-templates.",
        )
    rings = rollout_queries.ring_template(given.template) if given.template else None
    return read_plan(call.context, given.patch, template=rings, start=given.start)


REPORT_ROUTES = (
    Route("GET", f"{API}/reports/service-levels", "reportServiceLevels", "Whether patches came to enough PCs in time",
          _levels, ServiceLevelsDocument, _REPORTS, Levels, commands=("report sla", "report sla LINES")),
    Route("GET", f"{API}/reports/compliance", "reportCompliance", "How large a part of PCs and patches is done, by day",
          _compliance, ComplianceDocument, _REPORTS, LastDays, commands=("report compliance",)),
    Route("GET", f"{API}/sites/{{site}}/history", "getSiteHistory", "What a site's line did, and what limited it",
          _line, SiteHistoryDocument, _REPORTS, LineAsked, commands=("site history",)),
    Route("GET", f"{API}/reports/missing", "reportMissing", "Which PCs lack a patch, why, and what could be done",
          _missing, MissingPageDocument, _REPORTS, Missing, commands=("report missing", "report missing LINES")),
    Route("GET", f"{API}/reports/patches/{{patch}}", "reportPatch", "What a patch is, who needs it, what it did",
          _patch, PatchReportDocument, _REPORTS, OnePatch, commands=("report patch",)),
    Route("PUT", f"{API}/endpoints/{{endpoint}}/follow-up", "followUp", "Say what is done about a PC that lacks some",
          _follow_up, FollowUpDocument, _REPORTS, OfEndpoint, NewFollowUp,
          operation="seed_server.reporting.follow_up_operations.follow_up", commands=("report follow-up",),
          example={"state": "ticket", "note": "IT-4711"}),
    Route("GET", f"{API}/intelligence", "getIntelligence", "By which files weaknesses are known", _intelligence,
          IntelligenceDocument, _PRIORITY, Nothing, commands=("intelligence show",)),
    Route("GET", f"{API}/intelligence/{{cve}}", "getCve", "All that is known of one CVE", _cve, CveDocument, _PRIORITY,
          NamedCve, commands=("intelligence show CVE",)),
    Route("GET", f"{API}/priorities", "listPriorities", "Which open patch comes first, and why", _priorities,
          PriorityDocument, _PRIORITY, Ranked, commands=("priority",)),
    Route("GET", f"{API}/plans/{{patch}}", "getPlan", "When a patch will be where, beside what became of it", _plan,
          PlanDocument, _REPORTS, PlanAsked, commands=("plan",)),
)  # fmt: skip
"""The rows of the table that are about reports, priorities and plans."""

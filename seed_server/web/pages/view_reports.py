"""The pages of reports: the same parts as `seed-server report` writes into a file, in the frame of the pages."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from msgspec import Meta

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.language import tr
from seed_server.answers.csv_text import csv_line, csv_of
from seed_server.reporting.answering import level_document
from seed_server.reporting.documents import ServiceLevelDocument
from seed_server.reporting.intelligence_queries import kev_dates
from seed_server.reporting.judged_patches import PatchesAsked
from seed_server.reporting.missing_pcs import SILENT_DAYS
from seed_server.reporting.page_making import levels_page, patch_page
from seed_server.reporting.pages import BehindNumber, ReportPage, page_text
from seed_server.reporting.patch_report import ExplainedPatch, read_patch_report
from seed_server.reporting.service_level_queries import ServiceLevelReport, read_service_levels
from seed_server.web.api.given import MAX_DAYS, MAX_GIVEN_NUMBER, Given, MaybeName, NamedPatch, OfPatch
from seed_server.web.api.route import Nothing
from seed_server.web.frame.page import Asked, Done, FileAnswer, Shown
from seed_server.web.pages.offer_words import missing_path, patch_path, rows_path
from seed_server.web.pages.patch_parts import MAX_LOOKED_FOR_CHARS
from seed_server.web.pages.view_patch import from_path

LEVELS_OF_A_PAGE = 20  # of each rule: a page with its picture stays light; the files have all
SAMPLE_RULE = '[[sla]]\nname = "critical"\nleast_cvss = 9.0\nshare_percent = 95\ndays = 7'
CSV_MEDIA = "text/csv; charset=utf-8"
HTML_FILE_MEDIA = "text/html; charset=utf-8"


class LevelFilters(Given, frozen=True):
    """Which rules and patches."""

    patch: OfPatch = ""
    rule: MaybeName = ""
    days: Annotated[int, Meta(ge=0, le=MAX_DAYS)] = 90
    replaced: bool = False
    after: Annotated[int, Meta(ge=0, le=MAX_GIVEN_NUMBER)] = 0
    """How many patches of each rule come before."""


def view_reports(asked: Asked[Nothing]) -> Shown:
    """Return what reports there are."""
    rules = [rule.name for rule in asked.context.settings().sla]
    return Shown(tr("Reports"), {"rules": rules})


def view_levels(asked: Asked[LevelFilters]) -> Shown:
    """Return whether patches came to enough PCs in time."""
    given, rules = asked.given, [rule.name for rule in asked.context.settings().sla]
    if not rules:
        return Shown(tr("Service levels"), {"sample": SAMPLE_RULE}, "no_rules")
    query = _query(given)
    fields: list[dict[str, Any]] = [
        {"name": "patch", "label": tr("Patch"), "value": given.patch, "kind": "search", "most": 200},
        {"name": "rule", "label": tr("Rule"), "value": given.rule, "kind": "select",
         "options": [("", tr("any")), *((one, one) for one in rules)]},
        {"name": "days", "label": tr("Published in the last days (0: all)"), "value": given.days, "kind": "number",
         "least": 0},
        {"name": "replaced", "label": tr("Also what something newer replaces"), "value": given.replaced,
         "kind": "checkbox"},
    ]  # fmt: skip
    report = _levels(asked)
    page = levels_page(report, start=given.after, most=LEVELS_OF_A_PAGE)
    longest = max(Counter(level.rule.name for level in report.levels).values(), default=0)
    following = given.after + LEVELS_OF_A_PAGE
    links = [(tr("As CSV"), f"/reports/sla.csv{query}"), (tr("As one file"), f"/reports/sla.html{query}")]
    return _shown(page, "/reports/sla", links, fields, str(following) if following < longest else "")


def levels_file(asked: Asked[LevelFilters]) -> FileAnswer | Done:
    """Return the same as CSV; without rules, go to where that is said."""
    if not asked.context.settings().sla:
        return Done("/reports/sla")
    lines = [csv_line(ServiceLevelDocument.__struct_fields__)]
    lines += [csv_of(level_document(level)) for level in _levels(asked).levels]
    return FileAnswer("service-levels.csv", CSV_MEDIA, "".join(f"{line}\r\n" for line in lines).encode())


def levels_page_file(asked: Asked[LevelFilters]) -> FileAnswer | Done:
    """Return the same as one HTML file, as `seed-server report sla --page` writes it; without rules as before."""
    if not asked.context.settings().sla:
        return Done("/reports/sla")
    return _as_file("service-levels.html", levels_page(_levels(asked)))


def _levels(asked: Asked[LevelFilters]) -> ServiceLevelReport:
    given, context = asked.given, asked.context
    which = PatchesAsked(given.patch, given.days, given.replaced)
    return context.lately(
        ("levels", which, given.rule, context.settings().sla),
        lambda: read_service_levels(context, which, rule=given.rule, kev=kev_dates(context)),
    )


def _query(given: LevelFilters) -> str:
    asked = {
        "patch": given.patch,
        "rule": given.rule,
        "days": str(given.days),
        "replaced": "true" if given.replaced else "",
    }
    return f"?{urlencode({name: value for name, value in asked.items() if value})}"


class PatchReportAsked(NamedPatch, frozen=True):
    """Which patch, and from when on a PC is silent."""

    silent_days: Annotated[int, Meta(ge=1, le=365)] = SILENT_DAYS


def view_patch_report(asked: Asked[PatchReportAsked]) -> Shown:
    """Return the report that explains a patch."""
    report = _explained(asked)
    path = patch_path(report.patch.ref)
    links = [(tr("The page of the patch"), path), (tr("As one file"), f"{_report_path(report.patch.ref)}/file")]
    return _shown(patch_page(report), "", links, [])


def patch_report_file(asked: Asked[PatchReportAsked]) -> FileAnswer:
    """Return the same as one HTML file, as `seed-server report patch --page` writes it."""
    return _as_file("patch.html", patch_page(_explained(asked)))


def _explained(asked: Asked[PatchReportAsked]) -> ExplainedPatch:
    given, context = asked.given, asked.context
    return from_path(
        lambda: read_patch_report(context, given.patch, silent_days=given.silent_days, kev=kev_dates(context))
    )


def _report_path(ref: PatchRef) -> str:
    return f"/reports{patch_path(ref).replace('/patches/', '/patch/', 1)}"


def _as_file(name: str, page: ReportPage) -> FileAnswer:
    return FileAnswer(name, HTML_FILE_MEDIA, page_text(page).encode())


def behind_path(behind: BehindNumber) -> str:
    """Return the address of the rows that a number of a report stands for."""
    if behind.kind == "pcs":
        return rows_path(behind.name, state=behind.state, reason=behind.words[:MAX_LOOKED_FOR_CHARS])
    if behind.kind == "missing":
        return missing_path(behind.name, reason=behind.state)
    if behind.kind == "exceptions":
        return f"/exceptions?{urlencode({'patch': behind.name})}"
    return f"/rollouts/{behind.name}" if behind.kind == "rollout" else patch_path(behind.name)


def _shown(
    page: ReportPage, address: str, links: Sequence[tuple[str, str]], fields: Sequence[dict[str, Any]],
    following: str = "",
) -> Shown:  # fmt: skip
    values = {"report": page, "address": address, "links": links, "fields": fields, "behind_path": behind_path}
    values |= {"next": following}
    return Shown(page.title, values, template="report")

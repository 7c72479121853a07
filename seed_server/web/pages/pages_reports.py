"""Rows of the table of pages that are reports."""

from typing import Any

from seed_server.web.api.route import Nothing
from seed_server.web.frame.page import Page
from seed_server.web.pages.view_reports import (
    LevelFilters,
    PatchReportAsked,
    levels_file,
    levels_page_file,
    patch_report_file,
    view_levels,
    view_patch_report,
    view_reports,
)

REPORT_PAGES: tuple[Page[Any], ...] = (
    Page("/reports", "reports", view_reports, Nothing),
    Page("/reports/sla", "levels", view_levels, LevelFilters),
    Page("/reports/sla.csv", "levels_file", levels_file, LevelFilters),
    Page("/reports/sla.html", "levels_page_file", levels_page_file, LevelFilters),
    Page("/reports/patch/{patch}", "patch_report", view_patch_report, PatchReportAsked),
    Page("/reports/patch/{patch}/file", "patch_report_file", patch_report_file, PatchReportAsked),
)

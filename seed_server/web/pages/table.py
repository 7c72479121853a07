"""The table of pages: every address that people open, and every form that they send."""

from typing import Any

from seed_server.web.pages.page import Form, Page
from seed_server.web.pages.pages_help import HELP_FORMS, HELP_PAGES
from seed_server.web.pages.pages_patches import PATCH_FORMS, PATCH_PAGES
from seed_server.web.pages.pages_reports import REPORT_PAGES
from seed_server.web.pages.pages_rollouts import ROLLOUT_FORMS, ROLLOUT_PAGES

PAGES: tuple[Page[Any], ...] = (
    *HELP_PAGES,
    *PATCH_PAGES,
    *REPORT_PAGES,
    *ROLLOUT_PAGES,
)  # fmt: skip
FORMS: tuple[Form[Any, Any], ...] = (
    *HELP_FORMS,
    *PATCH_FORMS,
    *ROLLOUT_FORMS,
)  # fmt: skip

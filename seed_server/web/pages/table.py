"""The table of pages: every address that people open, and every form that they send."""

from typing import Any

from seed_server.web.pages.page import Form, Page
from seed_server.web.pages.pages_help import HELP_FORMS, HELP_PAGES

PAGES: tuple[Page[Any], ...] = (
    *HELP_PAGES,
)  # fmt: skip
FORMS: tuple[Form[Any, Any], ...] = (
    *HELP_FORMS,
)  # fmt: skip

"""The table of pages: every address that people open, and every form that they send."""

from typing import Any

from seed_server.web.pages.page import Form, Page
from seed_server.web.pages.pages_audit import AUDIT_FORMS, AUDIT_PAGES
from seed_server.web.pages.pages_diagnosis import DIAGNOSIS_FORMS, DIAGNOSIS_PAGES
from seed_server.web.pages.pages_help import HELP_FORMS, HELP_PAGES
from seed_server.web.pages.pages_people import PEOPLE_FORMS, PEOPLE_PAGES
from seed_server.web.pages.pages_server import SERVER_PAGES
from seed_server.web.pages.pages_templates import TEMPLATE_FORMS, TEMPLATE_PAGES
from seed_server.web.pages.pages_webhooks import WEBHOOK_FORMS, WEBHOOK_PAGES

PAGES: tuple[Page[Any], ...] = (
    *HELP_PAGES,
    *PEOPLE_PAGES,
    *AUDIT_PAGES,
    *TEMPLATE_PAGES,
    *DIAGNOSIS_PAGES,
    *WEBHOOK_PAGES,
    *SERVER_PAGES,
)  # fmt: skip
FORMS: tuple[Form[Any, Any], ...] = (
    *HELP_FORMS,
    *PEOPLE_FORMS,
    *AUDIT_FORMS,
    *TEMPLATE_FORMS,
    *DIAGNOSIS_FORMS,
    *WEBHOOK_FORMS,
)  # fmt: skip

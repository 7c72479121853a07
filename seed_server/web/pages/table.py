"""The table of pages: every address that people open, and every form that they send."""

from typing import Any

from seed_server.web.frame.page import Form, Page
from seed_server.web.pages.forms_people import PEOPLE_FORMS
from seed_server.web.pages.forms_webhooks import WEBHOOK_FORMS
from seed_server.web.pages.pages_account import ACCOUNT_FORMS, ACCOUNT_PAGES
from seed_server.web.pages.pages_audit import AUDIT_FORMS, AUDIT_PAGES
from seed_server.web.pages.pages_diagnosis import DIAGNOSIS_FORMS, DIAGNOSIS_PAGES
from seed_server.web.pages.pages_help import HELP_FORMS, HELP_PAGES
from seed_server.web.pages.pages_login import LOGIN_FORMS, LOGIN_PAGES, LOGOUT_FORMS
from seed_server.web.pages.pages_patches import PATCH_FORMS, PATCH_PAGES
from seed_server.web.pages.pages_pcs import PCS_FORMS, PCS_PAGES
from seed_server.web.pages.pages_people import PEOPLE_PAGES
from seed_server.web.pages.pages_profiles import PROFILES_FORMS, PROFILES_PAGES
from seed_server.web.pages.pages_provider import PROVIDER_FORMS, PROVIDER_PAGES
from seed_server.web.pages.pages_reports import REPORT_PAGES
from seed_server.web.pages.pages_rollouts import ROLLOUT_FORMS, ROLLOUT_PAGES
from seed_server.web.pages.pages_server import SERVER_PAGES
from seed_server.web.pages.pages_settings import SETTINGS_FORMS, SETTINGS_PAGES
from seed_server.web.pages.pages_sites import SITES_FORMS, SITES_PAGES
from seed_server.web.pages.pages_templates import TEMPLATE_FORMS, TEMPLATE_PAGES
from seed_server.web.pages.pages_today import TODAY_FORMS, TODAY_PAGES
from seed_server.web.pages.pages_webhooks import WEBHOOK_PAGES

PAGES: tuple[Page[Any], ...] = (
    *ACCOUNT_PAGES,
    *AUDIT_PAGES,
    *DIAGNOSIS_PAGES,
    *HELP_PAGES,
    *LOGIN_PAGES,
    *PATCH_PAGES,
    *PCS_PAGES,
    *PEOPLE_PAGES,
    *PROFILES_PAGES,
    *PROVIDER_PAGES,
    *REPORT_PAGES,
    *ROLLOUT_PAGES,
    *SERVER_PAGES,
    *SETTINGS_PAGES,
    *SITES_PAGES,
    *TEMPLATE_PAGES,
    *TODAY_PAGES,
    *WEBHOOK_PAGES,
)  # fmt: skip
FORMS: tuple[Form[Any, Any], ...] = (
    *PEOPLE_FORMS,
    *WEBHOOK_FORMS,
    *ACCOUNT_FORMS,
    *AUDIT_FORMS,
    *DIAGNOSIS_FORMS,
    *HELP_FORMS,
    *LOGIN_FORMS,
    *LOGOUT_FORMS,
    *PATCH_FORMS,
    *PCS_FORMS,
    *PROFILES_FORMS,
    *PROVIDER_FORMS,
    *ROLLOUT_FORMS,
    *SETTINGS_FORMS,
    *SITES_FORMS,
    *TEMPLATE_FORMS,
    *TODAY_FORMS,
)  # fmt: skip

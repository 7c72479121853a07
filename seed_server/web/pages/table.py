"""The table of pages: every address that people open, and every form that they send."""

from typing import Any

from seed_server.web.pages import pages_account, pages_login, pages_provider
from seed_server.web.pages.page import Form, Page
from seed_server.web.pages.pages_help import HELP_FORMS, HELP_PAGES

PAGES: tuple[Page[Any], ...] = (
    *HELP_PAGES,
    *pages_login.LOGIN_PAGES,
    *pages_provider.PROVIDER_PAGES,
    *pages_account.ACCOUNT_PAGES,
)  # fmt: skip
FORMS: tuple[Form[Any, Any], ...] = (
    *HELP_FORMS,
    *pages_login.LOGIN_FORMS,
    *pages_login.LOGOUT_FORMS,
    *pages_provider.PROVIDER_FORMS,
    *pages_account.ACCOUNT_FORMS,
)  # fmt: skip

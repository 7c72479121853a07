"""Rows of the table of pages that are about patches."""

from typing import Any

from seed_server.web.api.given import FromSite, NamedPatch, OnlyReason
from seed_server.web.frame.live import PROGRESS_TOLD
from seed_server.web.frame.page import Form, Page
from seed_server.web.pages import forms_patches as forms
from seed_server.web.pages.patch_parts import PatchAsked, PlanFileAsked, plan_file
from seed_server.web.pages.view_patch import view_patch
from seed_server.web.pages.view_patches import PatchFilters, view_patches

_FLEET = "seed_server.fleet."
_LIVE = ("patch", "rollout", "approval", PROGRESS_TOLD)

PATCH_PAGES: tuple[Page[Any], ...] = (
    Page("/patches", "patches", view_patches, PatchFilters, live=_LIVE),
    Page("/patches/{patch}", "patch", view_patch, PatchAsked, live=_LIVE),
    Page("/patches/{patch}/plan.csv", "plan_file", plan_file, PlanFileAsked),
)
PATCH_FORMS: tuple[Form[Any, Any], ...] = (
    Form("/patches/{patch}/start", "start-rollout", forms.start, NamedPatch, forms.StartingForm,
         f"{_FLEET}rollout_operations.start_rollout", "patch"),
    Form("/patches/{patch}/withdraw", "withdraw", forms.withdraw, NamedPatch, OnlyReason,
         f"{_FLEET}operations.withdraw", "patch", step_up=True),
    Form("/patches/{patch}/withdraw-at-site", "withdraw-at-site", forms.withdraw_at_site, NamedPatch, FromSite,
         f"{_FLEET}taking_back.withdraw_from_site", "patch", step_up=True),
    Form("/patches/{patch}/offer", "offer", forms.offer, NamedPatch, forms.NothingSent,
         f"{_FLEET}operations.offer", "patch"),
    Form("/patches/{patch}/offer-at-site", "offer-at-site", forms.offer_at_site, NamedPatch, forms.AtSite,
         f"{_FLEET}taking_back.offer_at_site", "patch"),
)  # fmt: skip

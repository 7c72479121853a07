"""Rows of the table of pages that are about rollouts and their approval."""

from typing import Any

from seed_server.web.api.given import FromRing, OfNumber, OnlyReason, PerhapsReason
from seed_server.web.api.route import Nothing
from seed_server.web.frame.live import PROGRESS_TOLD
from seed_server.web.frame.page import Form, Page
from seed_server.web.pages import forms_rollouts as forms
from seed_server.web.pages.view_ring_pcs import RingPcsAsked, view_ring_pcs
from seed_server.web.pages.view_rollout import view_rollout
from seed_server.web.pages.view_rollouts import RolloutFilters, view_approvals, view_rollouts

_ROLLOUTS = "seed_server.fleet.rollout_operations."
_APPROVE = "seed_server.fleet.rollout_approving.approve_rollout"
_LIVE = ("rollout", "approval", "patch")
_LIVE_COUNTS = (*_LIVE, PROGRESS_TOLD)

ROLLOUT_PAGES: tuple[Page[Any], ...] = (
    Page("/rollouts", "rollouts", view_rollouts, RolloutFilters, live=_LIVE),
    Page("/rollouts/{number}", "rollout", view_rollout, OfNumber, live=_LIVE_COUNTS),
    Page("/rollouts/{number}/pcs", "ring_pcs", view_ring_pcs, RingPcsAsked, live=_LIVE_COUNTS),
    Page("/approvals", "approvals", view_approvals, Nothing, live=_LIVE),
)
ROLLOUT_FORMS: tuple[Form[Any, Any], ...] = (
    Form("/rollouts/{number}/approve", "approve-rollout", forms.approve, OfNumber, forms.ApprovingForm, _APPROVE,
         "rollout", step_up=True),
    Form("/approvals/{number}/approve", "approve-from-list", forms.approve_from_list, OfNumber, forms.ApprovingForm,
         _APPROVE, "approvals", step_up=True),
    Form("/rollouts/{number}/pause", "pause-rollout", forms.pause, OfNumber, OnlyReason, f"{_ROLLOUTS}pause_rollout",
         "rollout"),
    Form("/rollouts/{number}/resume", "resume-rollout", forms.resume, OfNumber, PerhapsReason,
         f"{_ROLLOUTS}resume_rollout", "rollout"),
    Form("/rollouts/{number}/halt", "halt-rollout", forms.halt, OfNumber, OnlyReason, f"{_ROLLOUTS}halt_rollout",
         "rollout", step_up=True),
    Form("/rollouts/{number}/abort", "abort-rollout", forms.abort, OfNumber, OnlyReason, f"{_ROLLOUTS}abort_rollout",
         "rollout", step_up=True),
    Form("/rollouts/{number}/withdraw-from-ring", "withdraw-from-ring", forms.withdraw_from_ring, OfNumber,
         FromRing, "seed_server.fleet.taking_back.withdraw_from_ring", "rollout", step_up=True),
)  # fmt: skip

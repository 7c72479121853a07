"""Pages over PCs: who is enrolled, one of them, who lacks what, who is held back, and what PCs have. Blocking."""

from typing import Any

from p2pdist.shared.language import tr
from seed_server.fleet.endpoint_operations import allow, deny, forget_endpoint
from seed_server.web.api.given import Body, MaybeReason, OfEndpoint, OfNumber, ReasonText
from seed_server.web.api.route import Nothing
from seed_server.web.frame.page import Done, Form, Page, Sent
from seed_server.web.pages.view_exceptions import (
    EndingException,
    ExceptionsAsked,
    NewException,
    make_exception,
    show_exceptions,
    stop_exception,
)
from seed_server.web.pages.view_inventory import InventoryAsked, show_inventory
from seed_server.web.pages.view_missing import (
    FollowingUp,
    FollowingUpOne,
    MissingAsked,
    follow_up_one,
    follow_up_ticked,
    missing_file,
    show_missing,
)
from seed_server.web.pages.view_pc import OnePc, show_pc
from seed_server.web.pages.view_pcs import Pcs, show_pcs

_ENDPOINT = "seed_server.fleet.endpoint_operations."
_EXCEPTION = "seed_server.fleet.exception_operations."
_FOLLOW_UP = "seed_server.reporting.follow_up_operations.follow_up"


class DenyingPc(Body, frozen=True):
    """Why a PC is refused, and how far."""

    reason: ReasonText
    keep_tokens: bool = False


class AllowingPc(Body, frozen=True):
    """Why a PC is accepted."""

    reason: MaybeReason = ""


class ForgettingPc(Body, frozen=True):
    """Why a PC is forgotten."""

    reason: ReasonText


def _deny(sent: Sent[OfEndpoint, DenyingPc]) -> Done:
    body = sent.body
    done = deny(
        sent.context, sent.actor, sent.given.endpoint, keep_tokens=body.keep_tokens, reason=body.reason
    )  # fmt: skip
    said = [tr("It is denied.")]
    if done.revoked:
        said.append(tr("Revoked tokens: {tokens}.", tokens=", ".join(one.token_id for one in done.revoked)))
    if done.open_tokens:
        said.append(
            tr("Open tokens enrol it again under a new key: {tokens}.", tokens=", ".join(
                one.token_id for one in done.open_tokens
            ))
        )  # fmt: skip
    if not done.tokens_known:
        said.append(tr("It is not known with which token it was enrolled: an open one lets it come back."))
    return Done(f"/pcs/{done.endpoint.endpoint_id}", " ".join(said))


def _allow(sent: Sent[OfEndpoint, AllowingPc]) -> Done:
    row = allow(sent.context, sent.actor, sent.given.endpoint, reason=sent.body.reason)
    return Done(f"/pcs/{row.endpoint_id}", tr("It is allowed."))


def _forget(sent: Sent[OfEndpoint, ForgettingPc]) -> Done:
    row = forget_endpoint(sent.context, sent.actor, sent.given.endpoint, reason=sent.body.reason)
    return Done("/pcs", tr("{pc} is forgotten.", pc=row.hostname or row.endpoint_id))


_OF_PCS = ("endpoint",)

PCS_PAGES: tuple[Page[Any], ...] = (
    Page("/pcs", "pcs", show_pcs, Pcs, live=_OF_PCS),
    Page("/pcs/{endpoint}", "pc", show_pc, OnePc, live=_OF_PCS),
    Page("/missing", "missing", show_missing, MissingAsked, live=("endpoint.followed_up", "exception", "rollout")),
    Page("/missing/file", "missing_file", missing_file, MissingAsked),
    Page("/exceptions", "exceptions", show_exceptions, ExceptionsAsked, live=("exception",)),
    Page("/inventory", "inventory", show_inventory, InventoryAsked),
)
PCS_FORMS: tuple[Form[Any, Any], ...] = (
    Form("/pcs/{endpoint}/deny", "deny_pc", _deny, OfEndpoint, DenyingPc, f"{_ENDPOINT}deny", "pc", step_up=True),
    Form("/pcs/{endpoint}/allow", "allow_pc", _allow, OfEndpoint, AllowingPc, f"{_ENDPOINT}allow", "pc"),
    Form("/pcs/{endpoint}/forget", "forget_pc", _forget, OfEndpoint, ForgettingPc, f"{_ENDPOINT}forget_endpoint", "pc",
         step_up=True),
    Form("/pcs/{endpoint}/follow-up", "follow_up_pc", follow_up_one, OfEndpoint, FollowingUpOne, _FOLLOW_UP, "pc"),
    Form("/missing/follow-up", "follow_up_ticked", follow_up_ticked, Nothing, FollowingUp, _FOLLOW_UP, "missing"),
    Form("/exceptions", "make_exception", make_exception, Nothing, NewException, f"{_EXCEPTION}add_exception",
         "exceptions"),
    Form("/exceptions/{number}/end", "end_exception", stop_exception, OfNumber, EndingException,
         f"{_EXCEPTION}end_exception", "exceptions"),
)  # fmt: skip

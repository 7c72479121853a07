"""Routes over patches: what PCs are offered, how far each is, rollouts and exceptions."""

from typing import Annotated

from msgspec import Meta

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.rollout_plan import MAX_RINGS
from seed_server.answers.fleet import ReachedDocument
from seed_server.answers.offer_documents import listed_document, taken_back_document, withdrawn_document
from seed_server.answers.offers import ListedDocument, OfferDocument, WithdrawDocument
from seed_server.answers.rollout_documents import (
    exception_document,
    ring_pc_document,
    rollout_document,
    rollout_row_document,
    wanted_approval_document,
)
from seed_server.answers.rollouts import (
    ExceptionDocument,
    RingPcDocument,
    RolloutDocument,
    RolloutRowDocument,
    WantedApprovalDocument,
)
from seed_server.fleet import operations, queries, rollout_operations, rollout_queries, taking_back
from seed_server.fleet.approval_queries import read_approvals
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Reached
from seed_server.fleet.exception_operations import add_exception, end_exception
from seed_server.fleet.overview import PatchProgress, read_progress
from seed_server.fleet.ring_pcs import RingClass, RingPcsQuestion, read_ring_pcs
from seed_server.fleet.rollout_approving import approve_rollout
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.shipped_rings import SHIPPED_RINGS
from seed_server.fleet.way_back import read_ways_back
from seed_server.web.api.documents import PatchProgressDocument, RingTemplateDocument
from seed_server.web.api.given import (
    MAX_GIVEN_NUMBER,
    Body,
    ExpressionText,
    FromRing,
    FromSite,
    MaybeName,
    MaybeReason,
    Name,
    NamedPatch,
    OfNumber,
    OnlyReason,
    PagedPatches,
    PerhapsReason,
    ReasonText,
    UnixMoment,
)
from seed_server.web.api.paging import Page, Paged, page_of
from seed_server.web.api.route import API, ApiCall, Nothing, Route

_PATCHES, _ROLLOUTS, _EXCEPTIONS = "Patches", "Rollouts", "Exceptions"
_FLEET = "seed_server.fleet."


# --- patches -----------------------------------------------------------------------------


def _patches(call: ApiCall[Paged, None]) -> Page[ListedDocument]:
    context = call.context
    offers, back = queries.read_offers(context), read_ways_back(context)
    sites = taking_back.read_site_withdrawals(context)
    return page_of(
        offers,
        call.given,
        lambda one: one.manifest.ref,
        lambda one: listed_document(one, back.get(one.manifest.ref), sites.get(one.manifest.ref, {})),
    )


def _progress(call: ApiCall[PagedPatches, None]) -> Page[PatchProgressDocument]:
    given = call.given
    found = read_progress(call.context, patch=given.patch, site=given.site, size=given.limit, after=given.after)
    return Page(tuple(map(_progress_document, found.rows)), found.after or None)


def _progress_document(one: PatchProgress) -> PatchProgressDocument:
    patch = one.patch
    return PatchProgressDocument(
        id=patch.patch_id,
        version=patch.version,
        title=patch.title,
        severity=patch.severity,
        length_bytes=patch.length_bytes,
        published_at=patch.published_at,
        verified=one.verified,
        reached=ReachedDocument(
            endpoints=one.total, **{each.name.lower(): one.counts.get(each, 0) for each in Reached}
        ),
        rest_seconds=one.rest.seconds,
    )


def _withdraw(call: ApiCall[NamedPatch, OnlyReason]) -> WithdrawDocument:
    done = operations.withdraw(call.context, call.actor, call.given.patch, call.body.reason)
    return withdrawn_document(done)


def _withdraw_ring(call: ApiCall[NamedPatch, FromRing]) -> WithdrawDocument:
    body = call.body
    taken = taking_back.withdraw_from_ring(call.context, call.actor, call.given.patch, body.ring, body.reason)
    return taken_back_document(taken, None)


def _withdraw_site(call: ApiCall[NamedPatch, FromSite]) -> WithdrawDocument:
    body = call.body
    taken = taking_back.withdraw_from_site(call.context, call.actor, call.given.patch, body.site, body.reason)
    return taken_back_document(taken, body.site)


def _offer(call: ApiCall[NamedPatch, None]) -> OfferDocument:
    return OfferDocument(tuple(map(str, operations.offer(call.context, call.actor, call.given.patch))))


class AtOneSite(Body, frozen=True):
    """At which site."""

    site: Name


def _offer_site(call: ApiCall[NamedPatch, AtOneSite]) -> OfferDocument:
    back = taking_back.offer_at_site(call.context, call.actor, call.given.patch, call.body.site)
    return OfferDocument(tuple(map(str, back)))


# --- rollouts ----------------------------------------------------------------------------


class WhichRollouts(Paged, frozen=True):
    """Which rollouts."""

    live: Annotated[bool, Meta(description="Only those that are not over.")] = False


def _rollouts(call: ApiCall[WhichRollouts, None]) -> Page[RolloutRowDocument]:
    found, _broken = rollout_queries.list_rollouts(call.context, live=call.given.live)
    titles = rollout_queries.titles(call.context)
    return page_of(
        found, call.given, lambda one: one.kept.row.number, lambda one: rollout_row_document(one.kept, titles)
    )


def _rollout(call: ApiCall[OfNumber, None]) -> RolloutDocument:
    return rollout_document(rollout_queries.read_rollout(call.context, call.given.number))


class WhichRingPcs(Paged, frozen=True):
    """Which PCs of a rollout."""

    number: Annotated[int, Meta(ge=0, le=MAX_GIVEN_NUMBER, description="Its number.")]
    ring: Annotated[MaybeName, Meta(description="Only those of this ring.")] = ""
    which: Annotated[RingClass, Meta(description="Only those that a number of it counts.")] | None = None


def _ring_pcs(call: ApiCall[WhichRingPcs, None]) -> Page[RingPcDocument]:
    given = call.given
    question = RingPcsQuestion(given.number, given.ring, given.which or "", given.limit, given.after)
    page = read_ring_pcs(call.context, question)
    return Page(tuple(map(ring_pc_document, page.rows)), page.after or None)


def _approvals(call: ApiCall[Paged, None]) -> Page[WantedApprovalDocument]:
    found = read_approvals(call.context, actor=call.actor).wanted
    return page_of(found, call.given, lambda one: one.kept.row.number, wanted_approval_document)


class Starting(Body, frozen=True):
    """A new rollout."""

    patch: Name
    template: Annotated[Name, Meta(description="A shipped template, or one that server.toml names.")] = "rings"
    reason: MaybeReason = ""


def _start(call: ApiCall[Nothing, Starting]) -> RolloutRowDocument:
    context, body = call.context, call.body
    settings = context.settings()
    if body.template not in {*SHIPPED_RINGS, settings.rollout_template, settings.emergency_template}:
        # a file would be one of the server's, of which a program must not learn
        raise UserError(
            f"There is no template {body.template[:80]!r} for programs. There are those of GET {API}/ring-templates, "
            "and those that rollout_template and emergency_template in server.toml name.",
            FaultKind.BAD_INPUT,
        )
    rings = rollout_queries.ring_template(body.template)
    started = rollout_operations.start_rollout(context, call.actor, body.patch, rings, note=body.reason)
    return _row(context, started.rollout)


def _row(context: Context, kept: KeptRollout) -> RolloutRowDocument:
    return rollout_row_document(kept, rollout_queries.titles(context))


def _pause(call: ApiCall[OfNumber, OnlyReason]) -> RolloutRowDocument:
    done = rollout_operations.pause_rollout(call.context, call.actor, call.given.number, call.body.reason)
    return _row(call.context, done)


def _halt(call: ApiCall[OfNumber, OnlyReason]) -> RolloutRowDocument:
    done = rollout_operations.halt_rollout(call.context, call.actor, call.given.number, call.body.reason)
    return _row(call.context, done)


def _abort(call: ApiCall[OfNumber, OnlyReason]) -> RolloutRowDocument:
    done = rollout_operations.abort_rollout(call.context, call.actor, call.given.number, call.body.reason)
    return _row(call.context, done)


def _resume(call: ApiCall[OfNumber, PerhapsReason]) -> RolloutRowDocument:
    done = rollout_operations.resume_rollout(call.context, call.actor, call.given.number, call.body.reason)
    return _row(call.context, done)


class Approving(Body, frozen=True):
    """How much is approved."""

    rings: Annotated[int, Meta(ge=1, le=MAX_RINGS, description="Only the first so many rings; null: all.")] | None = (
        None
    )


def _approve(call: ApiCall[OfNumber, Approving]) -> RolloutRowDocument:
    done = approve_rollout(call.context, call.actor, call.given.number, rings=call.body.rings)
    return _row(call.context, done)


def _ring_templates(call: ApiCall[Nothing, None]) -> Page[RingTemplateDocument]:
    del call
    found = [(name, rollout_queries.ring_template(name)) for name in SHIPPED_RINGS]
    documents = (RingTemplateDocument(name, one.title, tuple(ring.name for ring in one.rings)) for name, one in found)
    return Page(tuple(documents), None)


# --- exceptions --------------------------------------------------------------------------


class Exceptions(Paged, frozen=True):
    """Which exceptions."""

    all: Annotated[bool, Meta(description="Those that are over, too.")] = False


def _exceptions(call: ApiCall[Exceptions, None]) -> Page[ExceptionDocument]:
    found = rollout_queries.read_exceptions(call.context, holding=not call.given.all)
    return page_of(found, call.given, lambda one: one.number, exception_document)


class Excepting(Body, frozen=True):
    """A new exception."""

    who: ExpressionText
    until: Annotated[UnixMoment, Meta(description="When it ends, in seconds since 1970; in 180 days at most.")]
    reason: ReasonText
    owner: Annotated[Name, Meta(description="Whom to ask about it.")]
    patch: Annotated[MaybeName, Meta(description="Which patch: ID, or ID@VERSION; empty: every one.")] = ""


def _add_exception(call: ApiCall[Nothing, Excepting]) -> ExceptionDocument:
    body = call.body
    row = add_exception(
        call.context,
        call.actor,
        who=body.who,
        until=body.until,
        reason=body.reason,
        owner=body.owner,
        patch=body.patch,
    )
    return exception_document(row)


def _end_exception(call: ApiCall[OfNumber, None]) -> ExceptionDocument:
    return exception_document(end_exception(call.context, call.actor, call.given.number))


_WHY = {"reason": "crashes on start"}

PATCH_ROUTES = (
    Route("GET", f"{API}/patches", "listPatches", "What is published: whether PCs are offered it, and why not",
          _patches, Page[ListedDocument], _PATCHES, Paged, commands=("list",)),
    Route("GET", f"{API}/progress", "listProgress", "How far each patch is in the fleet, in counts", _progress,
          Page[PatchProgressDocument], _PATCHES, PagedPatches),
    Route("POST", f"{API}/patches/{{patch}}/withdraw", "withdrawPatch", "Offer a patch to nobody any more", _withdraw,
          WithdrawDocument, _PATCHES, NamedPatch, OnlyReason, operation=f"{_FLEET}operations.withdraw",
          commands=("withdraw",), example=_WHY),
    Route("POST", f"{API}/patches/{{patch}}/withdraw-ring", "withdrawFromRing",
          "Withdraw it from a ring of its rollout, and those after it", _withdraw_ring, WithdrawDocument, _PATCHES,
          NamedPatch, FromRing, operation=f"{_FLEET}taking_back.withdraw_from_ring", example={"ring": "broad", **_WHY}),
    Route("POST", f"{API}/patches/{{patch}}/withdraw-site", "withdrawFromSite", "Withdraw it at one site",
          _withdraw_site, WithdrawDocument, _PATCHES, NamedPatch, FromSite,
          operation=f"{_FLEET}taking_back.withdraw_from_site", example={"site": "oslo", **_WHY}),
    Route("POST", f"{API}/patches/{{patch}}/offer", "offerPatch", "Offer a patch again that was withdrawn", _offer,
          OfferDocument, _PATCHES, NamedPatch, operation=f"{_FLEET}operations.offer", commands=("offer",)),
    Route("POST", f"{API}/patches/{{patch}}/offer-site", "offerAtSite", "Offer it again at the site where alone it was "
          "withdrawn", _offer_site, OfferDocument, _PATCHES, NamedPatch, AtOneSite,
          operation=f"{_FLEET}taking_back.offer_at_site", example={"site": "oslo"}),
    Route("GET", f"{API}/ring-templates", "listRingTemplates", "The shipped templates of rings", _ring_templates,
          Page[RingTemplateDocument], _ROLLOUTS, Nothing),
    Route("GET", f"{API}/rollouts", "listRollouts", "Rollouts, the newest first", _rollouts, Page[RolloutRowDocument],
          _ROLLOUTS, WhichRollouts, commands=("rollout list",)),
    Route("POST", f"{API}/rollouts", "startRollout", "Begin to offer a patch by rings", _start, RolloutRowDocument,
          _ROLLOUTS, Nothing, Starting, operation=f"{_FLEET}rollout_operations.start_rollout", status=201,
          commands=("rollout start",), example={"patch": "acme@2.1", "template": "rings"}),
    Route("GET", f"{API}/rollouts/{{number}}", "getRollout", "One rollout: its rings, its PCs, what it waits for",
          _rollout, RolloutDocument, _ROLLOUTS, OfNumber, commands=("rollout show", "rollout why")),
    Route("GET", f"{API}/rollouts/{{number}}/pcs", "listRolloutPcs", "The PCs behind the numbers of a rollout",
          _ring_pcs, Page[RingPcDocument], _ROLLOUTS, WhichRingPcs, commands=("rollout pcs",)),
    Route("GET", f"{API}/approvals", "listApprovals", "What waits for whose approval", _approvals,
          Page[WantedApprovalDocument], _ROLLOUTS, Paged, commands=("rollout approvals",)),
    Route("POST", f"{API}/rollouts/{{number}}/pause", "pauseRollout", "Open no further ring", _pause,
          RolloutRowDocument, _ROLLOUTS, OfNumber, OnlyReason,
          operation=f"{_FLEET}rollout_operations.pause_rollout", commands=("rollout pause",), example=_WHY),
    Route("POST", f"{API}/rollouts/{{number}}/halt", "haltRollout", "Let no PC begin any more", _halt,
          RolloutRowDocument, _ROLLOUTS, OfNumber, OnlyReason, operation=f"{_FLEET}rollout_operations.halt_rollout",
          commands=("rollout halt",), example=_WHY),
    Route("POST", f"{API}/rollouts/{{number}}/abort", "abortRollout", "End a rollout for good", _abort,
          RolloutRowDocument, _ROLLOUTS, OfNumber, OnlyReason,
          operation=f"{_FLEET}rollout_operations.abort_rollout", commands=("rollout abort",), example=_WHY),
    Route("POST", f"{API}/rollouts/{{number}}/resume", "resumeRollout", "Go on with a rollout", _resume,
          RolloutRowDocument, _ROLLOUTS, OfNumber, PerhapsReason,
          operation=f"{_FLEET}rollout_operations.resume_rollout", commands=("rollout resume",), example={}),
    Route("POST", f"{API}/rollouts/{{number}}/approve", "approveRollout", "Say that rings of it may open", _approve,
          RolloutRowDocument, _ROLLOUTS, OfNumber, Approving,
          operation=f"{_FLEET}rollout_approving.approve_rollout", commands=("rollout approve",), example={"rings": 1},
          says="Without a key: where PCs demand signed approvals, the command line gives them."),
    Route("GET", f"{API}/exceptions", "listExceptions", "What holds patches back from PCs", _exceptions,
          Page[ExceptionDocument], _EXCEPTIONS, Exceptions, commands=("exception list",)),
    Route("POST", f"{API}/exceptions", "addException", "Hold a patch back from some PCs until a day", _add_exception,
          ExceptionDocument, _EXCEPTIONS, Nothing, Excepting,
          operation=f"{_FLEET}exception_operations.add_exception", status=201, commands=("exception add",),
          example={"who": '"till" in tags', "until": 1798761599, "reason": "Christmas trade", "owner": "Store IT",
                   "patch": "acme"}),
    Route("DELETE", f"{API}/exceptions/{{number}}", "endException", "End an exception now", _end_exception,
          ExceptionDocument, _EXCEPTIONS, OfNumber, operation=f"{_FLEET}exception_operations.end_exception",
          commands=("exception end",)),
)  # fmt: skip
"""The rows of the table that are about patches."""

"""Routes over the fleet: how it stands, its sites and PCs, what they have and did."""

from itertools import islice
from typing import Annotated, Literal

from msgspec import Meta

from seed_server.answers.audit_documents import custody_document
from seed_server.answers.custody import CustodyDocument
from seed_server.answers.endpoint import EndpointCardDocument, ForgottenEndpointDocument, UnmanagedDocument
from seed_server.answers.endpoint_documents import (
    endpoint_card_document,
    endpoints_page_document,
    forgotten_document,
    unmanaged_document,
)
from seed_server.answers.fleet import EndpointDocument, EndpointsPageDocument, SiteDocument
from seed_server.answers.history import HistoryPageDocument
from seed_server.answers.history_documents import history_document
from seed_server.answers.inventory import InventoryDocument
from seed_server.answers.inventory_documents import inventory_document
from seed_server.answers.site_documents import site_document, sites_document
from seed_server.answers.standing import StandingPageDocument
from seed_server.answers.standing_documents import standing_page_document
from seed_server.answers.status_documents import endpoint_document, problem_documents
from seed_server.fleet.custody_queries import custody_of
from seed_server.fleet.endpoint_card import read_endpoint
from seed_server.fleet.endpoint_operations import allow, deny, forget_endpoint, forget_unseen
from seed_server.fleet.endpoint_pages import EndpointsQuestion, read_endpoints
from seed_server.fleet.history_queries import HistoryPlace, HistoryReader
from seed_server.fleet.inventory_queries import InventoryQuestion, ask_inventory, pcs_behind
from seed_server.fleet.overview import read_fleet
from seed_server.fleet.roles import WHOLE_FLEET
from seed_server.fleet.sites import read_site, read_sites
from seed_server.fleet.standing import STATES, StatusQuestion, read_page
from seed_server.fleet.unmanaged import read_unmanaged
from seed_server.signing.offers import parse_named
from seed_server.store.event_rows import Asked
from seed_server.store.rows import PcState
from seed_server.store.tables import REPORTED_SINCE
from seed_server.web.api.documents import DenialDocument, FleetDocument
from seed_server.web.api.given import (
    AtSite,
    Body,
    Days,
    ExpressionText,
    Given,
    MaybeName,
    MaybeReason,
    Name,
    NamedSite,
    OfEndpoint,
    OfPatch,
    UnixMoment,
)
from seed_server.web.api.paging import Page, Paged, page_of
from seed_server.web.api.route import API, ApiCall, Nothing, Route

MOST_INVENTORY_SECONDS = 30
MAX_COLUMNS = 20  # an expression names fewer
_FLEET, _PCS = "Fleet", "PCs"
_ENDPOINT = "seed_server.fleet.endpoint_operations."


def _status(call: ApiCall[Nothing, None]) -> FleetDocument:
    head = read_fleet(call.context)
    return FleetDocument(
        server=head.server_name,
        serving=head.serving,
        repository_problem=head.repository_problem or None,
        endpoints=head.endpoints.everyone,
        allowed=head.endpoints.allowed,
        connected=head.endpoints.connected if head.serving else 0,
        patches=len(head.patches),
        problems=problem_documents(head.problems),
    )


STATE_PATTERN = f"^(?:{'|'.join(STATES)})?$"
State = Annotated[str, Meta(pattern=STATE_PATTERN, description=f"Only PCs in it: {', '.join(STATES)}.")]


class WhichStanding(Paged, frozen=True):
    """Which PCs and patches."""

    patch: OfPatch = ""
    endpoint: Annotated[MaybeName, Meta(description="Only of this PC: its id, or its host name.")] = ""
    site: AtSite = ""
    reason: Annotated[MaybeName, Meta(description="Only PCs that give this reason: a code, or words of it.")] = ""
    state: State = ""
    lacking: Annotated[bool, Meta(description="Only PCs that lack the patch.")] = False


def _standing(call: ApiCall[WhichStanding, None]) -> StandingPageDocument:
    given = call.given
    question = StatusQuestion(
        patch=given.patch,
        endpoint=given.endpoint,
        site=given.site,
        reason=given.reason,
        state=given.state,
        lacking=given.lacking,
        size=given.limit,
        after=given.after,
    )
    return standing_page_document(*read_page(call.context, question))


def _sites(call: ApiCall[Paged, None]) -> Page[SiteDocument]:
    found = read_sites(call.context)
    sites = sites_document(found.sites, call.context.clock.now(), serving=found.serving).sites
    return page_of(sites, call.given, lambda one: one.site, lambda one: one)


def _site(call: ApiCall[NamedSite, None]) -> SiteDocument:
    return site_document(read_site(call.context, call.given.site).site, call.context.clock.now())


class Endpoints(Paged, frozen=True):
    """Which PCs."""

    site: AtSite = ""
    state: PcState | None = None
    not_seen_days: Days | None = None
    begins: Annotated[MaybeName, Meta(description="Only PCs whose host name or id begins so.")] = ""
    tag: Annotated[MaybeName, Meta(description="Only PCs that have this tag.")] = ""
    finding: Annotated[
        str,
        Meta(pattern=r"^[a-z_]{0,24}$", description="Only PCs that say this is wrong with them; any: that any is."),
    ] = ""
    patch: Annotated[MaybeName, Meta(description="The patch that the next two are about: ID, or ID@VERSION.")] = ""
    patch_state: Annotated[str, Meta(pattern=STATE_PATTERN, description="Only PCs on which it is so.")] = ""
    lacking: Annotated[bool, Meta(description="Only PCs that lack the patch.")] = False
    sort: Annotated[
        Literal["name", "seen"], Meta(description="By name, what is odd first; or who was not seen for longest first.")
    ] = "name"


def _endpoints(call: ApiCall[Endpoints, None]) -> EndpointsPageDocument:
    given = call.given
    question = EndpointsQuestion(
        given.site,
        given.state,
        given.limit,
        given.after,
        not_seen_days=given.not_seen_days,
        by_seen=given.sort == "seen",
        tag=given.tag,
        begins=given.begins,
        finding=given.finding,
        patch=given.patch,
        patch_state=given.patch_state,
        lacking=given.lacking,
    )
    return endpoints_page_document(read_endpoints(call.context, question))


class ShownEndpoint(OfEndpoint, frozen=True):
    """A PC, and how much of it."""

    packages: Annotated[bool, Meta(description="Also the packages that it has told.")] = False


def _endpoint(call: ApiCall[ShownEndpoint, None]) -> EndpointCardDocument:
    card = read_endpoint(call.context, call.given.endpoint, with_packages=call.given.packages)
    return endpoint_card_document(card)


class AtASite(Given, frozen=True):
    """Where."""

    site: AtSite = ""


def _unmanaged(call: ApiCall[AtASite, None]) -> UnmanagedDocument:
    return unmanaged_document(read_unmanaged(call.context, call.given.site))


class Denying(Body, frozen=True):
    """How a PC is denied."""

    keep_tokens: Annotated[bool, Meta(description="Leave the tokens open with which it was enrolled.")] = False
    reason: MaybeReason = ""


def _deny(call: ApiCall[OfEndpoint, Denying]) -> DenialDocument:
    body = call.body
    done = deny(call.context, call.actor, call.given.endpoint, keep_tokens=body.keep_tokens, reason=body.reason)
    return DenialDocument(
        endpoint=endpoint_document(done.endpoint, (), connected=False),
        tokens_known=done.tokens_known,
        revoked_tokens=tuple(one.token_id for one in done.revoked),
        open_tokens=tuple(one.token_id for one in done.open_tokens),
    )


def _allow(call: ApiCall[OfEndpoint, None]) -> EndpointDocument:
    return endpoint_document(allow(call.context, call.actor, call.given.endpoint), (), connected=False)


def _forget(call: ApiCall[OfEndpoint, None]) -> ForgottenEndpointDocument:
    return forgotten_document(forget_endpoint(call.context, call.actor, call.given.endpoint), forgotten=True)


class ForgettingUnseen(Body, frozen=True):
    """Whom to forget."""

    not_seen_days: Days
    site: MaybeName = ""
    dry_run: Annotated[bool, Meta(description="Only answer which ones would be forgotten.")] = False
    even_many: Annotated[bool, Meta(description="Also where more than a quarter of all PCs were not seen.")] = False


def _forget_unseen(call: ApiCall[Nothing, ForgettingUnseen]) -> Page[ForgottenEndpointDocument]:
    body = call.body
    question = EndpointsQuestion(body.site, not_seen_days=body.not_seen_days, by_seen=True)
    found = forget_unseen(
        call.context, call.actor, question, only_show=body.dry_run, even_many=body.even_many
    )  # fmt: skip
    return Page(tuple(forgotten_document(one, forgotten=not body.dry_run) for one in found), None)


class OfCustody(OfEndpoint, frozen=True):
    """A PC, and of which patch."""

    patch: OfPatch = ""


def _custody(call: ApiCall[OfCustody, None]) -> CustodyDocument:
    return custody_document(custody_of(call.context, call.given.endpoint, call.given.patch))


class Inventoried(Paged, frozen=True):
    """What is asked of inventories."""

    expression: ExpressionText = "true"
    site: AtSite = ""
    columns: Annotated[
        tuple[Name, ...],
        Meta(max_length=MAX_COLUMNS, description="Facts and packages whose values are wanted; may be repeated."),
    ] = ()
    package: Annotated[MaybeName, Meta(description="How many PCs have which version of it.")] = ""
    unknown: Annotated[bool, Meta(description="List PCs of which it is not known, and why.")] = False
    max_age_days: Annotated[int, Meta(ge=1, le=3_650, description="What was told longer ago is unknown.")] = 7


def _inventory(call: ApiCall[Inventoried, None]) -> InventoryDocument:
    given = call.given
    question = InventoryQuestion(
        given.expression or "true",
        given.site,
        given.columns or None,
        given.package,
        given.max_age_days,
        MOST_INVENTORY_SECONDS,
    )
    found = ask_inventory(call.context, question)
    pcs = pcs_behind(found.unknown if given.unknown else found.true, given.after)
    shown = pcs[: given.limit]
    following = str(shown[-1].number) if len(pcs) > given.limit else ""
    return inventory_document(found, shown, following, question, of_unknown=given.unknown)


class History(Paged, frozen=True):
    """Which events."""

    patch: OfPatch = ""
    endpoint: Annotated[MaybeName, Meta(description="Only of this PC: its id, or its host name.")] = ""
    site: AtSite = ""
    since: UnixMoment | None = None
    until: UnixMoment | None = None


def _history(call: ApiCall[History, None]) -> HistoryPageDocument:
    return _history_page(call, archives_only=False)


def _archived_history(call: ApiCall[History, None]) -> HistoryPageDocument:
    return _history_page(call, archives_only=True)


def _history_page(call: ApiCall[History, None], *, archives_only: bool) -> HistoryPageDocument:
    given = call.given
    named = parse_named(given.patch) if given.patch else None
    asked = Asked(
        endpoint=given.endpoint,
        patch_id=named.patch_id if named else "",
        version=named.version if named else "",
        site=given.site,
        since=None if given.since is None else int(given.since) - REPORTED_SINCE,
        until=None if given.until is None else int(given.until) - REPORTED_SINCE,
    )
    reader = HistoryReader(call.context, asked, archives_only=archives_only)
    rows = reader.rows(HistoryPlace.read(given.after) if given.after else None)
    found = list(islice(rows, given.limit + 1))
    return HistoryPageDocument(
        rows=tuple(history_document(row) for _, row in found[: given.limit]),
        next=str(found[given.limit - 1][0]) if len(found) > given.limit else None,
        unread=tuple(reader.problems),
        removed=tuple(reader.removed),
    )


FLEET_ROUTES = (
    Route("GET", f"{API}/status", "getStatus", "The fleet in a few numbers, and what needs a person", _status,
          FleetDocument, _FLEET, Nothing, commands=("status",)),
    Route("GET", f"{API}/standing", "listStanding", "PCs and patches one by one: who lacks what, and why", _standing,
          StandingPageDocument, _FLEET, WhichStanding, commands=("status PAGE", "status LINES")),
    Route("GET", f"{API}/sites", "listSites", "How fast each site is sent to, and why", _sites, Page[SiteDocument],
          _FLEET, Paged, commands=("sites",)),
    Route("GET", f"{API}/sites/{{site}}", "getSite", "What limits one site", _site, SiteDocument, _FLEET, NamedSite,
          commands=("site why",)),
    Route("GET", f"{API}/history", "listHistory", "What PCs did with patches, and when", _history, HistoryPageDocument,
          _FLEET, History, commands=("report history", "report history LINES")),
    Route("GET", f"{API}/archives/history", "searchArchives", "What they did in months that are in archives alone",
          _archived_history, HistoryPageDocument, _FLEET, History, right=("audit", WHOLE_FLEET),
          commands=("archive search", "archive search LINES")),
    Route("GET", f"{API}/endpoints", "listEndpoints", "Enrolled PCs", _endpoints, EndpointsPageDocument, _PCS,
          Endpoints, commands=("endpoints", "endpoints PAGE")),
    Route("GET", f"{API}/endpoints/{{endpoint}}", "getEndpoint", "All that is known of one PC", _endpoint,
          EndpointCardDocument, _PCS, ShownEndpoint, commands=("endpoints show",)),
    Route("GET", f"{API}/endpoints/{{endpoint}}/custody", "getCustody",
          "What a PC has signed of its installations, with proofs", _custody, CustodyDocument, _PCS, OfCustody,
          right=("audit", WHOLE_FLEET), commands=("audit custody",)),
    Route("POST", f"{API}/endpoints/{{endpoint}}/deny", "denyEndpoint", "Refuse a PC from now on", _deny,
          DenialDocument, _PCS, OfEndpoint, Denying, operation=f"{_ENDPOINT}deny", example={"keep_tokens": False}),
    Route("POST", f"{API}/endpoints/{{endpoint}}/allow", "allowEndpoint",
          "Accept a PC again, or one that waits for it; answers as it was", _allow, EndpointDocument, _PCS, OfEndpoint,
          operation=f"{_ENDPOINT}allow"),
    Route("DELETE", f"{API}/endpoints/{{endpoint}}", "forgetEndpoint", "Forget a PC that is gone for good", _forget,
          ForgottenEndpointDocument, _PCS, OfEndpoint, operation=f"{_ENDPOINT}forget_endpoint",
          commands=("endpoints forget",)),
    Route("POST", f"{API}/endpoints/forget-unseen", "forgetUnseen", "Forget all PCs that were not seen for long",
          _forget_unseen, Page[ForgottenEndpointDocument], _PCS, Nothing, ForgettingUnseen,
          operation=f"{_ENDPOINT}forget_unseen", example={"not_seen_days": 365, "dry_run": True}),
    Route("GET", f"{API}/unmanaged", "listUnmanaged", "Machines beside PCs that are not enrolled", _unmanaged,
          UnmanagedDocument, _PCS, AtASite, commands=("endpoints unmanaged",)),
    Route("GET", f"{API}/inventory", "askInventory", "Which PCs an expression is true of", _inventory,
          InventoryDocument, _PCS, Inventoried, commands=("inventory", "inventory PACKAGES", "inventory LINES")),
)  # fmt: skip
"""The rows of the table that are about the fleet and its PCs."""

"""What the fleet looks like now, from the database and the signed repository. Nothing here writes. Blocking."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.manifest.template import Template
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Announced, PatchCoverage, PublishedRow, coverage, replaced
from seed_server.fleet.problems import FleetProblem, fleet_problems
from seed_server.fleet.smaller_updates import SmallerUpdate, smaller_updates
from seed_server.fleet.way_back import GoneBack, known_ways_back
from seed_server.signing.bundle import Bundle
from seed_server.signing.offers import Offer, next_sequence
from seed_server.signing.prepared_bundles import PreparedBundles
from seed_server.signing.profiles import checked_site, read_profiles
from seed_server.signing.proposals import RoleKeys
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import RoleExpiry, expiring_offline
from seed_server.signing.templates import checked_name, read_templates
from seed_server.store.rows import DiagnosisRow, EndpointRow, ReportRow, ServedPayload, TokenRow
from seed_server.store.serve_lock import is_serving

if TYPE_CHECKING:
    from p2pdist.shared.statement_check import Statement
    from seed_server.publishing.copying import Repacked
    from seed_server.publishing.examination import Examined

INSTALL_STATES = (
    "installed", "installing", "restart_pending", "unproven", "waiting", "retrying", "failed", "rolled_back",
    "not_applicable",
)  # fmt: skip


def lint(context: Context | None, recipe: Path, now: float) -> "Examined":
    """Return what `publish` would say of a recipe, but for its files' hashes; with a ``context``, beside the rest.

    Raises `UserError` (BAD_INPUT) for a file that cannot be read; with a ``context`` as this does.
    """
    from seed_server.publishing.recipe_files import lint_recipe

    examined = lint_recipe(recipe, now)
    if context is None:
        return examined
    repository = context.repository()
    return examined.beside(repository.manifests(), repository.offered(), repository.publication_order())


def would_repack(examined: "Examined") -> "list[Repacked]":
    """Return what `publish` would make of files that should be published unpacked; nothing where it would refuse.

    Reads them whole. Raises `UserError` (BAD_INPUT) for one that is damaged.
    """
    from seed_server.publishing.copying import planned_sources

    if examined.errors:
        return []
    return [one.repacked for one in planned_sources(examined) if one.repacked]


@dataclass(frozen=True)
class FleetStatus:
    """One look at the database: patches, endpoints, and what each has said of each."""

    server_name: str
    serving: bool
    patches: list[ServedPayload]
    endpoints: list[EndpointRow]
    reports: list[ReportRow] = field(default_factory=list)
    wan_bytes: dict[tuple[str, str], int] = field(default_factory=dict)
    payloads: list[ServedPayload] = field(default_factory=list)
    """The payloads of all patches; ``patches`` has the first payload of each."""
    unannounced: frozenset[PatchRef] = frozenset()
    """Patches that endpoints were never told of: their publication was cut off."""
    repository_problem: str = ""
    """Why the signed repository cannot be read; empty: it can."""
    withdrawn: Mapping[PatchRef, str] = field(default_factory=dict)
    """The patches that were taken back, each with its reason."""
    replaced: Mapping[PatchRef, str] = field(default_factory=dict)
    """What PCs are offered no more, as something newer is: each with its version of now; empty: another patch."""
    problems: Sequence[FleetProblem] = ()
    """What the operator should know, the worst first."""
    back: Mapping[PatchRef, GoneBack] = field(default_factory=dict)
    """How far PCs are that go back from a patch, of each from which they do."""
    smaller: Sequence[SmallerUpdate] = ()
    """How far pieces are coded ahead, of the patch that the reports are on."""

    def of_patch(self, patch: ServedPayload) -> list[ReportRow]:
        """Return every endpoint's report on ``patch``."""
        return self._reports_by_patch.get(patch.ref, [])

    def payloads_of(self, patch: ServedPayload) -> list[ServedPayload]:
        """Return the payloads of ``patch``."""
        return self._payloads_by_patch.get(patch.ref, [patch])

    def damage_of(self, patch: ServedPayload) -> str:
        """Return why the first damaged payload of ``patch`` cannot be served; empty: all can."""
        return next((payload.damaged for payload in self.payloads_of(patch) if payload.damaged), "")

    def sites_of(self, patch: ServedPayload) -> list[tuple[str, int, float]]:
        """Return the sites that ``patch`` was sent to, by name: each with the bytes sent, and these ÷ file bytes."""
        sent: dict[str, tuple[int, int]] = {}
        for payload in self.payloads_of(patch):
            for site, count in self._sites_by_torrent.get(payload.torrent_hash, []):
                before = sent.get(site, (0, 0))
                sent[site] = (before[0] + count, before[1] + payload.length_bytes)
        return [(site, count, count / length) for site, (count, length) in sorted(sent.items())]

    def coverage_of(self, patch: ServedPayload) -> PatchCoverage:
        """Return how far ``patch`` has come among the PCs that are allowed here."""
        return coverage(self.endpoints, self.of_patch(patch), serving=self.serving)

    def verified_on(self, patch: ServedPayload) -> int:
        """Return how many endpoints that are allowed here have the whole file, checked."""
        denied = {endpoint.endpoint_id for endpoint in self.endpoints if endpoint.denied}
        return sum(r.state == "verified" and r.endpoint_id not in denied for r in self.of_patch(patch))

    @cached_property
    def endpoint_by_id(self) -> dict[str, EndpointRow]:
        """The endpoints by their ids."""
        return {endpoint.endpoint_id: endpoint for endpoint in self.endpoints}

    @cached_property
    def _payloads_by_patch(self) -> dict[PatchRef, list[ServedPayload]]:
        grouped: dict[PatchRef, list[ServedPayload]] = {}
        for payload in self.payloads:
            grouped.setdefault(payload.ref, []).append(payload)
        return grouped

    @cached_property
    def _reports_by_patch(self) -> dict[PatchRef, list[ReportRow]]:
        grouped: dict[PatchRef, list[ReportRow]] = {}
        for report in self.reports:
            grouped.setdefault(report.ref, []).append(report)
        return grouped

    @cached_property
    def _sites_by_torrent(self) -> dict[str, list[tuple[str, int]]]:
        grouped: dict[str, list[tuple[str, int]]] = {}
        for (site, torrent), count in sorted(self.wan_bytes.items()):
            grouped.setdefault(torrent, []).append((site, count))
        return grouped


@dataclass(frozen=True)
class Findings:
    """A template, and what each PC has said to it."""

    template: Template
    endpoints: list[EndpointRow]
    rows: list[DiagnosisRow]
    """Answers to items that the template has now."""

    def of_item(self, label: str) -> list[DiagnosisRow]:
        """Return the answers to one item."""
        return [row for row in self.rows if row.label == label]

    @cached_property
    def by_endpoint(self) -> dict[str, list[DiagnosisRow]]:
        """The answers of each PC that has given any, in the order of the template's items."""
        order = {item.label: number for number, item in enumerate(self.template.items)}
        grouped: dict[str, list[DiagnosisRow]] = {}
        for row in sorted(self.rows, key=lambda row: order[row.label]):
            grouped.setdefault(row.endpoint_id, []).append(row)
        return grouped


def install_counts(reports: Iterable[ReportRow]) -> dict[str, int]:
    """Return how many endpoints each state of installation has, zeros too."""
    states = [report.install for report in reports]
    return {state: states.count(state) for state in INSTALL_STATES}


def read_status(context: Context) -> FleetStatus:
    """Return the fleet's state without any report, and without what was sent where. Raises `UserError`."""
    settings = context.settings()
    with context.database() as database:
        payloads = database.payloads()
        patches = [payload for payload in payloads if payload.number == 0]
        announced, problem = announcements(context, payloads)
        endpoints, serving = database.endpoints(), is_serving(context.home)
        return FleetStatus(
            server_name=settings.name,
            serving=serving,
            patches=patches,
            endpoints=endpoints,
            payloads=payloads,
            unannounced=announced.cut_off,
            repository_problem=problem,
            withdrawn=announced.withdrawn,
            replaced=replaced(patches, announced),
            problems=fleet_problems(
                context,
                database.endpoint_counts(),
                serving=serving,
                at_work=database.sites_at_work(context.clock.now()),
                database=database,
            ),
            back=known_ways_back(context),
        )


def each_patch(context: Context, status: FleetStatus) -> Iterator[tuple[FleetStatus, ServedPayload]]:
    """Yield each patch, beside ``status`` with the reports on it, and what was sent of it. Raises `UserError`."""
    known = status.endpoint_by_id  # who has enrolled since is seen by the next look
    with context.database() as database:
        for patch in status.patches:
            reports = [report for report in database.reports_on(patch.ref) if report.endpoint_id in known]
            wan_bytes = database.wan_bytes_of(payload.torrent_hash for payload in status.payloads_of(patch))
            smaller = smaller_updates(context.home, status.payloads_of(patch), status.payloads)
            yield replace(status, reports=reports, wan_bytes=wan_bytes, smaller=smaller), patch


def announcements(
    context: Context, payloads: Iterable[PublishedRow], repository: Repository | None = None
) -> tuple[Announced, str]:
    """Return what PCs were told of the patches, and why that cannot be read.

    ``repository``: that of the home, where it is open already.

    The database's row comes before the signature. It has the sequence number that the rollouts will give next. A
    patch that was withdrawn is still listed.
    """
    try:
        repository = repository or context.repository()
        rollouts = repository.offered()
        following = next_sequence(rollouts)
        beyond = {row.ref for row in payloads if row.sequence >= following}
        # thousands of manifests are not read every second without need
        listed = {manifest.ref for manifest in repository.manifests()} if beyond else set()
    except UserError as error:
        return Announced(None), error.message
    offered = frozenset(entry.ref for entry in rollouts.entries)
    withdrawn = {one.ref: one.reason for one in rollouts.withdrawn}
    return Announced(offered, withdrawn, frozenset(beyond - listed)), ""


def read_offers(context: Context) -> list[Offer]:
    """Return each patch that is offered, withdrawn or superseded. Raises `UserError`."""
    return context.repository().offers()


def read_tokens(context: Context) -> list[TokenRow]:
    """Return the tokens, the newest first; those that expired a month ago are gone. Raises `UserError`."""
    context.settings()
    with context.database() as database:
        return database.tokens()


def read_all_profiles(context: Context) -> list[SiteProfile]:
    """Return the profiles that are signed, by site. Raises `UserError`."""
    return [document for _, document in sorted(read_profiles(context.repository()).items())]


def read_profile(context: Context, site: str) -> SiteProfile:
    """Return the profile of ``site``. Raises `UserError` (BAD_INPUT) when it has none."""
    document = read_profiles(context.repository()).get(checked_site(site))
    if document is None:
        raise no_profile(site)
    return document


def read_all_templates(context: Context) -> list[Template]:
    """Return the templates that are signed, by name. Raises `UserError`."""
    return list(read_templates(context.repository()).values())


def read_findings(context: Context, name: str) -> Findings:
    """Return a template and what the fleet has said to it. Raises `UserError` (BAD_INPUT) when there is none."""
    template = read_templates(context.repository()).get(checked_name(name))
    if template is None:
        raise no_template(name)
    labels = {item.label for item in template.items}
    with context.database() as database:
        rows = [row for row in database.diagnoses(name) if row.label in labels]  # before the endpoints
        return Findings(template, database.endpoints(), rows)


@dataclass(frozen=True)
class WaitingBundle:
    """A bundle that waits for signatures."""

    bundle: Bundle
    outdated: bool
    """What it extends has changed since: it can no longer be finished."""


def read_prepared(context: Context) -> list[WaitingBundle]:
    """Return the bundles that wait for signatures, oldest first. Raises `UserError`."""
    proposals = context.repository().proposals()
    return [WaitingBundle(bundle, proposals.is_outdated(bundle)) for bundle in PreparedBundles(context.home).all()]


def read_role_keys(context: Context) -> list[RoleKeys]:
    """Return the keys that endpoints trust for each offline role. Raises `UserError`."""
    return context.repository().proposals().role_keys()


def check_posture(context: Context, jws: str, *, longest_seconds: float, nonce: str, audience: str) -> "Statement":
    """Return what a PC has stated of itself (`p2pdist posture`), once it has been checked.

    It counts for ``longest_seconds``, and where it carries ``nonce`` and ``audience``. Raises `UserError`: REFUSED
    for a statement that is not to be believed, or of a PC that is not enrolled here or denied; NOT_SET_UP, STORAGE.
    """
    from p2pdist.shared.statement_check import StatementError, check_statement

    context.settings()
    try:
        statement = check_statement(
            jws,
            context.authority().control_ca_pem,
            context.clock.now(),
            longest_seconds=longest_seconds,
            nonce=nonce,
            audience=audience,
        )
    except StatementError as error:
        raise UserError(f"This statement is not to be believed: {error}.", FaultKind.REFUSED) from error
    with context.database() as database:
        endpoint = database.endpoint(statement.endpoint_id)
    if endpoint is None or endpoint.denied:
        known = "is not enrolled here" if endpoint is None else "is denied"
        raise UserError(f"This statement does not count: {statement.endpoint_id} {known}.", FaultKind.REFUSED)
    if endpoint.shared_with:
        raise UserError(
            f"This statement does not count: {endpoint.shared_with} shows the identity {statement.endpoint_id} too, "
            "and may have stated it ('seed-server endpoints' says what to do).",
            FaultKind.REFUSED,
        )
    return statement


def soon_expiring(context: Context) -> list[RoleExpiry]:
    """Return the offline roles that must be renewed soon, the soonest first. Raises `UserError`."""
    return expiring_offline(context.repository().expiries(), context.clock.now())


def no_profile(site: str) -> UserError:
    """Return the error for a site without a profile."""
    return UserError(f"Site {site} has no profile. 'seed-server profile show' lists them.", FaultKind.BAD_INPUT)


def no_template(name: str) -> UserError:
    """Return the error for a name that no template has."""
    return UserError(
        f"There is no template {name[:80]!r}. 'seed-server template list' lists them.", FaultKind.BAD_INPUT
    )

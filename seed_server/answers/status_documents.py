"""What is printed of the whole fleet, made of what `seed_server.fleet` answers."""

from collections.abc import Iterable, Iterator

from msgspec.structs import asdict

from seed_server.answers.fleet import (
    EndpointDocument,
    InstallCountsDocument,
    PatchDocument,
    PatchEndpointDocument,
    PatchSiteDocument,
    ProblemDocument,
    ReachedDocument,
    SmallerUpdateDocument,
    StatusDocument,
    StatusPayloadDocument,
)
from seed_server.answers.offer_documents import way_back_document
from seed_server.fleet.coverage import PatchCoverage, Reached
from seed_server.fleet.endpoint_pages import Namesakes
from seed_server.fleet.problems import FleetProblem
from seed_server.fleet.queries import FleetStatus, install_counts
from seed_server.store.rows import EndpointRow, Namesake, ReportRow, ServedPayload


def status_document(status: FleetStatus) -> StatusDocument:
    """Return what ``--json`` prints."""
    return StatusDocument(
        server=status.server_name,
        serving=status.serving,
        repository_problem=status.repository_problem or None,
        patches=tuple(patch_document(status, patch) for patch in status.patches),
        endpoints=tuple(endpoint_documents(status)),
        problems=problem_documents(status.problems),
    )


def problem_documents(problems: Iterable[FleetProblem]) -> tuple[ProblemDocument, ...]:
    """Return what ``--json`` prints of what the operator should know."""
    return tuple(ProblemDocument(text=one.text, mend=one.mend, urgent=one.urgent) for one in problems)


def endpoint_documents(status: FleetStatus) -> Iterator[EndpointDocument]:
    """Yield what ``--json`` prints of each PC."""
    namesakes = Namesakes.among(status.endpoints)
    for endpoint in status.endpoints:
        yield endpoint_document(endpoint, namesakes.of(endpoint), connected=endpoint.connected and status.serving)


def endpoint_document(endpoint: EndpointRow, namesakes: Iterable[Namesake], *, connected: bool) -> EndpointDocument:
    """Return what ``--json`` prints of a PC."""
    return EndpointDocument(
        id=endpoint.endpoint_id,
        hostname=endpoint.hostname,
        site=endpoint.site or None,
        address=endpoint.address or None,
        software=endpoint.software or None,
        connected=connected,
        denied=endpoint.denied,
        pending=endpoint.pending,
        same_name=tuple(one.endpoint_id for one in namesakes),
        tags=endpoint.tags,
        enrolled_at=endpoint.enrolled_at,
        last_seen_at=endpoint.last_seen_at or None,
        claimed_site=endpoint.claimed_site or None,
        refuses=endpoint.refuses or None,
        shared_with=endpoint.shared_with or None,
    )


def patch_document(status: FleetStatus, patch: ServedPayload) -> PatchDocument:
    """Return what ``--json`` prints of a patch; ``status`` has the reports on it."""
    reports = status.of_patch(patch)
    payloads = (asdict(payload) for payload in status.payloads_of(patch))
    facts = StatusPayloadDocument.__struct_fields__
    return PatchDocument(
        id=patch.patch_id,
        version=patch.version,
        title=patch.title,
        severity=patch.severity,
        cvss=patch.cvss,
        length_bytes=patch.length_bytes,
        sha256=patch.sha256,
        payloads=tuple(StatusPayloadDocument(**{name: payload[name] for name in facts}) for payload in payloads),
        published_at=patch.published_at,
        announced=patch.ref not in status.unannounced,
        damaged=status.damage_of(patch) or None,
        withdrawn=status.withdrawn.get(patch.ref),
        replaced=patch.ref in status.replaced,
        replaced_by=status.replaced.get(patch.ref) or None,
        endpoints_verified=status.verified_on(patch),
        install=InstallCountsDocument(**install_counts(reports)),
        reached=_reached_document(status.coverage_of(patch)),
        endpoints=tuple(_report_document(status, report) for report in reports),
        sites=tuple(
            PatchSiteDocument(site=site, wan_bytes=count, origin_ratio=round(ratio, 4))
            for site, count, ratio in status.sites_of(patch)
        ),
        back=way_back_document(status.back.get(patch.ref)),
        smaller=tuple(
            SmallerUpdateDocument(str(one.base) if one.base else None, round(one.ready, 4)) for one in status.smaller
        ),
    )


def _report_document(status: FleetStatus, report: ReportRow) -> PatchEndpointDocument:
    endpoint = status.endpoint_by_id[report.endpoint_id]
    return PatchEndpointDocument(
        id=report.endpoint_id,
        hostname=endpoint.hostname,
        site=endpoint.site or None,
        state=report.state,
        progress=report.progress,
        bytes_from_origin=report.bytes_from_origin,
        bytes_from_peers=report.bytes_from_peers,
        bytes_wasted=report.bytes_wasted,
        bytes_built=report.bytes_built,
        seconds=report.seconds,
        error=report.error or None,
        install=report.install or None,
        install_reason=report.install_reason or None,
        install_output=report.install_output or None,
        reported_at=report.reported_at,
    )


def _reached_document(covered: PatchCoverage) -> ReachedDocument:
    return ReachedDocument(
        endpoints=covered.total,
        installed=covered.count(Reached.INSTALLED),
        delivered=covered.count(Reached.DELIVERED),
        under_way=covered.count(Reached.UNDER_WAY),
        failed=covered.count(Reached.FAILED),
        away=covered.count(Reached.AWAY),
        silent=covered.count(Reached.SILENT),
        not_applicable=covered.count(Reached.NOT_APPLICABLE),
    )

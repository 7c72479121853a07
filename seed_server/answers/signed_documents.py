"""What is printed of templates and bundles, made of what `seed_server.fleet` answers."""

from seed_server.answers.bundles import BundleDocument
from seed_server.answers.signed import AnswerDocument, TemplateDocument, TemplateEndpointDocument, TemplateItemDocument
from seed_server.fleet.queries import Findings
from seed_server.signing.bundle import Bundle
from seed_server.store.rows import EndpointRow


def findings_document(findings: Findings) -> TemplateDocument:
    """Return what ``--json`` prints."""
    return TemplateDocument(
        name=findings.template.name,
        title=findings.template.title,
        items=tuple(template_item_document(findings, item.label) for item in findings.template.items),
        endpoints=tuple(_endpoint_document(findings, endpoint) for endpoint in findings.endpoints),
    )


def bundle_document(bundle: Bundle, state: str) -> BundleDocument:
    """Return what is printed of a bundle that is in ``state``."""
    return BundleDocument(
        bundle_id=bundle.bundle_id,
        purpose=bundle.purpose,
        state=state,
        prepared_by=bundle.prepared_by,
        prepared_at=bundle.prepared_at,
    )


def template_item_document(findings: Findings, label: str) -> TemplateItemDocument:
    """Return how many PCs answered an item with what."""
    rows = findings.of_item(label)
    return TemplateItemDocument(
        label=label,
        needed=sum(row.needed is True for row in rows),
        not_needed=sum(row.needed is False for row in rows),
        not_applicable=sum(row.needed is None for row in rows),
        unanswered=len(findings.endpoints) - len(rows),
    )


def _endpoint_document(findings: Findings, endpoint: EndpointRow) -> TemplateEndpointDocument:
    rows = findings.by_endpoint.get(endpoint.endpoint_id, [])
    return TemplateEndpointDocument(
        id=endpoint.endpoint_id,
        hostname=endpoint.hostname,
        site=endpoint.site or None,
        tags=endpoint.tags,
        answered_at=max((row.at for row in rows), default=None),
        answers=tuple(
            AnswerDocument(label=row.label, applies=row.applies, needed=row.needed, reason=row.reason or None)
            for row in rows
        ),
    )

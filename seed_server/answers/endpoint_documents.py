"""What is printed of PCs, made of what `seed_server.fleet` answers."""

from p2pdist.shared.manifest.inventory import PACKAGES_TOLD, packages_told
from seed_server.answers.endpoint import (
    EndpointCardDocument,
    EndpointEnrolmentDocument,
    EndpointNeighbourDocument,
    EndpointPackageDocument,
    ForgottenEndpointDocument,
    UnmanagedDocument,
    UnmanagedNeighbourDocument,
)
from seed_server.answers.fleet import EndpointsPageDocument
from seed_server.answers.history_documents import history_document
from seed_server.answers.standing_documents import standing_document
from seed_server.answers.status_documents import endpoint_document
from seed_server.fleet.endpoint_card import EndpointCard
from seed_server.fleet.endpoint_pages import EndpointsPage
from seed_server.fleet.unmanaged import Unmanaged
from seed_server.store.rows import EndpointRow


def endpoints_page_document(page: EndpointsPage) -> EndpointsPageDocument:
    """Return what is printed of a page of PCs."""
    rows = (
        endpoint_document(row, page.namesakes.of(row), connected=row.connected and page.serving) for row in page.rows
    )
    return EndpointsPageDocument(
        server=page.server_name, serving=page.serving, total=page.total, rows=tuple(rows), next=page.after or None
    )


def endpoint_card_document(card: EndpointCard) -> EndpointCardDocument:
    """Return what is printed of all that is known of a PC."""
    known, inventory = card.known, card.inventory
    told = None if inventory is None else packages_told(inventory.facts)
    return EndpointCardDocument(
        server=card.server_name,
        serving=card.serving,
        endpoint=endpoint_document(card.endpoint, card.namesakes, connected=card.connected),
        enrolments=tuple(
            EndpointEnrolmentDocument(one.token_id, one.at, one.made_by or None) for one in known.enrolments
        ),
        forgotten_at=tuple(one.forgotten_at for one in known.forgotten),
        facts=None if known.facts is None else {name: str(value) for name, value in known.facts.items()},
        packages=None if inventory is None else inventory.packages,
        packages_told=None if told is None else told.value,
        installed=None
        if card.packages is None
        else tuple(
            EndpointPackageDocument(ecosystem.value, name, version) for (ecosystem, name), version in card.packages
        ),
        inventory_facts=None if inventory is None else {n: v for n, v in inventory.facts.items() if n != PACKAGES_TOLD},
        inventory_at=None if inventory is None else inventory.told_at,
        inventory_asked=card.asked,
        findings=tuple(known.findings),
        connected_beside=known.beside if card.serving else None,
        beside=tuple(
            EndpointNeighbourDocument(one.endpoint_id, one.hostname, one.address)
            for one in (known.some_beside if card.serving else ())
        ),
        patches=tuple(map(standing_document, card.patches)),
        steps_left_out=0 if card.left_out is None else card.left_out.steps,
        steps_left_out_at=None if card.left_out is None else card.left_out.last_at,
        history=tuple(map(history_document, card.steps)),
    )


def forgotten_document(row: EndpointRow, *, forgotten: bool) -> ForgottenEndpointDocument:
    """Return what is printed of a PC that is, or would be, forgotten."""
    return ForgottenEndpointDocument(
        id=row.endpoint_id,
        hostname=row.hostname,
        site=row.site or None,
        last_seen_at=row.last_seen_at or None,
        forgotten=forgotten,
    )


def unmanaged_document(found: Unmanaged) -> UnmanagedDocument:
    """Return what is printed of machines that are no enrolled PCs."""
    return UnmanagedDocument(
        asked=found.asked,
        telling=found.tellers.telling,
        pcs=found.tellers.allowed,
        machines=tuple(
            UnmanagedNeighbourDocument(
                site=row.site,
                card=row.card,
                address=row.address,
                seen_by=row.seen_by,
                first_seen_at=row.first_at,
                last_seen_at=row.last_at,
            )
            for row in found.rows
        ),
        more=found.more,
    )

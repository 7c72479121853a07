"""What is printed of PCs and patches one by one, made of what `seed_server.fleet` answers."""

from seed_server.answers.standing import StandingDocument, StandingPageDocument
from seed_server.fleet.overview import FleetHead
from seed_server.fleet.standing import PatchOnPc, StandingPage


def standing_document(row: PatchOnPc) -> StandingDocument:
    """Return what is printed of one PC and one patch."""
    pc = row.pc
    return StandingDocument(
        patch=row.patch.patch_id,
        version=row.patch.version,
        id=pc.endpoint_id,
        hostname=pc.hostname,
        site=pc.site or None,
        connected=pc.connected,
        last_seen_at=pc.last_seen_at or None,
        reached=row.reached.name.lower(),  # type: ignore[arg-type]  # its names are those of the document
        state=pc.state or None,
        progress=pc.progress,
        bytes_from_origin=pc.bytes_from_origin,
        bytes_from_peers=pc.bytes_from_peers,
        bytes_wasted=pc.bytes_wasted,
        bytes_built=pc.bytes_built,
        seconds=pc.seconds,
        error=pc.error or None,
        install=pc.install or None,
        install_reason=pc.install_reason or None,
        install_output=pc.install_output or None,
        reported_at=pc.reported_at if pc.said else None,
    )


def standing_page_document(head: FleetHead, page: StandingPage) -> StandingPageDocument:
    """Return what is printed of a page of PCs."""
    return StandingPageDocument(
        server=head.server_name,
        serving=head.serving,
        total=page.total,
        rows=tuple(map(standing_document, page.rows)),
        next=page.after or None,
    )

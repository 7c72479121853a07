"""What is printed of what happened and of its archives, made of what `seed_server.fleet` answers."""

from typing import TYPE_CHECKING

from seed_server.answers.history import ArchiveDocument, HistoryRowDocument, LegalHoldDocument
from seed_server.fleet.archives import Archive
from seed_server.store.event_rows import HistoryRow

if TYPE_CHECKING:
    from seed_server.store.archived_months import LegalHold


def history_document(row: HistoryRow) -> HistoryRowDocument:
    """Return what is printed of a step."""
    return HistoryRowDocument(
        at=row.at,
        endpoint_id=row.endpoint_id,
        hostname=row.hostname,
        site=row.site,
        patch_id=row.patch_id,
        version=row.version,
        state=row.state,
        install=row.install or None,
        because=row.because or None,
    )


def archive_document(one: Archive) -> ArchiveDocument:
    """Return what is printed of a month's archive."""
    return ArchiveDocument(
        month=one.month,
        file=one.file,
        state=one.state,
        events=one.events,
        bytes=one.bytes,
        sha256=one.sha256,
        archived_at=one.archived_at or None,
        entry=one.entry,
    )


def legal_hold_document(hold: "LegalHold") -> LegalHoldDocument:
    """Return what is printed of a legal hold."""
    return LegalHoldDocument(
        number=hold.number,
        reason=hold.reason,
        begun_by=hold.begun_by,
        begun_at=hold.begun_at,
        released_by=hold.released_by or None,
        released_at=hold.released_at,
    )

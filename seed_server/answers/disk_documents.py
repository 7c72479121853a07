"""What is printed of the disk, made of what `seed_server.fleet` answers."""

from seed_server.answers.disk import (
    ContentFileDocument,
    ContentUseDocument,
    DiskCleanDocument,
    DiskDocument,
    UsedRoomDocument,
)
from seed_server.fleet.disk_usage import ContentFile, DiskUsage
from seed_server.publishing.content_plan import ContentPlan


def files_going(plan: ContentPlan) -> list[ContentFile]:
    """Return the files that go, the largest first."""
    return [
        ContentFile(one.payload.sha256, one.payload.bytes, one.uses, False, None, one.because)
        for one in sorted(plan.removals, key=lambda one: -one.payload.bytes)
    ]


def _file_document(one: ContentFile) -> ContentFileDocument:
    uses = [
        ContentUseDocument(str(use.ref), use.use, str(use.superseded_by) if use.superseded_by else None)
        for use in one.uses
    ]
    return ContentFileDocument(one.sha256, one.bytes, tuple(uses), one.needed, one.idle_since, one.goes)


def disk_document(found: DiskUsage) -> DiskDocument:
    """Return what is printed of the whole disk."""
    return DiskDocument(
        free_bytes=found.free_bytes,
        disk_bytes=found.disk_bytes,
        used=tuple(UsedRoomDocument(one.kind, one.files, one.bytes) for one in found.used),
        content=tuple(map(_file_document, found.payloads)),
        idle_bytes=found.idle_bytes,
        going_bytes=found.plan.bytes,
        most_bytes=found.rules.most_bytes or None,
        over_bytes=found.plan.over_bytes,
        content_free_bytes=found.content_free_bytes,
        expired_roles=found.plan.expired,
        unknown=found.unknown or None,
    )


def disk_clean_document(plan: ContentPlan, *, dry_run: bool) -> DiskCleanDocument:
    """Return what is printed of what goes."""
    return DiskCleanDocument(
        dry_run=dry_run,
        content=tuple(map(_file_document, files_going(plan))),
        bytes=plan.bytes,
        coded_bytes=plan.coded_bytes,
        idle_bytes=plan.idle_bytes,
        over_bytes=plan.over_bytes,
        expired_roles=plan.expired,
    )

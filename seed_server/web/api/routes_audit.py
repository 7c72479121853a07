"""Routes over the audit log, archives, legal holds, and what takes room on the disk."""

from typing import Annotated

from msgspec import Meta

from seed_server.answers.audit import AuditAlarmDocument, AuditEntryDocument, AuditProofDocument, AuditVerifyDocument
from seed_server.answers.audit_documents import (
    alarm_documents,
    audit_entry_document,
    audit_proof_document,
    audit_verify_document,
)
from seed_server.answers.disk import DiskCleanDocument, DiskDocument
from seed_server.answers.disk_documents import disk_clean_document, disk_document
from seed_server.answers.history import ArchiveDocument, ArchiveVerifyDocument, LegalHoldDocument
from seed_server.answers.history_documents import archive_document, legal_hold_document
from seed_server.fleet import audit_queries, legal_holds
from seed_server.fleet.archives import list_archives
from seed_server.fleet.audit_queries import Wanted
from seed_server.fleet.content_operations import clean_content, read_content
from seed_server.fleet.disk_usage import read_disk
from seed_server.fleet.roles import WHOLE_FLEET
from seed_server.web.api.given import Body, MaybeName, OfNumber, OnlyReason, PerhapsReason
from seed_server.web.api.paging import Page, Paged, page_of
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.route import API, ApiCall, Nothing, Right, Route

_AUDITING: Right = ("audit", WHOLE_FLEET)
_AUDIT, _ARCHIVES, _DISK = "Audit log", "Archives", "Disk"
_FAULTS = frozenset({"changed", "missing", "unknown"})
_HOLDS = "seed_server.fleet.legal_holds."


class Audited(Paged, frozen=True):
    """Which entries."""

    actor: Annotated[MaybeName, Meta(description="Only what they did: ada, local:root, seed-server.")] = ""
    operation: Annotated[MaybeName, Meta(description="Only this: publish, withdraw, deny …")] = ""
    subject: Annotated[MaybeName, Meta(description="Only what was done to it: a patch, a PC's id, a site …")] = ""


def _entries(call: ApiCall[Audited, None]) -> Page[AuditEntryDocument]:
    given = call.given
    if given.after and not (given.after.isdecimal() and given.after.isascii() and len(given.after) < 19):
        raise ApiProblemError("not-acceptable", f"after {given.after[:40]!r} is no end of a page. Begin anew.")
    wanted = Wanted(given.actor, given.operation, given.subject)
    before = int(given.after) if given.after else None
    found = audit_queries.newest_entries(call.context, wanted, given.limit + 1, before=before)
    shown = found[: given.limit]
    return Page(
        tuple(map(audit_entry_document, shown)), str(shown[-1].entry.number) if len(found) > given.limit else None
    )


def _verify(call: ApiCall[Nothing, None]) -> AuditVerifyDocument:
    return audit_verify_document(audit_queries.verify_log(call.context))


def _prove(call: ApiCall[OfNumber, None]) -> AuditProofDocument:
    return audit_proof_document(audit_queries.prove_entry(call.context, call.given.number))


def _alarms(call: ApiCall[Paged, None]) -> Page[AuditAlarmDocument]:
    found = list(enumerate(alarm_documents(audit_queries.read_alarms(call.context))))
    return page_of(found, call.given, lambda one: one[0], lambda one: one[1])


def _archives(call: ApiCall[Paged, None]) -> Page[ArchiveDocument]:
    found = list_archives(call.context, check=False)
    return page_of(found, call.given, lambda one: one.file, archive_document)


def _verify_archives(call: ApiCall[Nothing, None]) -> ArchiveVerifyDocument:
    found = list_archives(call.context, check=True)
    return ArchiveVerifyDocument(
        whole=not any(one.state in _FAULTS for one in found), archives=tuple(map(archive_document, found))
    )


def _holds(call: ApiCall[Paged, None]) -> Page[LegalHoldDocument]:
    found = legal_holds.read_legal_holds(call.context)
    return page_of(found, call.given, lambda one: one.number, legal_hold_document)


def _hold(call: ApiCall[Nothing, OnlyReason]) -> LegalHoldDocument:
    return legal_hold_document(legal_holds.hold_history(call.context, call.actor, call.body.reason))


def _release(call: ApiCall[OfNumber, PerhapsReason]) -> LegalHoldDocument:
    number, reason = call.given.number, call.body.reason
    return legal_hold_document(legal_holds.release_history(call.context, call.actor, number, reason))


def _disk(call: ApiCall[Nothing, None]) -> DiskDocument:
    return disk_document(read_disk(call.context))


class Cleaning(Body, frozen=True):
    """What is to go."""

    all: Annotated[bool, Meta(description="All that nobody needs, also what has not had its time.")] = False
    dry_run: Annotated[bool, Meta(description="Only answer what would go, and why.")] = False


def _clean(call: ApiCall[Nothing, Cleaning]) -> DiskCleanDocument:
    body = call.body
    if body.dry_run:
        plan = read_content(call.context, at_once=body.all)
    else:
        plan = clean_content(call.context, call.actor, at_once=body.all)
    return disk_clean_document(plan, dry_run=body.dry_run)


AUDIT_ROUTES = (
    Route("GET", f"{API}/audit", "listAuditEntries", "What was done, by whom and why, the newest first", _entries,
          Page[AuditEntryDocument], _AUDIT, Audited, right=_AUDITING, commands=("audit list",)),
    Route("GET", f"{API}/audit/verify", "verifyAuditLog", "Whether nothing in the log was changed", _verify,
          AuditVerifyDocument, _AUDIT, Nothing, right=_AUDITING, commands=("audit verify",)),
    Route("GET", f"{API}/audit/alarms", "listAuditAlarms", "PCs that have seen another log before", _alarms,
          Page[AuditAlarmDocument], _AUDIT, Paged, right=_AUDITING, commands=("audit alarms",)),
    Route("GET", f"{API}/audit/{{number}}/proof", "proveAuditEntry", "The proof that an entry is in the log", _prove,
          AuditProofDocument, _AUDIT, OfNumber, right=_AUDITING, commands=("audit prove",)),
    Route("GET", f"{API}/archives", "listArchives", "Months that have left the database", _archives,
          Page[ArchiveDocument], _ARCHIVES, Paged, right=_AUDITING, commands=("archive list",)),
    Route("GET", f"{API}/archives/verify", "verifyArchives", "Whether archives are what the audit log says",
          _verify_archives, ArchiveVerifyDocument, _ARCHIVES, Nothing, right=_AUDITING, commands=("archive verify",)),
    Route("GET", f"{API}/legal-holds", "listLegalHolds", "What keeps all that happened", _holds,
          Page[LegalHoldDocument], _ARCHIVES, Paged, right=_AUDITING),
    Route("POST", f"{API}/legal-holds", "holdHistory", "Keep all that happened until this is released", _hold,
          LegalHoldDocument, _ARCHIVES, Nothing, OnlyReason, operation=f"{_HOLDS}hold_history", status=201,
          commands=("archive hold",), example={"reason": "case 17"}),
    Route("POST", f"{API}/legal-holds/{{number}}/release", "releaseHistory", "Release a legal hold", _release,
          LegalHoldDocument, _ARCHIVES, OfNumber, PerhapsReason, operation=f"{_HOLDS}release_history",
          commands=("archive release",), example={"reason": "the case is closed"}),
    Route("GET", f"{API}/disk", "getDisk", "What takes room on the disk, and what for", _disk, DiskDocument, _DISK,
          Nothing, commands=("disk",)),
    Route("POST", f"{API}/disk/clean", "cleanDisk", "Remove files of patches that nobody needs", _clean,
          DiskCleanDocument, _DISK, Nothing, Cleaning,
          operation="seed_server.fleet.content_operations.clean_content", commands=("disk clean",),
          example={"dry_run": True}),
)  # fmt: skip
"""The rows of the table that are about what happened and what is kept of it."""

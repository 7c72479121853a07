"""What is printed of the audit log and of what PCs have signed, made of what `seed_server.fleet` answers."""

import base64
from collections.abc import Iterator

from p2pdist.shared.audit_checkpoint import verifier_key
from seed_server.answers.audit import AuditAlarmDocument, AuditEntryDocument, AuditProofDocument, AuditVerifyDocument
from seed_server.answers.custody import CustodyDocument, CustodyLogDocument, CustodyRecordDocument
from seed_server.fleet.audit_queries import Alarms, EntryProof, LogCheck, LoggedEntry
from seed_server.fleet.custody_queries import CustodyView, ProvedRecord


def alarm_documents(alarms: Alarms) -> Iterator[AuditAlarmDocument]:
    """Yield what is printed of what PCs have found, and of what was found of them."""
    for seen in alarms.of_log:
        yield AuditAlarmDocument(
            endpoint_id=seen.endpoint_id,
            hostname=seen.hostname,
            about="audit log",
            fault=seen.fault,
            known=seen.known,
            told=seen.told,
            at=seen.at,
        )
    for found in alarms.of_records:
        yield AuditAlarmDocument(
            endpoint_id=found.endpoint_id,
            hostname=found.hostname,
            about="install records",
            fault=found.fault,
            known=None,
            told=None,
            at=found.at,
        )


def audit_entry_document(one: LoggedEntry) -> AuditEntryDocument:
    """Return what is printed of an entry."""
    entry = one.entry
    return AuditEntryDocument(
        number=entry.number,
        at=entry.at,
        actor=entry.actor,
        known_by=entry.known_by,
        role=entry.role,
        address=entry.address,
        request=entry.request,
        operation=entry.operation,
        subject=entry.subject,
        reason=entry.reason,
        before=entry.before.hex(),
        after=entry.after.hex(),
        details=entry.details,
        entry=base64.b64encode(one.data).decode(),
        leaf=one.leaf.hex(),
    )


def custody_document(view: CustodyView) -> CustodyDocument:
    """Return what is printed of what a PC has signed of its installations."""
    return CustodyDocument(
        endpoint_id=view.endpoint_id,
        hostname=view.hostname,
        logs=tuple(
            CustodyLogDocument(
                log=log.log,
                first=log.first,
                size=log.size,
                root=log.root.hex(),
                statement=log.statement,
                fault=log.fault,
                problem=log.problem,
            )
            for log in view.logs
        ),
        records=tuple(map(_custody_record, view.records)),
        held_back=view.held_back,
        held_back_at=view.held_back_at or None,
    )


def _custody_record(one: ProvedRecord) -> CustodyRecordDocument:
    return CustodyRecordDocument(
        log=one.log,
        number=one.number,
        at=one.record.at,
        patch_id=one.record.patch_id,
        version=one.record.version,
        publication=one.record.number,
        decision=one.record.decision,
        outcome=one.record.outcome,
        failure=one.record.failure,
        installed_as=one.record.installed_as,
        record=base64.b64encode(one.data).decode(),
        hashes=tuple(found.hex() for found in one.hashes),
    )


def audit_verify_document(check: LogCheck) -> AuditVerifyDocument:
    """Return what is printed of whether the log is whole."""
    verdict = check.verdict
    return AuditVerifyDocument(
        whole=not verdict.problems,
        entries=verdict.size,
        root=verdict.root.hex(),
        vouched_by=check.vouched_by,
        problems=verdict.problems,
    )


def audit_proof_document(proof: EntryProof) -> AuditProofDocument:
    """Return what is printed of the proof that an entry is in the log."""
    return AuditProofDocument(
        entry=audit_entry_document(proof.logged),
        number=proof.logged.entry.number,
        size=proof.checkpoint.size,
        hashes=tuple(one.hex() for one in proof.hashes),
        checkpoint=proof.note.decode(),
        verifier_key=verifier_key(proof.checkpoint),
    )

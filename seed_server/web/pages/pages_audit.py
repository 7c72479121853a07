"""The pages *audit*, *entry* and *log*: who did what and why, and the proof that nothing of it was changed."""

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from p2pdist.shared.audit_checkpoint import verifier_key
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import tr
from p2pdist.shared.manifest.staged import MAX_CHECKPOINT_BYTES
from seed_server.answers.audit import AuditAlarmDocument
from seed_server.answers.audit_documents import alarm_documents, audit_proof_document
from seed_server.fleet.audit_queries import EntryProof, LogCheck, prove_entry, read_alarms, verify_log
from seed_server.fleet.audit_search import (
    AuditQuestion,
    ConsistencyProof,
    newest_checkpoint,
    prove_consistency,
    read_entry,
    search_log,
)
from seed_server.fleet.context import Context
from seed_server.fleet.roles import WHOLE_FLEET
from seed_server.web.api.given import Given, GivenNumber, MaybeName, OfNumber
from seed_server.web.api.paging import Limit
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.route import Nothing, Right
from seed_server.web.frame.addresses import address_of
from seed_server.web.frame.page import LIST_ROWS, Asked, FileAnswer, Form, Page, Shown
from seed_server.web.pages.audit_links import listed, meaning_of, page_of_entry, page_of_person, same_request
from seed_server.web.pages.given_days import Day, midnight

AUDITING: Right = ("audit", WHOLE_FLEET)
MOST_COMPUTED = 100_000  # entries that a page computes anew: a second; a longer log is for the command line


class OfAudit(Given, frozen=True):
    """Which entries, the newest first."""

    limit: Limit = LIST_ROWS
    after: Annotated[GivenNumber, Meta(description="Only with smaller numbers; 0: the newest.")] = 0
    who: Annotated[MaybeName, Meta(description="Who did it.")] = ""
    deed: Annotated[MaybeName, Meta(description="Some of what was done.")] = ""
    subject: Annotated[MaybeName, Meta(description="Some of what it was done to.")] = ""
    request: Annotated[MaybeName, Meta(description="The id of a request.")] = ""
    rollout: Annotated[GivenNumber, Meta(description="All of this rollout; 0: whatever.")] = 0
    since: Day = ""
    until: Annotated[Day, Meta(description="The last day.")] = ""


def question_of(given: OfAudit) -> AuditQuestion:
    """Return what is asked for. Raises `ApiProblemError` for a day that no calendar has."""
    return AuditQuestion(
        who=given.who.strip(),
        deed=given.deed.strip(),
        subject=given.subject.strip(),
        request=given.request.strip(),
        rollout=given.rollout or None,
        since=midnight(given.since) if given.since else None,
        until=midnight(given.until, later=1) if given.until else None,
    )


def _audit(asked: Asked[OfAudit]) -> Shown:
    given = asked.given
    found = search_log(asked.context, question_of(given), given.limit, before=given.after or None)
    alarms = read_alarms(asked.context)
    values = {
        "given": given,
        "entries": listed(found.entries),
        "looked_at": found.looked_at,
        "next": found.before,
        "size": found.size,
        "alarms": len(alarms.of_log) + len(alarms.of_records),
        "tabs": _tabs(given),
    }
    return Shown(tr("Audit log"), values)


def _tabs(given: OfAudit) -> list[tuple[str, str, bool]]:
    kinds = (
        (tr("All"), ""),
        (tr("Approvals"), "approve"),
        (tr("Rollouts"), "rollout"),
        (tr("Withdrawals"), "withdraw"),
        (tr("People"), "account"),
        (tr("API tokens"), "api token"),
        (tr("Webhooks"), "webhook"),
    )
    return [(label, address_of("/audit", deed=deed), given.deed == deed) for label, deed in kinds]


# --- an entry ----------------------------------------------------------------------------


def _entry(asked: Asked[OfNumber]) -> Shown:
    number = asked.given.number
    logged = read_entry(asked.context, number)
    if logged is None:
        raise ApiProblemError("no-such-thing", tr("The audit log has no entry {number}.", number=number))
    proof, wrong = _proof(asked.context, number)
    entry = logged.entry
    values = {
        "entry": entry,
        "leaf": logged.leaf.hex(),
        "meaning": meaning_of(entry),
        "page": page_of_entry(entry),
        "person": page_of_person(entry),
        "same_request": same_request(entry),
        "proof": proof,
        "hashes": [one.hex() for one in proof.hashes] if proof else [],
        "wrong": wrong,
        "newer": number + 1 if proof and number + 1 < proof.checkpoint.size else None,
    }
    return Shown(tr("Entry {number} of the audit log", number=number), values)


def _proof(context: Context, number: int) -> tuple[EntryProof | None, str]:
    """Return the proof of an entry; where there is none, why: the entry is shown in any case."""
    try:
        return prove_entry(context, number), ""
    except UserError as error:
        if error.kind is not FaultKind.STORAGE:
            raise
        return None, error.message


def _proof_file(asked: Asked[OfNumber]) -> FileAnswer:
    number = asked.given.number
    document = audit_proof_document(prove_entry(asked.context, number))
    text = json.dumps(msgspec.to_builtins(document), indent=2, ensure_ascii=False)
    return FileAnswer(f"audit-{number}-proof.json", "application/json", f"{text}\n".encode())


# --- the log as a whole ------------------------------------------------------------------


class OfLog(Given, frozen=True):
    """What is to be computed."""

    compute: Annotated[Literal["", "yes"], Meta(description="Compute every hash anew.")] = ""


def _log(asked: Asked[OfLog]) -> Shown:
    return Shown(tr("Proof of the audit log"), _log_values(asked.context, compute=bool(asked.given.compute)))


def _log_values(context: Context, *, compute: bool) -> dict[str, Any]:
    newest = newest_checkpoint(context)
    size = 0 if newest is None else newest[0].size
    computable = size <= MOST_COMPUTED
    check: LogCheck | None = verify_log(context) if compute and computable else None
    alarms: list[AuditAlarmDocument] = list(alarm_documents(read_alarms(context)))
    return {
        "checkpoint": None if newest is None else newest[0],
        "note": "" if newest is None else newest[1].decode(),
        "verifier_key": "" if newest is None else verifier_key(newest[0]),
        "computable": computable,
        "most_computed": MOST_COMPUTED,
        "check": check,
        "alarms": alarms,
        "consistency": None,
    }


def _checkpoint_file(asked: Asked[Nothing]) -> FileAnswer:
    newest = newest_checkpoint(asked.context)
    if newest is None:
        raise ApiProblemError("no-such-thing", tr("Nothing is in the audit log yet."))
    return FileAnswer(f"audit-checkpoint-{newest[0].size}", "text/plain; charset=utf-8", newest[1])


class KeptCheckpoint(Given, frozen=True):
    """A checkpoint that somebody has kept elsewhere."""

    checkpoint: Annotated[str, Meta(min_length=1, max_length=MAX_CHECKPOINT_BYTES)]


def note_of(typed: str) -> bytes:
    """Return the signed note in what a browser sends: with line breaks of its own, and without the last one."""
    return f"{typed.replace(chr(13), '').strip()}\n".encode()


def _compare(sent: Any) -> Shown:
    proof: ConsistencyProof = prove_consistency(sent.context, note_of(sent.body.checkpoint))
    values = _log_values(sent.context, compute=False)
    values["consistency"] = proof
    values["consistency_hashes"] = [one.hex() for one in proof.hashes]
    return Shown(tr("Proof of the audit log"), values)


AUDIT_PAGES = (
    Page("/audit", "audit", _audit, OfAudit, right=AUDITING),
    Page("/audit/{number}", "audit_entry", _entry, OfNumber, right=AUDITING),
    Page("/audit/{number}/proof", "audit_proof", _proof_file, OfNumber, right=AUDITING),
    Page("/audit-log", "audit_log", _log, OfLog, right=AUDITING),
    Page("/audit-log/checkpoint", "audit_checkpoint", _checkpoint_file, Nothing, right=AUDITING),
)
AUDIT_FORMS = (Form("/audit-log/compare", "compare-checkpoint", _compare, Nothing, KeptCheckpoint, "", "audit_log"),)

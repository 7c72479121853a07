"""What a server does that was restored from a backup: it learns from its PCs what came after, and goes on. Blocking.

What PCs hand in is signed, by the offline keys or by this server's own, so it is adopted. What no document says (how a
rollout stood, whom an operator had in mind) is not guessed: rollouts are halted until a person has looked. ADR 0066.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.documents import MAX_REASON_CHARS, Withdrawal
from p2pdist.shared.manifest.staged import MAX_STAGED, StagedRollouts
from p2pdist.shared.printable_text import printable
from seed_server.enrolment.certificate_authority import ENDPOINT_LIFETIME_SECONDS
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.rollout import STOPPED_STATES, RolloutReason, RolloutState, RolloutStep, stopped
from seed_server.fleet.rollout_announcing import read_rollouts
from seed_server.fleet.rollout_operations import save_progress
from seed_server.publishing.publish import rows_of
from seed_server.signing.adoption import Adopted
from seed_server.store.content_store import ContentStore
from seed_server.store.restored_mark import RestoredMark
from seed_server.store.rollout_records import ExceptionRow

if TYPE_CHECKING:
    from seed_server.signing.repository import Repository
    from seed_server.store.database import Database

RESTORED_WORDS = "this server was restored from a backup: look at it before it goes on"
LOST_PAYLOAD = (
    "it is not on this server since that was restored: publish the same file again under the same id and version"
)
MAX_SUBJECT_CHARS = 200  # of an entry: some names
BACKUP_SKEW_SECONDS = 300.0  # of what a backup and a certificate say of the time

log = lazy_log()


def halt_rollouts(context: Context, database: "Database") -> int:
    """Halt every rollout that goes on by itself: how far it had come is not known. Return how many were halted.

    Nothing is announced by that yet.
    """
    now, halted = context.clock.now(), 0
    live, _ = read_rollouts(database, live=True)
    for kept in live:
        if kept.progress.state in STOPPED_STATES or kept.progress.state is RolloutState.COMPLETE:
            continue
        deed = Deed(f"rollout: {RolloutStep.HALTED.value}", str(kept.row.number), reason=RESTORED_WORDS)
        after = stopped(kept.progress, RolloutStep.HALTED, RolloutReason.HALTED, now, RESTORED_WORDS)
        with context.audited(Actor.engine(), deed) as audited:
            save_progress(audited, kept, after, now, deed)
        halted += 1
    if halted:
        log.warning("rollouts are halted: this server was restored from a backup", rollouts=halted)
    return halted


def adopt(context: Context, database: "Database", before: Callable[[], None]) -> Adopted | None:
    """Adopt what PCs have handed in, with an entry in the audit log; None: nothing of it is newer.

    ``before`` is called if there is something to adopt, before anything is written; what it raises ends this.
    Raises `NotAdoptableError`, and `UserError`: REFUSED, BUSY, STORAGE.
    """
    deed = Deed("adopt signed files", reason="PCs trust newer ones than this server had")
    repository = context.repository(context.recorded(Actor.engine(), deed))
    adopted = repository.adopt_presented(context.clock.now(), before)
    if adopted is None:
        return None
    log.warning("newer signed files of PCs are adopted", roots=adopted.roots, roles=len(adopted.roles))
    if adopted.left:
        log.warning("some newer signed files wait for documents that no PC has handed in", roles=list(adopted.left))
    serve_adopted(context, repository, database)
    deny_again(context, repository, database)
    return adopted


def serve_adopted(context: Context, repository: "Repository", database: "Database") -> list[PatchRef]:
    """Enter the patches that the repository lists and the database does not; return those that lack a payload here."""
    known = {row.ref for row in database.payloads()}
    sequences = {entry.ref: entry.sequence for entry in repository.offered().entries}
    content, lacking = ContentStore(context.home.content), []
    for manifest in repository.manifests():
        if manifest.ref in known:
            continue
        rows = rows_of(manifest, sequences.get(manifest.ref, 0))
        with database.batch():
            database.add_patch(*rows)
            for row in rows:
                if content.lacks(row):
                    database.mark_damaged(row.torrent_hash, LOST_PAYLOAD)
                    lacking.append(manifest.ref)
    for ref in dict.fromkeys(lacking):
        log.warning("a patch is known again, and its file is not here: publish it again", patch=str(ref))
    return lacking


def deny_again(context: Context, repository: "Repository", database: "Database") -> int:
    """Deny the PCs that the signed list names, known here or not; return how many were not denied before."""
    enrolled = database.enrolled()
    denied = 0
    for endpoint_id in repository.current_denied().endpoints:
        if enrolled.get(endpoint_id):
            continue
        deed = Deed("deny", endpoint_id, reason="denied after the backup, as the list says that PCs keep")
        with context.audited(Actor.engine(), deed) as audited:
            deed.before = audited.endpoint(endpoint_id)
            if endpoint_id not in enrolled:
                audited.add_endpoint(endpoint_id, "", context.clock.now())
            audited.set_denied(endpoint_id, denied=True)
            deed.after = audited.endpoint(endpoint_id)
        denied += 1
    if denied:
        log.warning("PCs are denied again that were denied after the backup", endpoints=denied)
    return denied


def take_in(context: Context, repository: "Repository", database: "Database") -> None:
    """Make what PCs were told last the database's own state, as far as documents say it. Raises `UserError`."""
    deny_again(context, repository, database)
    staged, rollouts = repository.current_staged(), repository.current_rollouts()
    hold_again(context, database, staged)
    told = {one.ref: one.reason for one in (*rollouts.withdrawn, *staged.stopped)}
    _say_what_pcs_were_told(context, database, told)


def halt_unknown(context: Context, repository: "Repository", database: "Database") -> list[PatchRef]:
    """Halt by name what PCs are offered by rollouts that the database does not know; return what that is.

    They began after the backup. The mark must say by then that the server may sign again. Raises `UserError`.
    """
    staged = repository.current_staged()
    known = {row.ref for row in database.rollouts()}
    unknown = [entry for entry in staged.entries if entry.ref not in known]
    if not unknown:
        return []
    now, words = context.clock.now(), RESTORED_WORDS[:MAX_REASON_CHARS]
    gone = [Withdrawal(one.plan.patch_id, one.plan.version, one.sequence, words, int(now)) for one in unknown]
    entries = tuple(one for one in staged.entries if one.ref in known)
    after = replace(staged, entries=entries, stopped=(*staged.stopped, *gone)[-MAX_STAGED:])
    deed = Deed("rollouts: halt", " ".join(str(one.ref) for one in unknown)[:MAX_SUBJECT_CHARS], reason=RESTORED_WORDS)
    context.repository(context.recorded(Actor.engine(), deed)).stage(after, now=now)
    for one in unknown:
        log.warning("a rollout that began after the backup is halted: start it again", patch=str(one.ref))
    return [one.ref for one in unknown]


def hold_again(context: Context, database: "Database", staged: StagedRollouts) -> int:
    """Enter the exceptions that PCs were told of and that are not known here; return how many."""
    known = {(one.patch, one.expression, one.reason, int(one.ends_at)) for one in database.exceptions()}
    entered = 0
    for hold in staged.holds:
        if (hold.patch, hold.who, hold.reason, hold.until) in known:
            continue
        now = context.clock.now()
        row = ExceptionRow(0, hold.patch, hold.who, hold.reason, hold.owner, Actor.engine().who, now, float(hold.until))
        deed = Deed("exception", reason="PCs were told of it after the backup", after=row)
        with context.audited(Actor.engine(), deed) as audited:
            deed.subject = str(audited.add_exception(row))
        entered += 1
    return entered


def _say_what_pcs_were_told(context: Context, database: "Database", told: Mapping[PatchRef, str]) -> None:
    live, _ = read_rollouts(database, live=True)
    for kept in live:
        reason = told.get(kept.plan.ref)
        if reason is None or kept.progress.state is not RolloutState.HALTED:
            continue
        words = printable(f"{RESTORED_WORDS}. After the backup PCs were told: {reason}")[:MAX_REASON_CHARS]
        deed = Deed(f"rollout: {RolloutStep.HALTED.value}", str(kept.row.number), reason=words)
        why = kept.progress.why
        after = replace(kept.progress, why=replace(why, words=words))
        with context.audited(Actor.engine(), deed) as audited:
            save_progress(audited, kept, after, context.clock.now(), deed)


def take_back(
    context: Context, database: "Database", mark: RestoredMark, endpoint: str, hostname: str, issued_at: float
) -> bool:
    """Enrol a PC again that enrolled after the backup, as the certificate says that this server gave it.

    Return whether it was. A denied one is known and stays so. Whoever has a certificate of before the backup and is not
    known here was forgotten, as were those that were so since: it is no matter of the restore.
    """
    if not is_of_the_lost_time(mark, issued_at) or database.endpoint(endpoint) is not None:
        return False
    if (gone := database.forgotten_named(endpoint)) is not None and gone.forgotten_at >= mark.restored_at:
        return False
    deed = Deed("enrol again", endpoint, reason="enrolled after the backup, by its certificate")
    with context.audited(Actor.engine(), deed) as audited:
        if audited.endpoint(endpoint) is not None:
            return False
        audited.add_endpoint(endpoint, printable(hostname), context.clock.now())
        deed.after = audited.endpoint(endpoint)
        deed.details = {"hostname": printable(hostname)}
    log.warning("a PC that enrolled after the backup is taken back by its certificate", endpoint=endpoint)
    return True


def is_of_the_lost_time(mark: RestoredMark, issued_at: float) -> bool:
    """Whether a certificate was issued between the backup and the restore."""
    return mark.backup_at - BACKUP_SKEW_SECONDS <= issued_at <= mark.restored_at + BACKUP_SKEW_SECONDS


def issued_at(expires_at: float) -> float:
    """Return when a PC's certificate was issued that ends at ``expires_at``."""
    return expires_at - ENDPOINT_LIFETIME_SECONDS

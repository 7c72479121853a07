"""Writes the audit log: a change has its entry in its own transaction or, where files change, before them. Blocking.

With each entry the log's size and root are signed. The newest of these checkpoints lies beside the database too, and
travels in what is signed for PCs: whoever owns the database cannot cut off its end.
"""

import base64
import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pdist.shared import durable_files
from p2pdist.shared.audit_checkpoint import origin_of, read_checkpoint, signed_checkpoint
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.staged import MAX_CHECKPOINT_BYTES
from p2pdist.shared.merkle_log import proves_consistency
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError
from seed_server.fleet.actor import Actor
from seed_server.fleet.rehearsed import end_rehearsal
from seed_server.fleet.roles import Permission
from seed_server.settings.home import ServerHome
from seed_server.signing.key_files import create_signing_key, key_path, load_signing_key
from seed_server.signing.prepared_bundles import PreparedBundles
from seed_server.signing.role_policy import AUDIT_KEY
from seed_server.store.audit_entry import AuditEntry, decode_entry, encode_entry
from seed_server.store.file_lock import FileLock

if TYPE_CHECKING:
    from seed_server.store.database import Database

NOT_CARRIED_OUT = "not carried out"
"""The operation of an entry that takes back the one whose number is its subject."""
PREPARE, DROP_PREPARED = "prepare", "drop prepared"
"""Operations on bundles that wait for signatures: whether they were carried out is seen by the bundle."""

log = lazy_log()


def _request_id() -> str:
    return secrets.token_hex(6)


@dataclass(frozen=True)
class Request:
    """What somebody asked for: all that is done for it has its id."""

    address: str = ""
    """Where it came from; empty: a terminal of this machine."""
    request_id: str = field(default_factory=_request_id)


@dataclass
class Deed:
    """What is done, as its entry says it; an operation fills in what it learns."""

    operation: str
    subject: str = ""
    _: KW_ONLY
    reason: str = ""
    details: dict[str, str] = field(default_factory=dict)
    before: object = None
    """The subject's state, a Record or bytes: its SHA-256 is kept. None: there is none."""
    after: object = None
    right: Permission | None = None
    """By which right, where it is another one than the operation declares."""


Done: TypeAlias = Callable[[], tuple[Actor, Deed] | None]
"""Says, at the end of a block, who has done what in it; None: nothing has changed, so there is no entry."""


@dataclass(frozen=True)
class AuditLog:
    """The audit log of one home."""

    home: ServerHome
    clock: Clock
    request: Request
    opened: Callable[[], "Database"]
    right: Permission | None = None
    """That of the operation which is at work; None: what is done needs none."""
    rehearsal: bool = False
    """Nothing is to change: each change ends with `RehearsedError`, once it is seen that it could be made."""

    @contextlib.contextmanager
    def changing(self, actor: Actor, deed: Deed) -> Iterator["Database"]:
        """Open the database for a change that is one transaction with its entry, what ``deed`` is at the end."""
        with self.opened() as database:
            with database.batch():
                yield database
                self._append(database, self.entry(actor, deed))
                end_rehearsal(rehearsal=self.rehearsal)
            self._publish_checkpoint(database)

    @contextlib.contextmanager
    def joining(self, database: "Database", done: Done) -> Iterator[None]:
        """Let the block be one transaction of an open database, with the entry of what it has ``done``."""
        with database.batch():
            yield
            end_rehearsal(rehearsal=self.rehearsal)
            if (what := done()) is not None:
                self._append(database, self.entry(*what))
        if what is not None:
            self._publish_checkpoint(database)

    @contextlib.contextmanager
    def announcing(self, actor: Actor, deed: Deed) -> Iterator[None]:
        """Write the entry of what is done to a bundle within the block; another one says so where that fails.

        The caller holds the publish lock. Whoever comes after one that was killed sees whether it was done.
        """
        end_rehearsal(rehearsal=self.rehearsal)
        with self.opened() as database:
            self._settle_bundles(database)
            number = self.expect(database, self.entry(actor, deed))
        try:
            yield
        except BaseException as error:
            reason = error.message if isinstance(error, UserError) else type(error).__name__
            with contextlib.suppress(UserError):  # the first error is to be seen
                self._resolve(number, reason)
            raise
        try:
            self._resolve(number, None)
        except UserError as error:  # it is done; the next one says so
            log.warning("the audit log cannot say now whether a change was carried out", reason=error.message)

    def recorder(self, actor: Actor, deed: Deed) -> "RecordedCommit":
        """Return what writes the entry of a change of the repository, for `Repository.open`."""
        return RecordedCommit(self, actor, deed)

    def settling(self) -> "RecordedCommit":
        """Return what writes no entry, and says of earlier ones whether they were carried out."""
        return RecordedCommit(self, None, None)

    def _resolve(self, number: int, why_not: str | None) -> None:
        """Note whether an entry was carried out; None: it was."""
        with self.opened() as database:
            self._close(database, number, why_not)

    def _close(self, database: "Database", number: int, why_not: str | None) -> None:
        with database.batch():
            if why_not is not None:
                self._append(database, self._taken_back(number, why_not))
            database.remove_pending(number)
        self._publish_checkpoint(database)

    def _append(self, database: "Database", entry: AuditEntry) -> int:
        """Append within the caller's transaction, and sign what the log is then."""
        key = self._key(database)
        at = self.clock.now()
        number = database.append_audit(lambda number: encode_entry(_numbered(entry, number, at)))
        size, root = database.audit_state()
        database.save_audit_checkpoint(size, signed_checkpoint(self._origin(), size, root, key))
        return number

    def new_key(self, actor: Actor, deed: Deed, held: Sequence[bytes] | None) -> bytes:
        """Make another audit key; the entry is the first that it signs. Return the checkpoint.

        The log must begin as in the one beside the database, and in those that PCs ``held`` (None: it begins again).
        The entry has the one that lay there before. Raises `UserError`: REFUSED, STORAGE, BUSY.
        """
        path, home = key_path(self.home.online_keys, AUDIT_KEY), self.home.audit_checkpoint
        end_rehearsal(rehearsal=self.rehearsal)
        try:
            before = _kept_note(home)
        except OSError as error:
            raise UserError(f"Cannot read {home}: {error.strerror}. Check permissions.", FaultKind.STORAGE) from error
        with self.opened() as database:
            with database.batch():
                if held is not None and not all(continues(database, note) for note in (*held, before)):
                    raise UserError(
                        "The audit log lacks entries that it had, or has others, so another key alone does not mend "
                        "it. Look at it with 'seed-server audit verify'. If an older database was put back, say so "
                        "with --after-restore; if not, keep all as it is, and tell the security team.",
                        FaultKind.REFUSED,
                    )
                deed.details["checkpoint before"] = base64.b64encode(before).decode()
                create_signing_key(path, None)  # before its checkpoint: another process may go on with it
                self._append(database, self.entry(actor, deed))
            note = database.audit_checkpoint()
            try:
                durable_files.write_file(home, note)
            except OSError as error:
                raise UserError(
                    f"Cannot write {home}: {error.strerror}. Then run the same command again.", FaultKind.STORAGE
                ) from error
        return note

    def _key(self, database: "Database") -> Ed25519PrivateKey:
        path = key_path(self.home.online_keys, AUDIT_KEY)
        if path.exists():
            return load_signing_key(path, None)
        if database.audit_size():
            raise UserError(
                f"The audit key {path} is missing: PCs know the log by it, so nothing is changed without it. Restore "
                "it from a backup, or have the offline key vouch for another one: seed-server audit new-key",
                FaultKind.NOT_SET_UP,
            )
        return create_signing_key(path, None)  # a home of before there was a log

    def _origin(self) -> str:
        try:
            return origin_of(hashlib.sha256(self.home.first_root.read_bytes()).hexdigest())
        except OSError as error:
            raise UserError(
                f"Cannot read {self.home.first_root}: {error.strerror}. Restore it from a backup.", FaultKind.STORAGE
            ) from error

    def _publish_checkpoint(self, database: "Database") -> None:
        """Keep the newest checkpoint outside the database; the next change tries again.

        One that is no continuation of what lies there stays inside: else it would take away what vouches for entries
        that are lost, and PCs would be told it next.
        """
        try:
            if continues_checkpoint(database, self.home.audit_checkpoint):
                durable_files.write_file(self.home.audit_checkpoint, database.audit_checkpoint())
            else:
                log.error(
                    "the audit log is not the one that audit-checkpoint vouches for: was an older database put back? "
                    "Look at it with 'seed-server audit verify'",
                    kept=str(self.home.audit_checkpoint),
                )
        except (OSError, UserError) as error:
            log.warning("the checkpoint of the audit log is not written", reason=str(error))

    def expect(self, database: "Database", entry: AuditEntry) -> int:
        """Write an entry whose end is not known yet; return its number."""
        with database.batch():
            number = self._append(database, entry)
            database.add_pending(number)
        self._publish_checkpoint(database)
        return number

    def settle(self, database: "Database", in_force: bytes) -> None:
        """Say of each change of the repository whose end is not known whether it was carried out.

        ``in_force`` as of `CommitRecorder`; the caller holds the repository's lock.
        """
        about_bundles = []
        for number in database.pending():
            entry = database.audit_entry(number)
            if _is_about_bundle(entry):
                about_bundles.append(number)
            else:
                self._close(database, number, _why_not_carried_out(entry, in_force))
        if about_bundles:
            free = FileLock(self.home.publish_lock, timeout_seconds=0.0, busy="")
            with contextlib.suppress(UserError), free.held():  # else one of them may be at work
                self._settle_bundles(database)

    def _settle_bundles(self, database: "Database") -> None:
        """Say the same of what was done to bundles; the caller holds the publish lock."""
        for number in database.pending():
            entry = database.audit_entry(number)
            if _is_about_bundle(entry):
                self._close(database, number, _why_bundle_was_not(entry, PreparedBundles(self.home)))

    def entry(self, actor: Actor, deed: Deed, states: tuple[bytes, bytes] | None = None) -> AuditEntry:
        """Return the entry of what somebody does; its number and its time come later."""
        right = deed.right or self.right
        role = "" if right is None else " ".join(actor.rights.roles_with(right))
        return msgspec.structs.replace(_entry(self.request, actor, deed, states), role=role)

    def _taken_back(self, number: int, reason: str) -> AuditEntry:
        deed = Deed(operation=NOT_CARRIED_OUT, subject=str(number), reason=reason)
        return _entry(self.request, None, deed)


@dataclass(frozen=True)
class RecordedCommit:
    """The `CommitRecorder` of one change."""

    audit: AuditLog
    actor: Actor | None
    deed: Deed | None

    def begins(self, in_force: bytes, next_one: bytes) -> None:
        """Write the entry, and that its end is not known yet."""
        end_rehearsal(rehearsal=self.audit.rehearsal)
        if self.deed is None or self.actor is None:
            self.ends(in_force)  # what nobody asked for keeps PCs going: it never waits for the log
            return
        with self.audit.opened() as database:
            self.audit.settle(database, in_force)
            self.audit.expect(database, self.audit.entry(self.actor, self.deed, (in_force, next_one)))

    def ends(self, in_force: bytes) -> None:
        """Write what became of it; where that is not possible, whoever comes next does."""
        try:
            with self.audit.opened() as database:
                self.audit.settle(database, in_force)
        except UserError as error:
            log.warning("the audit log cannot say now whether a change was carried out", reason=error.message)


def continues_checkpoint(database: "Database", path: Path) -> bool:
    """Whether the log begins as the checkpoint in ``path`` says; also where there is none to be read.

    Raises `UserError`, `OSError`.
    """
    # before the database: what another process writes meanwhile makes that the longer one
    if not (note := _kept_note(path)):
        return True
    kept = read_checkpoint(note)
    with database.one_state():
        try:
            newest = read_checkpoint(database.audit_checkpoint())
        except DecodeError:
            return False
        return (kept.origin, kept.key) == (newest.origin, newest.key) and continues(database, note)


def continues(database: "Database", note: bytes) -> bool:
    """Whether the log begins as a checkpoint says, by whichever key; also where it is none. Raises `UserError`."""
    try:
        kept = read_checkpoint(note)
    except DecodeError:
        return True
    with database.one_state():
        size, root = database.audit_state()
        if kept.size > size:
            return False
        proof = database.audit_consistency(kept.size, size)
    return proves_consistency(kept.size, kept.root, size, root, proof)


def _kept_note(path: Path) -> bytes:
    """Return the checkpoint in ``path``; empty: there is none to be read. Raises `OSError`."""
    try:
        note = read_capped(path, MAX_CHECKPOINT_BYTES)
        read_checkpoint(note)
    except (FileNotFoundError, FileTooLargeError, DecodeError):
        return b""
    return note


def _why_not_carried_out(entry: bytes | None, in_force: bytes) -> str | None:
    if entry is None:
        return "its entry is missing"
    try:
        return None if decode_entry(entry).after == in_force else "it was cut off"
    except DecodeError:  # tampered with; or of a newer release
        return "its entry cannot be read"


def _is_about_bundle(entry: bytes | None) -> bool:
    try:
        return entry is not None and decode_entry(entry).operation in {PREPARE, DROP_PREPARED}
    except DecodeError:
        return False


def _why_bundle_was_not(entry: bytes | None, bundles: PreparedBundles) -> str | None:
    if entry is None:
        return "its entry is missing"
    said = decode_entry(entry)
    kept = bundles.has(said.details.get("bundle", ""))
    return None if kept is (said.operation == PREPARE) else "it was cut off"


def digest(state: object) -> bytes:
    """Return the SHA-256 of a state; empty for None."""
    if state is None:
        return b""
    return hashlib.sha256(state if isinstance(state, bytes) else codec.encode(state)).digest()


def _entry(request: Request, actor: Actor | None, deed: Deed, states: tuple[bytes, bytes] | None = None) -> AuditEntry:
    before, after = states or (digest(deed.before), digest(deed.after))
    return AuditEntry(
        number=0,
        at=0.0,
        actor="seed-server" if actor is None else actor.who,
        known_by="engine" if actor is None else actor.known_by,
        address=request.address,
        request=request.request_id,
        operation=deed.operation,
        subject=deed.subject,
        before=before,
        after=after,
        reason=deed.reason,
        details=deed.details,
    )


def _numbered(entry: AuditEntry, number: int, at: float) -> AuditEntry:
    return msgspec.structs.replace(entry, number=number, at=at)

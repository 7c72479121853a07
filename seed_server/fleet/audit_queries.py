"""What the audit log says, whether it is whole, and proofs for people who do not trust this server. Blocking.

Nothing here writes. Each function raises `UserError`: NOT_SET_UP, BAD_INPUT, STORAGE, BUSY.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pdist.shared.audit_checkpoint import Checkpoint, origin_of, read_checkpoint
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.log_anchor import LogAnchor
from p2pdist.shared.manifest.staged import MAX_CHECKPOINT_BYTES
from p2pdist.shared.merkle_log import leaf_hash
from p2pdist.shared.server_extra import of_server_extra
from p2pdist.shared.wire.codec import DecodeError
from seed_server.fleet.context import Context
from seed_server.fleet.rollout_entries import rollout_problems
from seed_server.signing.key_files import key_path, load_signing_key
from seed_server.signing.log_checkpoint import known_key
from seed_server.signing.role_policy import AUDIT_KEY
from seed_server.store.audit_entry import AuditEntry, decode_entry

if TYPE_CHECKING:
    from seed_server.store.audit_check import AuditVerdict
    from seed_server.store.custody import CustodyFaultRow
    from seed_server.store.witness_alarms import WitnessAlarmRow

READ_AT_A_TIME = 1_000
UNKNOWN_KEY_WORDS = (
    "PCs do not know the audit key of this server, and are told nothing of the log. Have the offline key vouch for it: "
    "seed-server audit new-key."
)


@dataclass(frozen=True)
class LoggedEntry:
    """An entry, and what it is made of."""

    entry: AuditEntry
    data: bytes

    @property
    def leaf(self) -> bytes:
        """Its hash in the tree."""
        return leaf_hash(self.data)


@dataclass(frozen=True)
class EntryProof:
    """That an entry is in the log that a checkpoint signs."""

    logged: LoggedEntry
    hashes: tuple[bytes, ...]
    """By RFC 9162, section 2.1.3, from the leaf up."""
    checkpoint: Checkpoint
    note: bytes


@dataclass(frozen=True)
class LogCheck:
    """The outcome of `verify_log`."""

    verdict: "AuditVerdict"
    vouched_by: tuple[str, ...]
    """Where the checkpoints lie, outside the database, that the log was held to."""


@dataclass(frozen=True)
class Wanted:
    """Which entries to list; empty: any."""

    actor: str = ""
    operation: str = ""
    subject: str = ""
    """A patch's id stands for its versions, and for its rollouts."""

    def fits(self, entry: AuditEntry) -> bool:
        """Whether it is one of them."""
        return (
            self.actor in {"", entry.actor}
            and self.operation in {"", entry.operation}
            and (not self.subject or any(self.subject in {one, one.partition("@")[0]} for one in _subjects(entry)))
        )


def _subjects(entry: AuditEntry) -> tuple[str, ...]:
    """Return what was done something to: a rollout is one of a patch."""
    return entry.subject, entry.details.get("patch", "")


def newest_entries(context: Context, wanted: Wanted, most: int, *, before: int | None = None) -> list[LoggedEntry]:
    """Return the newest ``most`` entries that are wanted, the newest first; ``before``: of those with lower numbers."""
    found: list[LoggedEntry] = []
    with context.database() as database:
        end = database.audit_size() if before is None else min(before, database.audit_size())
        while end > 0 and len(found) < most:
            start = max(0, end - READ_AT_A_TIME)
            entries = (entry_of(data) for _, data in reversed(database.audit_entries(start, end)))
            found += [one for one in entries if wanted.fits(one.entry)]
            end = start
    return found[:most]


def all_entries(context: Context, first: int) -> Iterator[LoggedEntry]:
    """Yield the entries from number ``first`` on, as they are when it begins."""
    with context.database() as database:
        size = database.audit_size()
        for start in range(first, size, READ_AT_A_TIME):
            for _, data in database.audit_entries(start, min(start + READ_AT_A_TIME, size)):
                yield entry_of(data)


def log_size(context: Context) -> int:
    """Return how many entries there are."""
    with context.database() as database:
        return database.audit_size()


def entries_between(context: Context, start: int, end: int) -> list[LoggedEntry]:
    """Return the entries from number ``start`` to before ``end``."""
    with context.database() as database:
        return [entry_of(data) for _, data in database.audit_entries(start, end)]


def prove_entry(context: Context, number: int) -> EntryProof:
    """Return the proof that an entry is in the log. Raises `UserError` (BAD_INPUT) where there is none."""
    with context.database() as database, database.one_state():
        data, note = database.audit_entry(number), database.audit_checkpoint()
        if data is None:
            raise UserError(
                f"The audit log has no entry {number}; it has {database.audit_size()}, from 0 on.", FaultKind.BAD_INPUT
            )
        try:
            checkpoint = read_checkpoint(note)
            hashes = database.audit_inclusion(number, checkpoint.size)
        except (DecodeError, ValueError) as error:
            raise UserError(
                "The audit log's checkpoint is not that of its entries. Look at it with 'seed-server audit verify'.",
                FaultKind.STORAGE,
            ) from error
    return EntryProof(entry_of(data), tuple(hashes), checkpoint, note)


@dataclass(frozen=True)
class Alarms:
    """What PCs have found, and what was found of them."""

    of_log: "tuple[WitnessAlarmRow, ...]"
    """PCs that have seen another audit log before, by name."""
    of_records: "tuple[CustodyFaultRow, ...]"
    """Where a PC did not continue what it had signed of its installations, the newest first."""


def read_alarms(context: Context) -> Alarms:
    """Return all of them. Raises `UserError`."""
    context.settings()
    with context.database() as database, database.one_state():
        return Alarms(tuple(database.witness_alarms()), tuple(database.custody_faults(0.0)))


def verify_log(context: Context, files: Sequence[Path] = ()) -> LogCheck:
    """Compute the whole log anew, and hold it to its checkpoints: here, as signed for PCs, and in ``files``.

    The records of rollouts are held to it besides.
    """
    with of_server_extra():
        from seed_server.store.audit_check import Anchor, check_log
    home, repository = context.home, context.repository()
    anchors = [Anchor(str(file), _given(file)) for file in files]
    if (kept := _beside(home.audit_checkpoint)) is not None:
        anchors.append(Anchor(str(home.audit_checkpoint), kept))
    signed, vouched = repository.current_staged().checkpoint, repository.log_anchor()
    if signed:
        anchors.append(Anchor("what is signed for PCs", signed))
    if vouched is not None:
        anchors.append(Anchor("what the offline key has signed", vouched.checkpoint))
    origin = origin_of(hashlib.sha256(repository.trusted_root().encode()).hexdigest())
    with context.database() as database:
        path = key_path(home.online_keys, AUDIT_KEY)
        if not path.exists() and not anchors and database.audit_size() == 0:
            key = b""  # nothing has been written yet
        else:
            key = _public(load_signing_key(path, None))
        known = _known_key(signed, vouched) or key
        earlier = () if vouched is None else vouched.earlier
        verdict = check_log(database, anchors, origin, key, earlier=(known, *earlier))
        verdict = replace(verdict, problems=(*verdict.problems, *rollout_problems(database)))
    if known != key:
        verdict = replace(verdict, problems=(UNKNOWN_KEY_WORDS, *verdict.problems))
    return LogCheck(verdict, tuple(anchor.place for anchor in anchors))


def _known_key(signed: bytes, vouched: LogAnchor | None) -> bytes:
    try:
        return known_key(signed, vouched)
    except DecodeError:  # the check says so
        return b""


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def entry_of(data: bytes) -> LoggedEntry:
    """Return the entry that is kept as ``data``. Raises `UserError` (STORAGE) for one that cannot be read."""
    try:
        return LoggedEntry(decode_entry(data), data)
    except DecodeError as error:
        raise UserError(
            "An entry of the audit log cannot be read: it was damaged or tampered with. Look at it with 'seed-server "
            "audit verify', and restore the database from a backup.",
            FaultKind.STORAGE,
        ) from error


def _given(file: Path) -> bytes:
    try:
        return read_capped(file, MAX_CHECKPOINT_BYTES)
    except (OSError, FileTooLargeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"Cannot read the checkpoint {file}: {reason}.", FaultKind.BAD_INPUT) from error


def _beside(path: Path) -> bytes | None:
    try:
        return read_capped(path, MAX_CHECKPOINT_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, FileTooLargeError) as error:
        raise UserError(f"Cannot read {path}: {error}. Check permissions.", FaultKind.STORAGE) from error

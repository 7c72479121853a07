"""Search in the audit log, some entries at a time, and whether it goes on as somebody has seen it before. Blocking.

Nothing here writes. Entries lie in the order of their numbers, and no index knows who is in them: one search looks at a
bounded number, and says where the next one goes on. So a page of a log of ten years is there as soon as any.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from p2pdist.shared.audit_checkpoint import Checkpoint, read_checkpoint
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.merkle_log import EMPTY_ROOT, proves_consistency
from p2pdist.shared.wire.codec import DecodeError
from seed_server.fleet.actor import person_of
from seed_server.fleet.audit_queries import READ_AT_A_TIME, LoggedEntry, entry_of
from seed_server.fleet.context import Context
from seed_server.store.audit_entry import AuditEntry

if TYPE_CHECKING:
    from seed_server.store.database import Database

MOST_READ_ENTRIES = 20_000  # of one search, for the words in them: a twentieth of a second
MOST_DECODED_ENTRIES = 4_000  # of these, where their bytes have all words: half as long
SLACK_ENTRIES = 1_000  # which lie out of the order of time where a clock was put right
ROLLOUT_WORD = "rollout"


@dataclass(frozen=True)
class AuditQuestion:
    """Which entries; empty and None: any."""

    who: str = ""
    """As records name them, or a person, whichever way they came: ada is ``ada/5f0c6a1b92d4`` and ``local:ada`` too."""
    deed: str = ""
    """Some of what was done: approve."""
    subject: str = ""
    """Some of what it was done to, or of the patch that it was about."""
    request: str = ""
    rollout: int | None = None
    """All that was done to this one, its start and its approvals too."""
    since: float | None = None
    """Seconds since 1970."""
    until: float | None = None
    """Before this moment."""

    def fits(self, entry: AuditEntry) -> bool:
        """Whether an entry is one of them."""
        return (
            (not self.who or self.who == entry.actor or self.who.casefold() == person_of(entry.actor))
            and self.deed.casefold() in entry.operation.casefold()
            and (not self.subject or self._is_about(entry))
            and self.request in {"", entry.request}
            and (self.rollout is None or rollout_of(entry) == self.rollout)
            and (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
        )

    @cached_property
    def _words(self) -> tuple[bytes, ...]:
        """What the bytes of every such entry have in them, in small letters: most others need not be decoded."""
        words = [self.who, self.deed, self.subject, self.request]
        if self.rollout is not None:  # as `rollout_of` finds it
            words += [ROLLOUT_WORD, str(self.rollout)]
        return tuple(one.casefold().encode() for one in words if one and one.isascii())

    def may_fit(self, data: bytes) -> bool:
        """Whether an entry may be one of them, as far as its bytes tell."""
        small = data.lower()
        return all(word in small for word in self._words)

    def _is_about(self, entry: AuditEntry) -> bool:
        wanted = self.subject.casefold()
        return any(wanted in one.casefold() for one in (entry.subject, entry.details.get("patch", "")))


def rollout_of(entry: AuditEntry) -> int | None:
    """Return the number of the rollout that an entry is about; None: it is about none."""
    text = entry.details.get(ROLLOUT_WORD, "")
    if not text and ROLLOUT_WORD in entry.operation:
        text = entry.subject
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


@dataclass(frozen=True)
class FoundEntries:
    """What one search has found."""

    entries: Sequence[LoggedEntry]
    """The newest first."""
    looked_at: tuple[int, int]
    """The numbers from and to before which it has looked at entries."""
    before: int | None
    """The next search goes on with smaller numbers than this; None: there is nothing left to look at."""
    size: int
    """How many entries the log has."""


def search_log(
    context: Context,
    question: AuditQuestion,
    most: int,
    *,
    before: int | None = None,
    look: int = MOST_READ_ENTRIES,
    decode: int = MOST_DECODED_ENTRIES,
) -> FoundEntries:
    """Return the newest ``most`` entries that are wanted, of the ``look`` entries with numbers below ``before``.

    It ends earlier where ``decode`` entries, or some more, had to be decoded to see whether they are wanted.

    Raises `UserError`: NOT_SET_UP, STORAGE, BUSY.
    """
    with context.database() as database, database.one_state():
        size = database.audit_size()
        end = size if before is None else min(before, size)
        if question.until is not None:
            end = min(end, _first_from(database, size, question.until) + SLACK_ENTRIES)
        first = 0 if question.since is None else max(0, _first_from(database, size, question.since) - SLACK_ENTRIES)
        first = min(first, end)
        lowest, at, decoded = max(first, end - look), end, 0
        found: list[LoggedEntry] = []
        while at > lowest and len(found) <= most and decoded < decode:
            start = max(lowest, at - READ_AT_A_TIME)
            likely = [data for _, data in reversed(database.audit_entries(start, at)) if question.may_fit(data)]
            logged = list(map(entry_of, likely))
            found += [one for one in logged if question.fits(one.entry)]
            at, decoded = start, decoded + len(logged)
    if len(found) > most:
        goes_on = found[most - 1].entry.number
        return FoundEntries(found[:most], (goes_on, end), goes_on, size)
    return FoundEntries(found, (at, end), at if at > first else None, size)


def _first_from(database: "Database", size: int, moment: float) -> int:
    """Return the number of the first entry that was written at ``moment`` or later, as far as their times rise."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        data = database.audit_entry(middle)
        if data is not None and entry_of(data).entry.at < moment:
            low = middle + 1
        else:
            high = middle
    return low


def read_entry(context: Context, number: int) -> LoggedEntry | None:
    """Return one entry; None: there is none of this number. Raises `UserError` as `search_log`."""
    with context.database() as database:
        data = database.audit_entry(number)
    return None if data is None else entry_of(data)


# --- consistency -------------------------------------------------------------------------


@dataclass(frozen=True)
class ConsistencyProof:
    """Whether the log begins as a checkpoint says that somebody has kept elsewhere."""

    kept: Checkpoint
    now: Checkpoint
    note: bytes
    """The signed note of ``now``."""
    hashes: tuple[bytes, ...]
    """By RFC 9162, section 2.1.4; empty where there is no such proof."""
    holds: bool
    other_key: bool
    """Whether another key has signed the kept one: PCs know of a change of it, see 'audit new-key'."""


def newest_checkpoint(context: Context) -> tuple[Checkpoint, bytes] | None:
    """Return the newest checkpoint and its note; None: there is none yet. Raises `UserError` as `search_log`."""
    with context.database() as database:
        note = database.audit_checkpoint()
    return (_own(note), note) if note else None


def prove_consistency(context: Context, kept_note: bytes) -> ConsistencyProof:
    """Return the proof that the log goes on as ``kept_note`` has it, or that it does not.

    Raises `UserError`: BAD_INPUT for what is no checkpoint of an audit log, or of another server's; STORAGE, BUSY.
    """
    try:
        kept = read_checkpoint(kept_note)
    except DecodeError as error:
        raise UserError(
            f"This is no checkpoint: {error}. Give the whole text of a file audit-checkpoint.", FaultKind.BAD_INPUT
        ) from error
    with context.database() as database, database.one_state():
        note = database.audit_checkpoint()
        now = _own(note) if note else Checkpoint(kept.origin, 0, EMPTY_ROOT, kept.key)  # nothing was ever written here
        if kept.origin != now.origin:
            raise UserError(
                f"This checkpoint is of the log {kept.origin}, and this server's is {now.origin}.", FaultKind.BAD_INPUT
            )
        try:
            hashes = tuple(database.audit_consistency(kept.size, now.size)) if kept.size <= now.size else ()
        except ValueError as error:
            raise _not_of_its_entries() from error
    holds = kept.size <= now.size and proves_consistency(kept.size, kept.root, now.size, now.root, hashes)
    return ConsistencyProof(kept, now, note, hashes if holds else (), holds, kept.key != now.key)


def _own(note: bytes) -> Checkpoint:
    try:
        return read_checkpoint(note)
    except DecodeError as error:
        raise _not_of_its_entries() from error


def _not_of_its_entries() -> UserError:
    return UserError(
        "The audit log's checkpoint is not that of its entries. Look at it with 'seed-server audit verify'.",
        FaultKind.STORAGE,
    )

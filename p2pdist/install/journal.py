"""The journal of installations, in memory and on disk: changes come one at a time, and are written to disk first."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trio
from msgspec.structs import replace

from p2pdist.install.lifecycle import MAX_OUTPUT_CHARS, HistoryEntry, InstallRecord, Journal
from p2pdist.settings import EndpointHome
from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.clock import Clock
from p2pdist.shared.custody import ASIDE, Custody, CustodyRecord
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.fields import MAX_TEXT_CHARS

MAX_ASIDE_JOURNALS = 5  # the newest are looked through for custody
MAX_JOURNAL_BYTES = 16 << 20  # MAX_RECORDS of 2 kB and MAX_HISTORY of 3 kB each, and room to spare

_ASIDE = ".damaged-"

log = lazy_log()


class RecordGoneError(UserError):
    """The patch has been withdrawn meanwhile."""

    def __init__(self, ref: PatchRef) -> None:
        super().__init__(f"{ref} has just been withdrawn. 'p2pdist plan' lists what is rolled out.")


class JournalStore:
    """Holds the journal. The loop and the user's orders change it concurrently, in the daemon's trio thread."""

    def __init__(self, home: EndpointHome, clock: Clock) -> None:
        self._path = home.installs
        self._lock = trio.Lock()
        self.now = clock.now
        self.journal = Journal()
        self._indexed: tuple[Journal, dict[PatchRef, InstallRecord]] = (self.journal, {})
        """The records by patch, of the journal for which that was made."""

    async def load(self) -> None:
        """Read the journal. Call once, first. Raises `OSError`."""
        self.journal = await load_journal(self._path, self.now())

    def record(self, ref: PatchRef) -> InstallRecord | None:
        """Return what is known of a patch."""
        journal, records = self._indexed
        if journal is not self.journal:
            records = {record.ref: record for record in self.journal.records}
            self._indexed = self.journal, records
        return records.get(ref)

    async def change(self, change: Callable[[Journal], Journal]) -> None:
        """Replace the journal by what ``change`` returns for it. Raises `OSError`; the journal is then unchanged."""
        async with self._lock:
            after = change(self.journal)
            if after != self.journal:
                await save_journal(self._path, after)
                self.journal = after

    async def update(
        self,
        ref: PatchRef,
        change: Callable[[InstallRecord], InstallRecord],
        what: str | Callable[[InstallRecord], str] = "",
        output: str = "",
        *,
        forget: int | None = None,
    ) -> InstallRecord:
        """Replace a record by what ``change`` returns for its present state, with ``what`` in the history.

        ``what`` may depend on the record after the change; an empty one leaves no line. ``forget``: the number of a
        decision that came to nothing, and whose steps leave the history now. Raises `OSError`, `RecordGoneError`, and
        what ``change`` raises; the journal is then unchanged.
        """

        def changed(journal: Journal) -> Journal:
            record = journal.record(ref)
            if record is None:
                raise RecordGoneError(ref)
            if forget is not None:
                journal = replace(journal, history=tuple(e for e in journal.history if e.decision != forget))
            after = change(record)
            words = what if isinstance(what, str) else what(after)
            return journal.with_record(after, self._entry(after, words, output) if words else None)

        await self.change(changed)
        record = self.record(ref)
        assert record is not None
        return record

    async def decide(
        self,
        ref: PatchRef,
        change: Callable[[InstallRecord], InstallRecord],
        what: str,
        *,
        forget: int | None = None,
    ) -> InstallRecord:
        """Do the same as `update`, under the number of a new decision."""
        return await self.update(
            ref, lambda r: replace(change(r), decision=self.journal.decisions + 1), what, forget=forget
        )

    def _entry(self, record: InstallRecord, what: str, output: str) -> HistoryEntry:
        return HistoryEntry(
            at=self.now(),
            patch_id=record.patch_id,
            version=record.version,
            decision=record.decision,
            what=what[:MAX_TEXT_CHARS],
            output=output[-MAX_OUTPUT_CHARS:],
        )


async def load_journal(path: Path, now: float) -> Journal:
    """Return the journal; a missing one is empty. A damaged one is renamed (``now`` in its name), and logged.

    One without custody goes on with that of the newest that was put aside: a release from before custody does so with
    a journal that has it. The log then says that outcomes may be missing. Raises `OSError` if it exists and cannot be
    read: then nobody knows what must not be run again.
    """

    def work() -> Journal:
        try:
            journal = _read_journal(path)
        except FileNotFoundError:
            journal = Journal()
        except (FileTooLargeError, codec.DecodeError) as error:
            aside = path.with_name(f"{path.name}{_ASIDE}{int(now)}")
            os.replace(path, aside)
            # detection still prevents that an installed patch is installed again
            log.error("the journal of installations is damaged, starting a new one", kept=str(aside), cause=str(error))  # noqa: TRY400
            journal = Journal()
        if journal.custody.size:
            return journal
        custody = _custody_put_aside(path)
        if custody.size:
            log.warning("custody goes on from a journal that was put aside", records=custody.size)
        return replace(journal, custody=custody)

    return await trio.to_thread.run_sync(work)


def _read_journal(path: Path) -> Journal:
    journal: Journal = codec.decode(read_capped(path, MAX_JOURNAL_BYTES), Journal, max_bytes=MAX_JOURNAL_BYTES)
    return journal


def _custody_put_aside(path: Path) -> Custody:
    """Return the custody of the newest journal beside ``path`` that has some and can be read, and a record of that.

    The same each time, as it may be told before it is written again.
    """
    found = []
    for aside in path.parent.glob(f"{path.name}{_ASIDE}*"):
        number = aside.name.removeprefix(f"{path.name}{_ASIDE}")
        if number.isascii() and number.isdigit():
            found.append((int(number), aside))
    for at, aside in sorted(found, reverse=True)[:MAX_ASIDE_JOURNALS]:
        with suppress(OSError, FileTooLargeError, codec.DecodeError):
            custody = _read_journal(aside).custody
            if custody.size and custody.well_formed:
                return custody.with_record(CustodyRecord(at, "", "", 0, 0, ASIDE))
    return Custody()


async def save_journal(path: Path, journal: Journal) -> None:
    """Durably replace the journal. Raises `OSError`; the old file is then unchanged."""

    def work() -> None:
        durable_files.make_directory(path.parent, mode=0o700)
        durable_files.write_file(path, codec.encode(journal))

    await trio.to_thread.run_sync(work)

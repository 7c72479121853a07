"""The journal of installations, in memory and on disk: changed by one at a time, on disk first."""

from collections.abc import Callable

import trio
from msgspec.structs import replace

from p2pdist.install import install_journal
from p2pdist.install.lifecycle import MAX_OUTPUT_CHARS, HistoryEntry, InstallRecord, Journal
from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import MAX_TEXT_CHARS


class RecordGoneError(UserError):
    """The patch has been withdrawn meanwhile."""

    def __init__(self, ref: PatchRef) -> None:
        super().__init__(f"{ref} has just been withdrawn. 'p2pdist plan' lists what is rolled out.")


class JournalStore:
    """Runs in the daemon's trio thread. The loop and the user's orders change the journal side by side."""

    def __init__(self, home: EndpointHome, clock: Clock) -> None:
        self._path = home.installs
        self._lock = trio.Lock()
        self.now = clock.now
        self.journal = Journal()

    async def load(self) -> None:
        """Read the journal. Call once, first. Raises `OSError`."""
        self.journal = await install_journal.load_journal(self._path, self.now())

    def record(self, ref: PatchRef) -> InstallRecord | None:
        """Return what is known of a patch."""
        return self.journal.record(ref)

    async def change(self, change: Callable[[Journal], Journal]) -> None:
        """Replace the journal by what ``change`` makes of it. Raises `OSError`: it is then as it was."""
        async with self._lock:
            after = change(self.journal)
            if after != self.journal:
                await install_journal.save_journal(self._path, after)
                self.journal = after

    async def update(
        self, ref: PatchRef, change: Callable[[InstallRecord], InstallRecord], what: str = "", output: str = ""
    ) -> InstallRecord:
        """Replace a record by what ``change`` makes of it as it is now, with ``what`` in the history.

        Raises `OSError`, `RecordGoneError`, and what ``change`` raises; the journal is then as it was.
        """

        def changed(journal: Journal) -> Journal:
            record = journal.record(ref)
            if record is None:
                raise RecordGoneError(ref)
            return journal.with_record(after := change(record), self._entry(after, what, output) if what else None)

        await self.change(changed)
        record = self.record(ref)
        assert record is not None
        return record

    async def decide(self, ref: PatchRef, change: Callable[[InstallRecord], InstallRecord], what: str) -> InstallRecord:
        """Likewise, under a new decision's number."""
        return await self.update(ref, lambda r: replace(change(r), decision=self.journal.decisions + 1), what)

    def _entry(self, record: InstallRecord, what: str, output: str) -> HistoryEntry:
        return HistoryEntry(
            at=self.now(),
            patch_id=record.patch_id,
            version=record.version,
            decision=record.decision,
            what=what[:MAX_TEXT_CHARS],
            output=output[-MAX_OUTPUT_CHARS:],
        )

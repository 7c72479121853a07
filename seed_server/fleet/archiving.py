"""Moves months that are over into files, and lets go of what has had its time. Blocking; each step may be the last.

A month is closed, written, read again, vouched for by the audit log in the transaction that makes the file stand for
it, and only then dropped. Whoever is killed in between leaves one of these, and the next one goes on from it.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.said_once import SaidOnce
from seed_server.fleet.actor import Actor
from seed_server.fleet.archives import (
    ARCHIVE_MONTH,
    REMOVE_ARCHIVE,
    archive_name,
    archive_path,
    sha256_of,
    vouched_sha256,
)
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.clock_doubt import say_expired
from seed_server.fleet.context import Context
from seed_server.settings.sections import RetentionSettings
from seed_server.signing.role_policy import expired_offline
from seed_server.store.event_rows import EventKey, PcEvent
from seed_server.store.month_file import EVENTS_OF_BLOCK, MonthFile, MonthFileError, MonthHead, month_file_parts
from seed_server.store.neighbours import NEIGHBOURS_KEPT_DAYS
from seed_server.store.tables_events import ARCHIVED, CLOSED, REMOVED
from seed_server.store.transactions import OTHERS_TURN_SECONDS

if TYPE_CHECKING:
    from seed_server.store.database import Database
    from seed_server.store.event_months import MonthPart

LATE_DAYS = 3  # of a server that is off at night

log = lazy_log()


def _others_turn() -> None:
    time.sleep(OTHERS_TURN_SECONDS)


@dataclass(frozen=True)
class Archivist:
    """Carries out the rules of `RetentionSettings` on one home."""

    context: Context
    database: "Database"
    retention: RetentionSettings
    pause: Callable[[], None] = lambda: None
    """Called between small pieces of work, to let others have the processor; what it raises ends the work."""
    others_turn: Callable[[], None] = _others_turn
    """Called between transactions of which each keeps other writers waiting."""
    said: SaidOnce = field(default_factory=SaidOnce)
    """Why nothing goes after its time; shared with others who let things go."""

    def tidy(self) -> None:
        """Do all that is due, also where a part of it cannot be done: what goes makes room for what is to be written.

        Raises `UserError`, of what could not be done first; what is done stays done.
        """
        fault: UserError | None = None
        for step in self.steps():
            try:
                step()
            except UserError as error:
                fault = fault or error
            self.pause()
        if fault is not None:
            raise fault

    def steps(self) -> Iterator[Callable[[], object]]:
        """Yield what is due, one thing after the other; each is looked for when those before it are done."""
        now = self.context.clock.now()
        yield self._clear_up
        # since the time before: who looks at its table while it is archived comes to the end
        for part in self._parts(ARCHIVED):
            yield partial(self._drop, part)
        self.database.close_months(now, self.retention.hot_months)
        for part in self._parts(CLOSED):
            yield partial(self._archive, part)
        yield self.database.forget_old_words
        for part in self._parts(REMOVED):
            yield partial(self._unlink, part)
        if not self.database.is_held() and not self._is_clock_doubtful(now):
            yield from self._what_has_had_its_time(now)

    def _is_clock_doubtful(self, now: float) -> bool:
        """Whether, by the clock, what the operator signs has expired: then it may be far ahead, and nothing goes."""
        try:
            expired = expired_offline(self.context.repository().expiries(), now)
        except UserError as error:
            if self.said.is_new(error.message):
                log.warning("nothing goes after its time: the signed files cannot be read", reason=error.message)
            return True
        say_expired(expired, self.said)
        return bool(expired)

    def _parts(self, state: int) -> "list[MonthPart]":
        return [part for part in self.database.month_parts() if part.state == state]

    def is_late(self) -> bool:
        """Whether a month has waited for so long that it waits for no quiet hour any more."""
        then = self.context.clock.now() - LATE_DAYS * DAY_SECONDS
        return self.database.has_month_to_close(then, self.retention.hot_months)

    def _clear_up(self) -> None:
        """Remove what killed processes left half written; nobody else writes there."""
        with contextlib.suppress(OSError):  # whoever writes there next says it
            durable_files.remove_leftovers(self.context.home.archive)

    # --- a month ---------------------------------------------------------------------------

    def _archive(self, part: "MonthPart") -> None:
        written = self._written(part)
        self._read_again(written)
        deed = Deed(ARCHIVE_MONTH, part.name)
        deed.details = {
            "file": archive_name(part),
            "sha256": written.sha256,
            "events": str(written.events),
            "bytes": str(written.bytes),
        }
        with self.context.joined(self.database, lambda: (Actor.engine(), deed)):
            # in this transaction: nobody else appends
            self.database.archive_month(msgspec.structs.replace(written, entry=self.database.audit_size()))
        log.info("a month is archived", month=part.name, events=written.events, bytes=written.bytes)

    def _written(self, part: "MonthPart") -> "MonthPart":
        """Write the file of a month; return it with the file's hash."""
        found, events, size = hashlib.sha256(), 0, 0

        def counted(blocks: Iterable[list[PcEvent]]) -> Iterator[list[PcEvent]]:
            nonlocal events
            for block in blocks:
                events += len(block)
                yield block

        def hashed(parts: Iterable[bytes]) -> Iterator[bytes]:
            nonlocal size
            for data in parts:
                found.update(data)
                size += len(data)
                yield data
                self.pause()

        head = MonthHead(month=part.month, part=part.part)
        path = archive_path(self.context, part)
        try:
            durable_files.make_directory(path.parent, mode=0o700)
            parts = month_file_parts(head, counted(self._blocks(part)), self.database.event_names)
            durable_files.write_file(path, hashed(parts))
        except OSError as error:
            raise UserError(
                f"The month {part.name} is not archived, and stays in the database: {path} cannot be written "
                f"({error.strerror}). Check the disk's free space and permissions.",
                FaultKind.STORAGE,
            ) from error
        return msgspec.structs.replace(
            part, sha256=found.hexdigest(), events=events, bytes=size, archived_at=self.context.clock.now()
        )

    def _blocks(self, part: "MonthPart") -> Iterator[list[PcEvent]]:
        after: EventKey | None = None
        # each block is a look of its own: nobody waits for one that takes minutes
        while block := self.database.events_of_month(part, after, EVENTS_OF_BLOCK):
            yield block
            after = block[-1][:3]

    def _read_again(self, part: "MonthPart") -> None:
        """Raise `UserError` (STORAGE) where the file on the disk is not what was written."""
        path = archive_path(self.context, part)
        try:
            with path.open("rb") as file:
                same, count = sha256_of(file, self.pause) == part.sha256, 0
                for block in MonthFile.of(file).blocks():
                    count += len(block)
                    self.pause()
        except (OSError, MonthFileError) as error:
            raise self._not_as_written(part) from error
        if not same or count != part.events:
            raise self._not_as_written(part)

    def _not_as_written(self, part: "MonthPart") -> UserError:
        return UserError(
            f"The month {part.name} stays in the database: {archive_path(self.context, part)} is not what was written. "
            "Check the disk.",
            FaultKind.STORAGE,
        )

    def _drop(self, part: "MonthPart") -> None:
        """Drop the table, if the file is what the audit log vouches for; else the table stands for the month again."""
        path, vouched = archive_path(self.context, part), vouched_sha256(self.database, part)
        try:
            with path.open("rb") as file:
                whole = bool(vouched) and sha256_of(file, self.pause) == vouched
        except OSError:
            whole = False
        if not whole:
            log.error("the archive of a month is not what was written; it is written again", file=str(path))
            self.database.back_to_closed(part)
        elif self.database.drop_month(part):
            log.info("an archived month has left the database", month=part.name)

    # --- what has had its time -------------------------------------------------------------

    def _what_has_had_its_time(self, now: float) -> Iterator[Callable[[], object]]:
        rules = self.retention
        if rules.archive_months:
            # what has just left the database is not removed within the same month
            months = max(rules.archive_months, rules.hot_months + 1)
            for part in self.database.months_to_remove(now, months):
                yield partial(self._remove, part)
        for days, forget in (
            (rules.diagnoses_days, self.database.forget_old_answers),
            (rules.findings_days, self.database.forget_old_findings),
            (rules.harm_days, self.database.forget_old_pauses),
            (rules.forgotten_pcs_days, self.database.forget_old_names),
            (NEIGHBOURS_KEPT_DAYS, self.database.forget_old_neighbours),
        ):
            if days:
                before = now - days * DAY_SECONDS
                yield partial(self._forget, forget, before)

    def _forget(self, some: Callable[[float], int], before: float) -> None:
        while some(before):
            self.others_turn()
            self.pause()

    def _remove(self, part: "MonthPart") -> None:
        deed: Deed | None = Deed(REMOVE_ARCHIVE, part.name)

        def done() -> tuple[Actor, Deed] | None:
            return None if deed is None else (Actor.engine(), deed)

        assert deed is not None
        deed.details = {"file": archive_name(part), "sha256": part.sha256}
        with self.context.joined(self.database, done):
            if self.database.is_held():  # since we have looked
                deed = None
            else:
                self.database.remove_month(part)
        if deed is not None:
            self._unlink(part)
            log.info("the archive of a month is removed after its time", month=part.name)

    def _unlink(self, part: "MonthPart") -> None:
        path = archive_path(self.context, part)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(
                f"{path} has had its time and cannot be removed ({error.strerror}). Check permissions.",
                FaultKind.STORAGE,
            ) from error

"""Which patch, when, on which PC: months in the database and in files, read as one. Blocking; nothing here writes.

A month that is moved into its file meanwhile is read on there, so that nothing is missing and nothing comes twice.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.archives import archive_name, archive_path, sha256_of, vouched_sha256
from seed_server.fleet.context import Context
from seed_server.store.event_rows import Asked, EventKey, EventNumbers, HistoryRow, PcEvent, worded

if TYPE_CHECKING:
    from seed_server.store.database import Database
    from seed_server.store.event_months import MonthPart

ROWS_AT_A_TIME = 20_000  # some 5 MB; for each of these a month may be looked at as a whole
_PLACE = re.compile(r"(\d{6})\.(\d{1,4}):(\d{1,10}):(-?\d{1,10}):(\d{1,10})")


@dataclass(frozen=True)
class HistoryPlace:
    """Where a row stands in all history."""

    month: int
    part: int
    key: EventKey

    def __str__(self) -> str:
        return f"{self.month:06}.{self.part}:{':'.join(map(str, self.key))}"

    @classmethod
    def read(cls, text: str) -> "HistoryPlace":
        """Return the place that ``text`` names. Raises `UserError` (BAD_INPUT)."""
        found = _PLACE.fullmatch(text)
        if found is None:
            raise UserError(
                f"--after {text[:40]!r} is no end of a page. Give what the page before has named at its end.",
                FaultKind.BAD_INPUT,
            )
        month, part, *key = map(int, found.groups())
        return cls(month, part, (key[0], key[1], key[2]))


@dataclass
class HistoryReader:
    """Reads history once; `problems` says afterwards what could not be read."""

    context: Context
    asked: Asked
    archives_only: bool = False
    rows_at_a_time: int = ROWS_AT_A_TIME
    problems: list[str] = field(default_factory=list)
    """In words; empty: all that there is was read."""
    removed: list[str] = field(default_factory=list)
    """Months in the time that is asked for whose archives were removed after their time."""

    def rows(self, after: HistoryPlace | None = None) -> Iterator[tuple[HistoryPlace, HistoryRow]]:
        """Yield what is asked for behind ``after``: by month, then by PC in the order of enrolment, then by time.

        Raises `UserError`: NOT_SET_UP, STORAGE, BUSY.
        """
        self.context.settings()
        with self.context.database() as database:
            for part in database.month_parts():
                if not self._may_be_in(part) or (after is not None and part.key < (after.month, after.part)):
                    continue
                key = after.key if after is not None and part.key == (after.month, after.part) else None
                yield from self._of_month(database, part, key)

    def _may_be_in(self, part: "MonthPart") -> bool:
        from seed_server.store.event_months import begin_of, month_after

        since, until = self.asked.since, self.asked.until
        return (since is None or begin_of(month_after(part.month)) > since) and (
            until is None or begin_of(part.month) < until
        )

    def _of_month(
        self, database: "Database", part: "MonthPart", key: EventKey | None
    ) -> Iterator[tuple[HistoryPlace, HistoryRow]]:
        from seed_server.store.tables_events import ARCHIVED, REMOVED

        if part.state < ARCHIVED:
            if self.archives_only:
                return
            sought = database.sought(self.asked)
            while not sought.nothing:
                events = database.events_of_month(part, key, self.rows_at_a_time, sought)
                if events is None:
                    part = next(one for one in database.month_parts() if one.key == part.key)
                    break  # it has moved into its file
                numbers = EventNumbers()
                numbers.note(events)
                names = database.event_names(numbers)
                for event in events:
                    yield _place(part, event), worded(event, names)
                if len(events) < self.rows_at_a_time:
                    return
                key = events[-1][:3]
            else:
                return
        if part.state == REMOVED:
            self.removed.append(part.name)
            return
        yield from self._of_file(database, part, key)

    def _of_file(
        self, database: "Database", part: "MonthPart", key: EventKey | None
    ) -> Iterator[tuple[HistoryPlace, HistoryRow]]:
        from seed_server.store.month_file import MonthFile, MonthFileError

        name, vouched = archive_name(part), vouched_sha256(database, part)
        try:
            with archive_path(self.context, part).open("rb") as file:
                if not vouched or sha256_of(file) != vouched:
                    self._unread(name, "it is not what the audit log vouches for")
                    return
                month = MonthFile.of(file)
                for block in month.blocks(self.asked.within(month.names), key):
                    for event in block:
                        yield _place(part, event), worded(event, month.names)
        except FileNotFoundError:
            self._unread(name, "it is missing")
        except OSError as error:
            self._unread(name, error.strerror or type(error).__name__)
        except MonthFileError as error:
            self._unread(name, str(error))

    def _unread(self, name: str, why: str) -> None:
        self.problems.append(f"{name} is not in this: {why}.")


def _place(part: "MonthPart", event: PcEvent) -> HistoryPlace:
    return HistoryPlace(part.month, part.part, event[:3])

"""Which reports are committed, as another process sees it: the one place here that knows the tables of the state."""

import math
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import trio

from bench.fleet_size.crowd import Said
from bench.fleet_size.speech import STAMPS_PER_SECOND

LOOK_SECONDS = 0.01  # how exactly the moment of a commit is known
MOST_VARIABLES = 500  # of one statement


class Committed:
    """Looks at the state of a running server on SQLite; it only reads."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def version(self) -> int:
        """Return a number that changes with each commit."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def stamps(self, endpoints: Sequence[str]) -> dict[str, int]:
        """Return the newest stamp of each of these PCs that has one."""
        found: dict[str, int] = {}
        for at in range(0, len(endpoints), MOST_VARIABLES):
            part = endpoints[at : at + MOST_VARIABLES]
            marks = ", ".join("?" * len(part))
            query = (
                "SELECT endpoint_id, max(bytes_from_origin) FROM endpoints JOIN standing ON endpoint = number "
                f"WHERE endpoint_id IN ({marks}) GROUP BY 1"
            )
            found |= dict(self._connection.execute(query, part).fetchall())
        return found


class CommitTimes:
    """How long the reports of some PCs take to be committed."""

    def __init__(self, endpoints: Sequence[str]) -> None:
        self.endpoints = endpoints
        self.seconds: list[float] = []
        """From when a report was sent until its commit was seen."""
        self.seen: dict[str, int] = {}
        self._newest: dict[str, int] = {}

    def note(self, stamps: Mapping[str, int], now: float) -> None:
        """Take note of what is committed at ``now``, seconds since 1970."""
        for endpoint, stamp in stamps.items():
            if stamp > self._newest.get(endpoint, 0):
                self._newest[endpoint] = stamp
                self.seen[endpoint] = self.seen.get(endpoint, 0) + 1
                self.seconds.append(now - stamp / STAMPS_PER_SECOND)

    async def watch(self, path: Path) -> None:
        """Look at each commit, until cancelled."""
        with Committed(path) as committed:
            seen = -1
            while True:
                version = committed.version()
                if version != seen:
                    now = time.time()
                    self.note(committed.stamps(self.endpoints), now)
                    seen = version
                await trio.sleep(LOOK_SECONDS)

    def lost(self, said: Mapping[str, Said]) -> int:
        """Return how many reports of the watched PCs were never seen."""
        return sum(one.reports - self.seen.get(endpoint, 0) for endpoint, one in said.items() if endpoint in self._all)

    @property
    def _all(self) -> frozenset[str]:
        return frozenset(self.endpoints)


def behind(said: Mapping[str, Said], stamps: Mapping[str, int]) -> int:
    """Return of how many PCs the last report is not in the state."""
    return sum(stamps.get(endpoint, 0) != one.stamp for endpoint, one in said.items())


def percentile(values: Iterable[float], percent: float) -> float | None:
    """Return the least of ``values`` that so many percent of them do not exceed; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]

"""Lets the web part move months that are over into files, and let go of what has had its time, while little happens."""

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, tzinfo

import structlog
import trio

from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.shared.said_once import SaidOnce
from seed_server.fleet.archiving import Archivist

TIDY_SECONDS = 600.0  # a table is dropped one look after its month was archived
QUIET_HOURS = range(1, 5)  # of this machine's clock: after the evening's windows, before people come
WORK_SECONDS = 0.2  # then others have the processor for as long

log = structlog.get_logger()


class StoppedError(Exception):
    """The server ends: what is under way is left as it is, and the next start goes on from there."""


class GivingWay:
    """Called between small pieces of work in a thread: rests as long as it has worked; raises once it is told to."""

    def __init__(self, clock: Clock, rest: Callable[[float], object] | None = None) -> None:
        self._clock = clock
        self._stopped = threading.Event()
        self._rest = rest or self._stopped.wait
        self._began = clock.monotonic()

    def __call__(self) -> None:
        """Rest, where it is time to. Raises `StoppedError`."""
        worked = self._clock.monotonic() - self._began
        if worked > WORK_SECONDS:
            self._rest(worked)
            self._began = self._clock.monotonic()
        if self._stopped.is_set():
            raise StoppedError

    def stop(self) -> None:
        """Let the next call raise `StoppedError`, and one that rests too."""
        self._stopped.set()


def is_quiet(now: float, zone: tzinfo | None = None) -> bool:
    """Whether this is a time for work that nobody waits for; ``zone`` None: this machine's."""
    return datetime.fromtimestamp(now, UTC).astimezone(zone).hour in QUIET_HOURS


async def keep_history(archivist: Archivist, clock: Clock, zone: tzinfo | None = None) -> None:
    """Tidy up at quiet hours until cancelled; also at others where a month has waited for days."""
    failed = SaidOnce()
    while True:
        await trio.sleep(TIDY_SECONDS * random.uniform(0.8, 1.0))  # noqa: S311 - jitter
        try:
            if is_quiet(clock.now(), zone) or await trio.to_thread.run_sync(archivist.is_late):
                await tidy(archivist, clock)
                failed.is_new("")
        except UserError as error:
            if failed.is_new(error.message):
                log.error("history is not tidied up now", reason=error.message)  # noqa: TRY400
        except Exception:  # the web port goes on, and months stay where they are
            log.exception("history is not tidied up now")


async def tidy(archivist: Archivist, clock: Clock) -> None:
    """Do all that is due in a thread that gives way; when this is cancelled, the thread ends soon after."""
    way = GivingWay(clock)
    try:
        await trio.to_thread.run_sync(replace(archivist, pause=way).tidy, abandon_on_cancel=True)
    finally:
        way.stop()

"""Makes hours of what lines did a week ago, and lets go of what has had its time, a little at a time."""

import random

import structlog
import trio

from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.shared.said_once import SaidOnce
from seed_server.store.database import Database
from seed_server.store.transactions import OTHERS_TURN_SECONDS

FOLD_SECONDS = 600.0  # an hour of all lines is due each hour; after a long stop, many are

log = structlog.get_logger()


async def keep_lines(database: Database, clock: Clock) -> None:
    """Do what is due now and then until cancelled."""
    failed = SaidOnce()
    while True:
        await trio.sleep(FOLD_SECONDS * random.uniform(0.8, 1.0))  # noqa: S311 - jitter
        try:
            await fold(database, clock)
            failed.is_new("")
        except UserError as error:
            if failed.is_new(error.message):
                log.warning("what lines did is not made shorter now", reason=error.message)
        except Exception:  # the web port goes on, and the rows stay as they are
            log.exception("what lines did is not made shorter now")


async def fold(database: Database, clock: Clock) -> int:
    """Fold one hour after the other until none is due; return how many were. Raises `UserError`."""
    hours = 0
    while await trio.to_thread.run_sync(database.fold_line_minutes, clock.now()):
        hours += 1
        await trio.sleep(OTHERS_TURN_SECONDS)
    return hours

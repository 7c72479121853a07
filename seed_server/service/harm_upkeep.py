"""Tells the audit log of sites where leasing pauses because business suffered."""

import random
from collections.abc import Callable

import structlog
import trio

from p2pdist.shared.errors import UserError
from p2pdist.shared.said_once import SaidOnce
from seed_server.fleet.context import Context
from seed_server.fleet.harm_entries import HarmEntries
from seed_server.store.database import Database

HARM_LOOK_EVERY_SECONDS = 20.0  # a pause lasts for a quarter of an hour at least

log = structlog.get_logger()


async def enter_harm(context: Context, database: Database, held: Callable[[], bool] = lambda: False) -> None:
    """Look now and then until cancelled, but not while it is ``held``. What fails is tried again."""
    entries, failed = HarmEntries(context, database), SaidOnce()
    while True:
        await trio.sleep(HARM_LOOK_EVERY_SECONDS * random.uniform(0.8, 1.0))  # noqa: S311 - jitter
        if held():
            continue
        try:
            await trio.to_thread.run_sync(entries.look)
            failed.is_new("")
        except UserError as error:
            if failed.is_new(error.message):
                log.warning("the audit log is not told of sites that pause", reason=error.message)
        except Exception:  # the web port and the rollouts go on
            log.exception("the audit log is not told of sites that pause")

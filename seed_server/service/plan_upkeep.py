"""Keeps what is planned for a rollout when it begins, so that it can be compared with what becomes of it."""

import random

import structlog
import trio

from p2pdist.shared.errors import UserError
from p2pdist.shared.said_once import SaidOnce
from seed_server.fleet.context import Context
from seed_server.fleet.rollout_announcing import kept_rollouts
from seed_server.reporting.plan_answers import keep_plan
from seed_server.store.database import Database

PLAN_LOOK_SECONDS = 60.0
JUST_BEGUN_SECONDS = 3_600.0  # since a rollout began: later it would be planned what has happened already

log = structlog.get_logger()


class PlanUpkeep:
    """Makes the plan of each rollout that has just begun."""

    def __init__(self, context: Context, database: Database) -> None:
        self._context, self._database = context, database
        self._failed = SaidOnce()

    async def run(self) -> None:
        """Look now and then until cancelled."""
        while True:
            await trio.sleep(PLAN_LOOK_SECONDS * random.uniform(0.8, 1.0))  # noqa: S311 - jitter
            try:
                await trio.to_thread.run_sync(self.look)
                self._failed.is_new("")
            except UserError as error:
                if self._failed.is_new(error.message):
                    log.warning("a rollout's plan cannot be made", reason=error.message)
            except Exception:  # the web port and the rollouts go on
                log.exception("a rollout's plan cannot be made")

    def look(self) -> int:
        """Keep the plans that are lacking; return how many were. Raises `UserError`. Blocking."""
        since = self._context.clock.now() - JUST_BEGUN_SECONDS
        live = [one for one in kept_rollouts(self._database, live=True) if one.row.created_at >= since]
        if not live:
            return 0
        known = self._database.forecast_rollouts()
        manifests = {one.ref: one for one in self._context.repository().readable_manifests()[0]}
        made = 0
        for kept in live:
            manifest = manifests.get(kept.plan.ref)
            if kept.row.number not in known and manifest is not None:
                keep_plan(self._context, self._database, kept, manifest)
                log.info("a rollout's plan is kept", rollout=kept.row.number)
                made += 1
        return made

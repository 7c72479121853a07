"""Restarts this PC where an installed patch needs it and may."""

import math
from datetime import timedelta

from p2pdist.install.installer import Installer
from p2pdist.install.journal import JournalStore
from p2pdist.install.plan import PlanMoment
from p2pdist.install.restart_times import DueRestart, due_restarts
from p2pdist.pc import system
from p2pdist.shared.clock import Clock
from p2pdist.shared.lazy_log import lazy_log

CANCELLED_AFTER_SECONDS = 300.0  # a restart that has not begun by then after its notice was cancelled
OUTLIVED_AGAIN_SECONDS = 10.0  # between two looks at an installer that outlived its daemon
REFUSED_AGAIN_SECONDS = 3_600.0  # before the system is asked again that would not restart

log = lazy_log()


class Restarter:
    """Looks after the restarts in the journal. Runs in the daemon's trio thread."""

    def __init__(self, store: JournalStore, installer: Installer, clock: Clock, *, may_restart: bool) -> None:
        """``may_restart``: whether this PC lets patches restart it."""
        self._store = store
        self._installer = installer
        self._monotonic = clock.monotonic
        self._may_restart = may_restart
        self._comes_until = self._not_before = -math.inf
        """Until when a restart that was announced may still come, and before when none is tried again."""

    @property
    def is_coming(self) -> bool:
        """Whether the PC is about to be restarted: nothing is begun that the restart would interrupt."""
        return self._monotonic() < self._comes_until

    def due(self, moment: PlanMoment) -> list[DueRestart]:
        """Return every restart that this PC still needs, also for patches that are withdrawn."""
        boot = system.boot_id()
        needing = (record for record in self._store.journal.records if record.restart_boot == boot)
        return due_restarts(needing, moment, may_restart=self._may_restart)

    async def look(self, moment: PlanMoment) -> float | None:
        """Restart the PC if that is due; return when to look again, in seconds since 1970.

        Raises `OSError`.
        """
        due = self.due(moment)
        if self._monotonic() < max(self._comes_until, self._not_before):
            return None
        for restart in due:
            if restart.notice is not None:
                if await self._installer.has_outlived():  # as of a patch that is withdrawn: nobody else waits for it
                    return moment.at.timestamp() + OUTLIVED_AGAIN_SECONDS
                await self._restart(restart, restart.notice)
                return None
        return min((restart.again_at for restart in due if restart.again_at is not None), default=None)

    async def _restart(self, restart: DueRestart, notice: timedelta) -> None:
        minutes = round(notice.total_seconds() / 60)
        words = f"This PC restarts in {minutes} minutes to finish {restart.ref}."
        outcome = await self._installer.restart_pc(minutes, words)
        now = self._monotonic()
        if outcome.succeeded:
            self._comes_until = now + notice.total_seconds() + CANCELLED_AFTER_SECONDS
        else:
            self._not_before = now + REFUSED_AGAIN_SECONDS
        log.warning("restarting this PC", patch=str(restart.ref), minutes=minutes, outcome=outcome.words)
        what = f"the PC is restarted in {minutes} minutes: {outcome.words}"
        await self._store.update(restart.ref, lambda r: r, what, outcome.output)

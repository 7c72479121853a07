"""Lets the web part remove what nobody needs from the server's disk, daily, and say where there is too little room."""

import random
from dataclasses import dataclass, field

import structlog
import trio

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.said_once import SaidOnce
from seed_server.fleet.actor import Actor
from seed_server.fleet.clock_doubt import say_expired
from seed_server.fleet.content_operations import remove_content
from seed_server.fleet.context import Context
from seed_server.publishing.content_plan import ContentPlan
from seed_server.signing.repository import Repository
from seed_server.store.database import Database
from seed_server.store.home_leftovers import remove_old_leftovers

FIRST_TIDY_SECONDS = 60.0  # a start-up has other work
AGAIN_SECONDS = 600.0  # where somebody publishes, the server still learns from its PCs, or the disk is full

log = structlog.get_logger()


@dataclass
class DiskUpkeep:
    """Tidies up one home; at each start, and once a day."""

    context: Context
    repository: Repository
    database: Database
    over_bytes: int = 0
    """By how much files take more than they may, as was said last."""
    said: SaidOnce = field(default_factory=SaidOnce)
    """Why nothing goes after its time; shared with others who let things go."""
    failed: SaidOnce = field(default_factory=SaidOnce)
    """Why it was not done the last time."""

    async def run(self) -> None:
        """Do it until cancelled."""
        wait = FIRST_TIDY_SECONDS
        while True:
            await trio.sleep(wait)
            wait = DAY_SECONDS * random.uniform(0.9, 1.0)  # noqa: S311 - jitter
            try:
                await trio.to_thread.run_sync(self.tidy, abandon_on_cancel=True)
                self.failed.is_new("")
            except UserError as error:
                wait = AGAIN_SECONDS
                if error.kind is not FaultKind.BUSY and self.failed.is_new(error.message):
                    log.error("the disk is not tidied up now", reason=error.message)  # noqa: TRY400
            except Exception:  # the web port goes on, and files stay where they are
                log.exception("the disk is not tidied up now")

    def tidy(self) -> None:
        """Remove what killed processes left, and what nobody needs. Blocking. Raises `UserError`."""
        removed = remove_old_leftovers(self.context.home, self.context.clock.now())
        if removed:
            log.info("files that killed writers left are removed", files=removed)
        plan = remove_content(self.context, self.repository, self.database, Actor.engine())
        self._say(plan)

    def _say(self, plan: ContentPlan) -> None:
        """Say that nothing goes, or that there is no room, once, and once that there is again."""
        say_expired(plan.expired, self.said)
        if plan.expired:
            return
        if plan.over_bytes and not self.over_bytes:
            log.warning(
                "files of patches take more than content_gb, and none of them can go by itself: 'seed-server disk' "
                "says what each is kept for",
                over_bytes=plan.over_bytes,
                bytes=plan.left_bytes,
            )
        elif self.over_bytes and not plan.over_bytes:
            log.info("files of patches take no more than content_gb again", bytes=plan.left_bytes)
        self.over_bytes = plan.over_bytes

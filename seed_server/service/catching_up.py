"""The web part of a restored server: it adopts what PCs hand in, and goes on when enough of them have spoken."""

import math

import structlog
import trio
from msgspec.structs import replace

from p2pdist.shared.errors import UserError
from seed_server.enrolment.certificate_authority import ENDPOINT_LIFETIME_SECONDS, UNSURE_LIFETIME_SECONDS
from seed_server.fleet import restoring
from seed_server.fleet.context import Context
from seed_server.fleet.problems import restore_problems
from seed_server.service.messages import HandedInFiles, TrustHeard, UnknownPc
from seed_server.signing.adoption import NotAdoptableError
from seed_server.signing.presented import PresentedFiles
from seed_server.signing.repository import Repository
from seed_server.store.database import Database
from seed_server.store.restored_mark import RestoredMark, read_mark, write_mark

CATCHING_UP_SECONDS = 300.0  # then it goes on by what it knows: PCs that are off say nothing
ENOUGH_SHARE = 0.8  # of the PCs that are not denied
NOTHING_NEWER_SECONDS = 10.0  # after the last PC that knows more: others may know more still
CATCH_UP_LOOK_SECONDS = 1.0
LATE_LOOK_SECONDS = 30.0  # afterwards: PCs that come late may know more, and `status` says so
MAX_CATCH_UP_WORK = 64  # adoptions and unknown PCs; each tries again

log = structlog.get_logger()


class CatchingUp:
    """Learns from PCs. Its `run` does everything that blocks, one after the other, in threads."""

    def __init__(self, context: Context, repository: Repository, database: Database) -> None:
        self._context = context
        self._repository = repository
        self._database = database
        self._mark: RestoredMark | None = None
        self._left = CATCHING_UP_SECONDS
        """For how many seconds it still waits for PCs, from when it runs."""
        self._heard = TrustHeard(0, 0)
        self._ends_at = math.inf
        self._quiet_since = -math.inf
        self._put, self._work = trio.open_memory_channel[HandedInFiles | UnknownPc](MAX_CATCH_UP_WORK)

    @property
    def held(self) -> bool:
        """Whether nothing of this server's own is announced yet."""
        return self._mark is not None and not self._mark.settled

    @property
    def certificates_last(self) -> int:
        """For how many seconds PCs get certificates: a denied one may be let in before that is known."""
        learns = self._mark is not None and self._mark.catching_up
        return UNSURE_LIFETIME_SECONDS if learns else ENDPOINT_LIFETIME_SECONDS

    def begin(self) -> None:
        """Look whether this home was restored; call it before anything is announced. Blocking. Raises `UserError`."""
        PresentedFiles(self._context.home).clear()
        self._mark = read_mark(self._context.home)
        if self._mark is None or not self._mark.catching_up:
            return
        now = self._context.clock.now()
        if not self._mark.begun_at:
            self._keep(begun_at=now)
        # by the clock where it was started again, and no longer than that if the clock was set back meanwhile
        self._left = min(CATCHING_UP_SECONDS, max(0.0, self._mark.begun_at + CATCHING_UP_SECONDS - now))
        restoring.halt_rollouts(self._context, self._database)
        # whoever was killed between adopting and this has left it undone
        restoring.serve_adopted(self._context, self._repository, self._database)
        restoring.deny_again(self._context, self._repository, self._database)
        log.warning(
            "this server was restored from a backup, and learns from its PCs what came after that",
            backup_at=int(self._mark.backup_at),
            seconds=int(CATCHING_UP_SECONDS),
        )

    def heard(self, message: TrustHeard | HandedInFiles | UnknownPc) -> None:
        """Take what the origin part says. Returns at once."""
        if isinstance(message, TrustHeard):
            if message != self._heard:
                self._quiet_since = trio.current_time()
            self._heard = message
            return
        try:
            self._put.send_nowait(message)
        except trio.WouldBlock:
            log.debug("more than can be done at once; it comes again")

    async def run(self) -> None:
        """Adopt, take back, and end the phase, until cancelled."""
        self._ends_at = trio.current_time() + self._left
        while True:
            rarely = math.inf if self._mark is None else LATE_LOOK_SECONDS
            work = None
            with trio.move_on_after(CATCH_UP_LOOK_SECONDS if self.held else rarely):
                work = await self._work.receive()
            if work is not None:
                await self._do(work)
            try:
                await self._look()
            except UserError as error:
                log.error("the server cannot go on from its backup yet", reason=error.message)  # noqa: TRY400
                await trio.sleep(CATCH_UP_LOOK_SECONDS)

    async def _do(self, work: HandedInFiles | UnknownPc) -> None:
        try:
            if isinstance(work, HandedInFiles):
                await trio.to_thread.run_sync(self._adopt)
            else:
                await trio.to_thread.run_sync(self._take_back, work)
        except NotAdoptableError as error:
            log.warning("what PCs have handed in is not adopted", reason=str(error))
            await trio.to_thread.run_sync(PresentedFiles(self._context.home).clear)
        except UserError as error:
            log.error("what PCs know cannot be taken over", reason=error.message)  # noqa: TRY400
        self._quiet_since = trio.current_time()

    def _adopt(self) -> None:
        was_unmarked = self._mark is None
        adopted = restoring.adopt(self._context, self._database, self._mark_set_back)
        if adopted is None:
            return
        assert self._mark is not None
        if was_unmarked:
            restoring.halt_rollouts(self._context, self._database)
        self._keep(adopted=self._mark.adopted + len(adopted.roles) + adopted.roots, left=adopted.left)

    def _mark_set_back(self) -> None:
        """Note that there was something to adopt where nobody has said so, as after a virtual machine was set back.

        Before it is adopted: whoever is killed after that goes on from the mark.
        """
        if self._mark is None:
            now = self._context.clock.now()
            mark = RestoredMark(backup_at=now, restored_at=now, begun_at=now)
            write_mark(self._context.home, mark)
            self._mark = mark
            log.error("PCs have seen newer signed files of this server than it has itself: it was set back")

    def _take_back(self, pc: UnknownPc) -> None:
        if self._mark is not None and not self._mark.catching_up:
            restoring.take_back(self._context, self._database, self._mark, pc.endpoint, pc.hostname, pc.issued_at)

    def _keep(self, **changes: object) -> None:
        assert self._mark is not None
        changed = replace(self._mark, **changes)
        if changed != self._mark:
            write_mark(self._context.home, changed)  # first: what cannot be kept is tried again
            self._mark = changed

    async def _look(self) -> None:
        if self._mark is None:
            return
        await trio.to_thread.run_sync(self._count, self._mark)
        if self._mark.catching_up and self._may_end():
            await trio.to_thread.run_sync(self._end)
        if not self._mark.catching_up and not self._mark.settled:
            await trio.to_thread.run_sync(self._settle)

    def _count(self, mark: RestoredMark) -> None:
        pcs = self._database.endpoint_counts().allowed if mark.catching_up else mark.pcs
        self._keep(told=max(self._heard.told, mark.told), newer=self._heard.newer, pcs=pcs)

    def _may_end(self) -> bool:
        mark = self._mark
        assert mark is not None
        if trio.current_time() >= self._ends_at:
            return True
        settled = trio.current_time() >= self._quiet_since + NOTHING_NEWER_SECONDS
        enough = mark.told >= max(1.0, ENOUGH_SHARE * mark.pcs)
        return settled and enough and not self._heard.newer

    def _end(self) -> None:
        assert self._mark is not None
        restoring.take_in(self._context, self._repository, self._database)
        self._keep(ended_at=self._context.clock.now())  # from here on this server signs

    def _settle(self) -> None:
        """Do what takes a signature, after the phase. Again, where it failed or whoever began it was killed."""
        assert self._mark is not None
        restoring.halt_unknown(self._context, self._repository, self._database)
        self._keep(settled=True)
        for problem in restore_problems(self._context):
            log.error("the server does not know all that its PCs know", reason=problem.text, mend=problem.mend)
        log.info("the server has caught up with its PCs", told=self._mark.told, pcs=self._mark.pcs)

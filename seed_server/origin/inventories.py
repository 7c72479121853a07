"""What PCs tell of their facts and packages: asked for in their turn, and recorded some at a time.

The controllers of the sites' lines run beside this. So what takes time is done in a thread, and that rests three times
as long as it has worked.
"""

import itertools
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
import trio

from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.manifest.inventory import EMPTY_DIGEST, InventoryDigest
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.features import INVENTORY
from p2pdist.shared.wire.inventory import (
    LEAST_PART_BYTES,
    MAX_PART_BYTES,
    InventoryPart,
    InventoryStated,
    InventoryWanted,
    unpacked,
)
from seed_server.line.control_budget import line_bytes
from seed_server.origin.control_pacer import ControlPacer
from seed_server.origin.donors import Presenting
from seed_server.origin.inventory_turns import InventoryTurn, InventoryTurns, Step
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.records import COMPLAIN_SECONDS
from seed_server.store.inventory import InventoryTold

INVENTORY_TURN_SECONDS = 0.25  # between two looks at whose turn it is
ONE_PART_SECONDS = 0.5  # of what messages may use of a site's line: so long one part takes of it, there and back
REST_FACTOR = 3.0  # times what the work has taken of the processor: a quarter of one at most
MOST_RECORDED = 100  # PCs recorded in one transaction: each takes some milliseconds
MOST_RECORDED_BYTES = 2 << 20  # of them together: as many as a hundred desktops have after a rebuild
MOST_RECORDED_ITEMS = 60_000  # likewise, unpacked: some 20 MB; a few bytes may stand for a hundred
MOST_LOOKED_UP = 2_000
STORE_RETRY_SECONDS = 5.0  # until a database that cannot be written is tried again

log = structlog.get_logger()


class InventoryStore(Protocol):
    """The database, as far as inventories are concerned; each method blocks, and raises `UserError`."""

    def digests_of(self, endpoints: Sequence[str]) -> dict[str, InventoryDigest]:
        """Return what is recorded of PCs."""
        ...

    def confirm_inventories(self, confirmed: Mapping[str, tuple[InventoryDigest, float]]) -> None:
        """Record that PCs still are what these digests stand for."""
        ...

    def store_inventories(self, told: Sequence[InventoryTold]) -> dict[str, bool]:
        """Record what PCs tell; return whose was taken."""
        ...


@dataclass(frozen=True)
class _Outcome:
    """What has come of what a PC has told."""

    taken: bool
    items: int = 0
    problem: str = ""
    """In words; empty: there is none, or the database has another inventory."""


class Inventories:
    """Asks PCs for what has changed, and records it."""

    def __init__(self, store: InventoryStore, clock: Clock, outside_log: OutsideLog, *, pace_seconds: float) -> None:
        """Ask a PC for changes once in ``pace_seconds`` at most."""
        self._store = store
        self._clock = clock
        self._log = outside_log
        self._turns = InventoryTurns(pace_seconds, random.random)
        self._pcs: dict[EndpointId, tuple[Presenting, ControlPacer]] = {}
        """Those that have said something, with the line of their site."""
        self._told: list[InventoryTurn] = []
        """To be recorded."""
        self._rests_until = 0.0
        self._complained_at = -COMPLAIN_SECONDS

    # --- what PCs say ---------------------------------------------------------------------

    def heard(self, pc: Presenting, site: str, line: ControlPacer, message: InventoryStated | InventoryPart) -> None:
        """Take what a connected PC of ``site`` says; ``line`` paces what else is said there."""
        if INVENTORY not in pc.features:
            return
        known = self._pcs.get(pc.endpoint)
        if known is not None and known[0] is not pc:
            self.left(known[0])  # it has connected again
        self._pcs[pc.endpoint] = pc, line
        if isinstance(message, InventoryStated):
            self._turns.said(pc.endpoint, site, InventoryDigest(message.digest))
            return
        step, turn = self._turns.part(pc.endpoint, message, trio.current_time())
        if turn is None:
            return
        line.count(line_bytes(len(message.data)))  # and not what nobody asked for: that would keep the others silent
        if step is Step.NEXT:
            self._ask(turn)
        elif step is Step.COMPLETE:
            self._told.append(turn)
        else:
            self._log.warning("a PC does not tell its inventory as it should", pc.endpoint, bytes=turn.total)

    def left(self, pc: Presenting) -> None:
        """Forget a PC that is not connected any more."""
        known = self._pcs.get(pc.endpoint)
        if known is not None and known[0] is pc:
            del self._pcs[pc.endpoint]
            self._turns.left(pc.endpoint)

    # --- what is done about it -------------------------------------------------------------

    async def run(self) -> None:
        """Ask and record until cancelled."""
        while True:
            await trio.sleep(INVENTORY_TURN_SECONDS)
            try:
                await self._look_up()
                await self._record()
            except UserError as error:
                self._complain(error)
                await trio.sleep(STORE_RETRY_SECONDS)
            now = trio.current_time()
            for turn in self._turns.expire(now):
                self._log.info("a PC does not tell its inventory", turn.endpoint)
            for turn in self._turns.begin(now):
                self._ask(turn)

    def _ask(self, turn: InventoryTurn) -> None:
        pc, line = self._pcs[turn.endpoint]
        most = int(line.rate(trio.current_time()) * ONE_PART_SECONDS)
        most = min(MAX_PART_BYTES, max(LEAST_PART_BYTES, most))
        pc.outbox.put("inventory", InventoryWanted(turn.base, most, len(turn.data)))

    async def _look_up(self) -> None:
        """Find out who is another than what is recorded. Raises `UserError`: they are looked up again."""
        said = self._turns.to_look_up(MOST_LOOKED_UP)
        if not said:
            return
        try:
            recorded = await trio.to_thread.run_sync(self._recorded, said)
        except BaseException:
            self._turns.not_looked_up(said)
            raise
        for endpoint in said:
            self._turns.looked_up(endpoint, recorded.get(endpoint), trio.current_time())

    def _recorded(self, said: Mapping[EndpointId, InventoryDigest]) -> dict[str, InventoryDigest]:
        recorded, now = self._store.digests_of(list(said)), self._clock.now()
        same: dict[str, tuple[InventoryDigest, float]] = {
            endpoint: (digest, now) for endpoint, digest in said.items() if recorded.get(endpoint) == digest
        }
        if same:
            self._store.confirm_inventories(same)
        return recorded

    async def _record(self) -> None:
        """Record some of what was told to the end. Raises `UserError`: those are asked again."""
        if not self._told or trio.current_time() < self._rests_until:
            return
        some = self._take_some()
        try:
            outcomes, worked_seconds = await trio.to_thread.run_sync(self._store_first, some)
        except BaseException:
            for turn in some:
                self._turns.unrecorded(turn, trio.current_time())
            raise
        now = trio.current_time()
        self._rests_until = now + REST_FACTOR * worked_seconds
        self._told[:0] = some[len(outcomes) :]
        for turn in some[: len(outcomes)]:
            outcome = outcomes[turn.endpoint]
            self._turns.recorded(turn, taken=outcome.taken, items=outcome.items, now=now)
            if not outcome.taken:
                reason = outcome.problem or "it does not fit what is recorded, or is more than a PC can have"
                self._log.warning("a PC's inventory is not taken; it is asked for all", turn.endpoint, reason=reason)

    def _take_some(self) -> list[InventoryTurn]:
        sizes = itertools.accumulate(turn.total for turn in self._told[:MOST_RECORDED])
        count = max(1, sum(size <= MOST_RECORDED_BYTES for size in sizes))
        some, self._told = self._told[:count], self._told[count:]
        return some

    def _store_first(self, turns: Sequence[InventoryTurn]) -> tuple[dict[EndpointId, _Outcome], float]:
        """Decode and record what PCs have told, of as many as there is room for, and of one at least.

        Return what has come of it, and the processor's time.
        """
        begun, now = time.thread_time(), self._clock.now()
        tellings: list[InventoryTold] = []
        outcomes: dict[EndpointId, _Outcome] = {}
        for turn in turns:
            if sum(len(telling.changes) for telling in tellings) >= MOST_RECORDED_ITEMS:
                break
            try:
                changes = unpacked(bytes(turn.data))
            except DecodeError as error:
                outcomes[turn.endpoint] = _Outcome(taken=False, problem=str(error))
                continue
            base = None if turn.base == EMPTY_DIGEST else turn.base
            tellings.append(InventoryTold(turn.endpoint, base, turn.digest, changes, now))
        taken = self._store.store_inventories(tellings) if tellings else {}
        for telling in tellings:
            endpoint = EndpointId(telling.endpoint)
            outcomes[endpoint] = _Outcome(taken.get(endpoint, False), len(telling.changes))
        return outcomes, time.thread_time() - begun

    def _complain(self, error: UserError) -> None:
        if trio.current_time() - self._complained_at >= COMPLAIN_SECONDS:
            self._complained_at = trio.current_time()
            log.error("what PCs tell of themselves cannot be recorded", reason=error.message)

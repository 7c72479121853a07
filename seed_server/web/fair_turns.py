"""How much work clients get done: so many turns a second, and each address the next one after all others had theirs.

A turn is a handshake or a request. The limiter's pings are measured by the same process, so no client may have all of
it. A secret has 128 bits: guesses are no danger, the work that they cost is. Nobody is locked out for what others
behind the same address do: a request waits for its turn.
"""

from collections import OrderedDict, deque

import trio

from seed_server.ports.address_block import address_block

STRANGER_TURN_SECONDS = 0.005  # 200 turns a second: at a millisecond of work each, a fifth of a processor
MEMBER_TURN_SECONDS = 0.002  # of clients that have shown an enrolled endpoint's certificate, or come from where one did


class FairTurns:
    """Gives one turn after the other. How many wait is bounded by the port's `Gate`: each is a connection."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._busy = False
        self._waiting: OrderedDict[str, deque[trio.Event]] = OrderedDict()
        """By address block, in the order in which they get the next turn."""

    async def take(self, address: str) -> None:
        """Wait for a turn of ``address``."""
        await self._wait(address_block(address))
        try:
            await trio.sleep(self._seconds)
        finally:
            self._pass_on()

    async def _wait(self, block: str) -> None:
        if not self._busy:
            self._busy = True
            return
        given = trio.Event()
        waiting = self._waiting.setdefault(block, deque())
        waiting.append(given)
        try:
            await given.wait()
        except BaseException:
            if given.is_set():
                self._pass_on()
            else:
                waiting.remove(given)
                if not waiting:
                    del self._waiting[block]
            raise

    def _pass_on(self) -> None:
        if not self._waiting:
            self._busy = False
            return
        block, waiting = next(iter(self._waiting.items()))
        given = waiting.popleft()
        if waiting:
            self._waiting.move_to_end(block)
        else:
            del self._waiting[block]
        given.set()

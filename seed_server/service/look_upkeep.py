"""Keeps what pages show of the whole fleet younger than it may be: so nobody waits for it who asks."""

import structlog
import trio

from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from seed_server.fleet.look_memory import LookMemory

RENEWAL_SECONDS = 1.0  # at least, between two looks that are taken anew
RENEWAL_SHARE = 0.1  # of the time, for looks that are taken anew: each takes up to half a second of a processor

log = structlog.get_logger()


async def keep_looks(looks: LookMemory, clock: Clock) -> None:
    """Renew one look after the other, of those that somebody has asked for lately, until cancelled."""
    alone = trio.CapacityLimiter(1)  # whoever asks has the other threads
    took = 0.0
    while True:
        await trio.sleep(max(RENEWAL_SECONDS, took / RENEWAL_SHARE - took))
        begun = trio.current_time()
        try:
            await trio.to_thread.run_sync(looks.renew, clock.monotonic(), limiter=alone)
        except UserError as error:
            log.debug("a look is not taken anew", reason=error.message)  # who asks next is told
        took = trio.current_time() - begun

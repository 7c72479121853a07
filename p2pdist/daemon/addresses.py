"""Notices when this PC's own addresses change: a new DHCP lease, a VPN that comes or goes."""

import structlog
import trio

from p2pdist.daemon.restarts import Restarts
from p2pdist.daemon.state import DaemonState
from p2pdist.neighbours.service import Neighbours
from p2pdist.origin.connection import ServerConnection
from p2pdist.pc import system
from p2pdist.shared.clock import Clock

CHECK_SECONDS = 30.0  # a change is noticed within this

log = structlog.get_logger()


class AddressWatch:
    """Keeps the facts of this PC in the state fresh; tells the server and the neighbours its new addresses."""

    def __init__(
        self, state: DaemonState, restarts: Restarts, clock: Clock, *, check_seconds: float = CHECK_SECONDS
    ) -> None:
        self._state = state
        self._restarts = restarts
        self._clock = clock
        self._check_seconds = check_seconds

    async def read_facts(self) -> system.LocalFacts:
        """Read the facts of this PC anew. Raises `OSError`."""
        state = self._state
        # a name that does not resolve takes half a minute: a daemon that stops does not wait for it
        return await trio.to_thread.run_sync(
            system.read_local_facts,
            state.identity.server_address,
            state.identity.origin_port,
            state.fixed_address,
            self._clock.now(),
            abandon_on_cancel=True,
        )

    async def run(self, origin: ServerConnection, neighbours: Neighbours) -> None:
        """Look again and again, until cancelled."""
        while True:
            await trio.sleep(self._check_seconds)
            try:
                facts = await self.read_facts()
            except OSError as error:
                log.warning("own addresses cannot be read", reason=str(error))
                continue
            await self.accept(facts, origin, neighbours)

    async def accept(self, facts: system.LocalFacts, origin: ServerConnection, neighbours: Neighbours) -> None:
        """Record the new facts; where an address changed, reconnect, announce it, and listen there."""
        state = self._state
        before, listened_on = state.addresses, state.listen_address
        state.facts = facts
        if state.addresses == before:
            return
        log.info("own addresses changed", addresses=state.addresses)
        origin.reconnect()
        await neighbours.announce()
        if state.listen_address != listened_on:
            await self._restarts.start_anew()  # the engine listens on the new address

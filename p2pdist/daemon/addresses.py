"""Notices when this PC reaches its server from another address: a new lease, another network, a VPN.

Other addresses come and go all day, of containers and virtual machines. They are nobody's business: a connection that
is made anew loses the pieces that are under way.
"""

from dataclasses import replace
from functools import partial

import trio

from p2pdist.daemon.restarts import Restarts
from p2pdist.daemon.state import DaemonState
from p2pdist.neighbours.service import Neighbours
from p2pdist.origin.connection import ServerConnection
from p2pdist.pc import local_facts
from p2pdist.pc.network import Medium
from p2pdist.shared.clock import Clock
from p2pdist.shared.lazy_log import lazy_log

CHECK_SECONDS = 30.0  # a change is noticed within this

log = lazy_log()


class AddressWatch:
    """Keeps the facts of this PC in the state fresh; tells the server and the neighbours its new address."""

    def __init__(
        self,
        state: DaemonState,
        restarts: Restarts,
        clock: Clock,
        *,
        medium: Medium | None = None,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        """``medium``: the kind of network by the settings; None when the PC shall find out."""
        self._state = state
        self._restarts = restarts
        self._clock = clock
        self._medium = medium
        self._check_seconds = check_seconds

    async def read_facts(self) -> local_facts.LocalFacts:
        """Read the facts of this PC anew. Raises `OSError`."""
        state = self._state
        read = partial(
            local_facts.read_local_facts,
            (state.servers.origin.current.host, state.servers.origin.current.origin_port),
            self._clock.now(),
            fixed_address=state.fixed_address,
            former_address=state.address,
            medium=self._medium,
        )
        # a name that does not resolve takes half a minute: a daemon that stops does not wait for it
        return await trio.to_thread.run_sync(read, abandon_on_cancel=True)

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

    async def accept(self, facts: local_facts.LocalFacts, origin: ServerConnection, neighbours: Neighbours) -> None:
        """Record the new facts; where the address that leads to the server changed, reconnect, announce and listen."""
        state = self._state
        before, listened_on = state.address, state.listen_address
        if not facts.addresses:  # without a network, what was told stays: the same address may come back
            facts = replace(facts, addresses=state.facts.addresses)
        state.facts = facts
        if state.address == before:
            return
        log.info("the way to the server has changed", address=state.address, before=before)
        origin.reconnect()
        await neighbours.announce()
        if state.listen_address != listened_on:
            await self._restarts.start_anew()  # the engine listens on the new address

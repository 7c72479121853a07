"""Tells the server this PC's facts and packages: says their digest, and answers what the server asks for."""

from collections.abc import Awaitable, Callable, Mapping

import trio

from p2pdist.daemon.wakeups import WakeUp
from p2pdist.pc.kept_inventories import TellingOf, ToldInventories
from p2pdist.pc.told_inventory import told_inventory
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.inventory import Inventory, InventoryDigest, InventoryFact, digest_of
from p2pdist.shared.wire.features import INVENTORY
from p2pdist.shared.wire.fields import Features
from p2pdist.shared.wire.inventory import InventoryPart, InventoryStated, InventoryWanted
from p2pdist.shared.wire.messages import FromEndpoint

INVENTORY_LOOK_SECONDS = 600.0  # as often as facts are gathered: free space is no news that wakes anybody
SAID_AGAIN_SECONDS = 72_000.0  # so that what the server knows of a connected PC is never a day old
SAID_SECONDS = 60.0  # between two digests on one connection: an upgrade changes packages for minutes


class InventoryNews:
    """What the server has been told on this connection."""

    def __init__(
        self,
        facts: Callable[[], Facts],
        told: ToldInventories,
        send: Callable[[FromEndpoint], Awaitable[None]],
        wakeup: WakeUp,
        *,
        tell_packages: bool,
    ) -> None:
        """``facts``: this PC's, as last gathered; ``wakeup`` is rung when they have changed.

        ``tell_packages``: whether this PC's settings let it say which packages it has.
        """
        self._facts = facts
        self._told = told
        self._send = send
        self._wakeup = wakeup
        self._tell_packages = tell_packages
        self._takes = False
        self._said: InventoryDigest | None = None
        """The digest that this connection was told last."""
        self._said_at = -SAID_SECONDS
        self._wanted: InventoryWanted | None = None
        self._telling: TellingOf | None = None
        """What is being told in parts."""
        self._unsaid = False
        self._facts_told: Mapping[str, InventoryFact] | None = None
        """None: what an earlier run has told is not read yet."""
        self._digested: tuple[Facts, InventoryDigest] | None = None

    def welcomed(self, features: Features) -> None:
        """Tell a new connection, where the server takes it."""
        self._takes = INVENTORY in features
        self._said, self._said_at, self._wanted, self._telling = None, -SAID_SECONDS, None, None
        self._wakeup.ring()

    def disconnected(self) -> None:
        """Say nothing any more."""
        self._takes = False

    def heard(self, wanted: InventoryWanted) -> None:
        """Take what the server asks for; the newest counts."""
        self._wanted = wanted
        self._wakeup.ring()

    async def run(self) -> None:
        """Tell it what is new, until cancelled."""
        while True:
            early_seconds = self._said_at + SAID_SECONDS - trio.current_time()
            await self._wakeup.wait(early_seconds if self._unsaid and early_seconds > 0 else INVENTORY_LOOK_SECONDS)
            if self._takes:
                await self._look()

    async def _look(self) -> None:
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            await self._send(await self._part(wanted))
        digest = await self._digest()
        said_seconds_ago = trio.current_time() - self._said_at
        self._unsaid = digest != self._said or said_seconds_ago >= SAID_AGAIN_SECONDS
        if self._takes and self._unsaid and said_seconds_ago >= SAID_SECONDS:
            self._said, self._said_at, self._unsaid = digest, trio.current_time(), False
            await self._send(InventoryStated(digest))

    async def _part(self, wanted: InventoryWanted) -> InventoryPart:
        begun, offset = self._telling, wanted.offset
        if begun is not None and begun.base == wanted.base and 0 < offset < len(begun.data):
            telling = begun
        else:
            facts, base, offset = self._facts(), InventoryDigest(wanted.base), 0
            telling, self._facts_told = await trio.to_thread.run_sync(self._tell, facts, base)
            self._said = telling.digest
        data = telling.data[offset : offset + wanted.most_bytes]
        total = len(telling.data)
        self._telling = telling if offset + len(data) < total else None
        return InventoryPart(telling.base, telling.digest, offset, total, data)

    async def _digest(self) -> InventoryDigest:
        facts = self._facts()
        known = self._digested
        if known is None or facts.values != known[0].values or facts.packages is not known[0].packages:
            known = self._digested = facts, await trio.to_thread.run_sync(self._digest_of, facts)
        return known[1]

    # in a thread: thousands of packages take some milliseconds

    def _digest_of(self, facts: Facts) -> InventoryDigest:
        if self._facts_told is None:
            self._facts_told = self._told.newest_facts()
        return digest_of(self._present(facts))

    def _tell(self, facts: Facts, base: InventoryDigest) -> tuple[TellingOf, Mapping[str, InventoryFact]]:
        present = self._present(facts)
        return self._told.tell(present, base), present.facts

    def _present(self, facts: Facts) -> Inventory:
        return told_inventory(facts, self._facts_told or {}, tell_packages=self._tell_packages)

"""A PC that tells its inventory, a server that asks for it, and a connection between them that can be lost."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import trio

from bandwidth.core.units import BytesPerSecond
from p2pdist.daemon.inventory_news import InventoryNews
from p2pdist.daemon.wakeups import WakeUp
from p2pdist.pc.kept_inventories import ToldInventories
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.manifest.facts import Facts, Packages
from p2pdist.shared.manifest.inventory import (
    EMPTY_DIGEST,
    NOTHING,
    PACKAGES_TOLD,
    Inventory,
    InventoryDigest,
    applied,
    digest_after,
    digest_of,
)
from p2pdist.shared.manifest.versions import Ecosystem
from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.features import INVENTORY
from p2pdist.shared.wire.fields import Features
from p2pdist.shared.wire.inventory import InventoryPart, InventoryStated, InventoryWanted
from p2pdist.shared.wire.messages import FromEndpoint
from seed_server.line.control_budget import ControlBudget
from seed_server.origin.control_pacer import ControlPacer
from seed_server.origin.inventories import Inventories
from seed_server.origin.outside_log import OutsideLog
from seed_server.store.inventory import InventoryTold

DEB = Ecosystem.DEB

T = TypeVar("T")


def has(packages: Mapping[str, str], **facts: str | int) -> Facts:
    """What a PC knows of itself."""
    return Facts(dict(facts), Packages({DEB: dict(packages)}, complete=True))


def told(packages: Mapping[str, str], **facts: str | int) -> Inventory:
    """What the server shall know of it."""
    return Inventory(dict(facts) | {PACKAGES_TOLD: "all"}, {(DEB, name): text for name, text in packages.items()})


async def inline(function: Callable[..., T], *args: object, **_options: object) -> T:
    """Stands in for `trio.to_thread.run_sync`, so that a clock that jumps does not jump meanwhile."""
    await trio.lowlevel.checkpoint()
    return function(*args)


class Store:
    """The database's inventories, without a database."""

    def __init__(self) -> None:
        self.kept: dict[str, Inventory] = {}
        self.told: list[InventoryTold] = []
        self.confirmed: dict[str, tuple[InventoryDigest, float]] = {}

    def digests_of(self, endpoints: Sequence[str]) -> dict[str, InventoryDigest]:
        return {one: digest_of(self.kept[one]) for one in endpoints if one in self.kept}

    def confirm_inventories(self, confirmed: Mapping[str, tuple[InventoryDigest, float]]) -> None:
        self.confirmed |= confirmed

    def store_inventories(self, told: Sequence[InventoryTold]) -> dict[str, bool]:
        self.told += told
        return {one.endpoint: self._store(one) for one in told}

    def _store(self, one: InventoryTold) -> bool:
        before = self.kept.get(one.endpoint, NOTHING)
        if one.base is None:
            before = NOTHING
        elif one.base != digest_of(before):
            return False
        if digest_after(digest_of(before), before, one.changes) != one.digest:
            return False
        self.kept[one.endpoint] = applied(before, one.changes)
        return True


class Server:
    """The origin port's part of it; it can be started anew."""

    def __init__(self, store: Store, *, pace_seconds: float, rate: int = 100_000) -> None:
        self.store = store
        self.inventories = Inventories(store, SystemClock(), OutsideLog(), pace_seconds=pace_seconds)
        self.rate = rate
        self.lines: dict[str, ControlPacer] = {}

    def line(self, site: str) -> ControlPacer:
        made = ControlPacer(ControlBudget(trio.current_time()), lambda _now: BytesPerSecond(self.rate))
        return self.lines.setdefault(site, made)


class Connected:
    """A connection of a PC, which is its outbox at the server."""

    def __init__(self, server: Server, pc: "Pc", features: Features = (INVENTORY,)) -> None:
        self.endpoint = pc.endpoint
        self.features = features
        self.outbox = self
        self._server = server
        self._pc = pc
        self.lost = False
        self.asked: list[InventoryWanted] = []

    def put(self, _key: str, news: Message) -> None:
        assert isinstance(news, InventoryWanted)
        self.asked.append(news)
        if not self.lost:
            self._pc.wanted(news)

    def say(self, message: FromEndpoint) -> None:
        assert isinstance(message, InventoryStated | InventoryPart)
        if not self.lost:
            site = self._pc.site
            self._server.inventories.heard(self, site, self._server.line(site), message)

    def lose(self) -> None:
        if not self.lost:
            self.lost = True
            self._server.inventories.left(self)


class Pc:
    """A PC with a real `InventoryNews`; its daemon can be started anew."""

    def __init__(self, endpoint: str, home: Path, facts: Facts, *, site: str = "oslo") -> None:
        self.endpoint = EndpointId(endpoint)
        self.site = site
        self.file = home / f"{endpoint}-inventory"
        self.facts = facts
        self.connection: Connected | None = None
        self.sent: list[FromEndpoint] = []
        self.start()

    def start(self) -> None:
        """Start its daemon anew."""
        self.wakeup = WakeUp()
        self.news = InventoryNews(
            lambda: self.facts, ToldInventories(self.file), self._send, self.wakeup, tell_packages=True
        )

    def connect(self, server: Server) -> Connected:
        self.disconnect()
        self.connection = Connected(server, self)
        self.news.welcomed((INVENTORY,))
        return self.connection

    def disconnect(self) -> None:
        if self.connection is not None:
            self.connection.lose()
            self.connection = None
            self.news.disconnected()

    def change(self, facts: Facts) -> None:
        self.facts = facts
        self.wakeup.ring()

    def wanted(self, news: InventoryWanted) -> None:
        self.news.heard(news)

    async def _send(self, message: FromEndpoint) -> None:
        self.sent.append(message)
        if self.connection is not None:
            self.connection.say(message)


class HostilePc(Pc):
    """One that answers as it likes."""

    def __init__(self, endpoint: str, home: Path, answers: Iterable[InventoryPart | None]) -> None:
        self.answers = iter(answers)
        super().__init__(endpoint, home, has({}))

    def wanted(self, news: InventoryWanted) -> None:
        del news
        answer = next(self.answers, None)
        if answer is not None and self.connection is not None:
            self.connection.say(answer)

    def say(self, digest: bytes) -> None:
        """Say that it has something."""
        assert self.connection is not None
        self.connection.say(InventoryStated(digest))


__all__ = ["DEB", "EMPTY_DIGEST", "Connected", "HostilePc", "Pc", "Server", "Store", "has", "inline", "told"]

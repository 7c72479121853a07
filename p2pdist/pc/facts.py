"""Keep this PC's facts up to date, and choose payloads by them."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import trio

from p2pdist.pc import inventory, network_look
from p2pdist.pc.network import Medium
from p2pdist.shared.errors import UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.facts import Facts, FactValue, Packages
from p2pdist.shared.manifest.ring_facts import ring_facts, told_facts
from p2pdist.shared.manifest.suitability import choose
from p2pdist.shared.manifest.versions import Version
from p2pdist.trust.catalogue import Choose

REFRESH_SECONDS = 600.0  # software that others install here, or a new language, is noticed within this
VOLATILE = frozenset({"disk.free_mb", "battery_percent"})  # they change all the time: a change of them is no news

_NETWORKS = {Medium.WIRED: "wired", Medium.WIFI: "wifi", Medium.VPN: "vpn", Medium.METERED: "metered"}

ListRpm = Callable[[tuple[str, ...]], Awaitable[str]]
"""Runs a command and returns what it printed. Raises `UserError` or `OSError`."""

log = lazy_log()


@dataclass(frozen=True)
class Surroundings:
    """What other parts of the daemon know of this PC. Called at each use, in the daemon's trio thread."""

    address: Callable[[], str | None]
    """This PC's address that neighbours use."""
    site: Callable[[], str]
    tags: Callable[[], tuple[str, ...]]
    medium: Medium | None = None
    """The kind of network by the settings; None when the PC shall find out."""


class PcFacts:
    """Gathers this PC's facts now and then, and says when they have changed.

    Runs in the daemon's trio thread. Packages are read again only after their database has changed.
    """

    def __init__(
        self,
        home: Path,
        install_root: Path,
        around: Surroundings,
        *,
        changed: Callable[[], None],
        list_rpm: ListRpm | None = None,
    ) -> None:
        """Call ``changed`` when the set of applicable patches may have changed.

        Without ``list_rpm``, rpm's packages are not read.
        """
        self._home = home
        self._install_root = install_root
        self._around = around
        self._changed = changed
        self._list_rpm = list_rpm
        self._looked = Facts()
        self._stamp: object = None
        self._asked = trio.Event()

    @property
    def facts(self) -> Facts:
        """The facts last gathered, with the present site and tags."""
        now: dict[str, FactValue] = {"site": self._around.site(), "tags": self._around.tags()}
        return Facts({**self._looked.values, **now}, self._looked.packages)

    @property
    def for_rings(self) -> Facts:
        """The facts by which rings choose: the same as the server has of this PC once it was told."""
        return ring_facts(told_facts(self.facts), site=self._around.site(), tags=self._around.tags())

    def chooser(self) -> Choose:
        """Return a function that chooses payloads by the present facts; it may be called in any thread."""
        return functools.partial(choose, facts=self.facts)

    def refresh_soon(self) -> None:
        """Gather again at once, and call ``changed`` in any case: something was installed."""
        self._asked.set()

    async def run(self) -> None:
        """Refresh every few minutes and whenever asked, until cancelled."""
        while True:
            with trio.move_on_after(REFRESH_SECONDS):
                await self._asked.wait()
            asked, self._asked = self._asked.is_set(), trio.Event()
            if await self.refresh() or asked:
                self._changed()

    async def refresh(self) -> bool:
        """Gather the facts. Return whether any of them but the volatile ones has changed."""
        before = self._looked
        stamp, rpm_query = await trio.to_thread.run_sync(self._read_stamp, abandon_on_cancel=True)
        known = before.packages if self._stamp is not None and stamp == self._stamp else None
        listing = ""
        if known is None and rpm_query is not None and self._list_rpm is not None:
            try:
                listing = await self._list_rpm(rpm_query)
            except (UserError, OSError) as error:
                log.warning("rpm's packages cannot be listed", reason=str(error))
                # keep the packages known so far: without them, all would seem to be removed
                known, stamp = _stale(before.packages), None
        gather = functools.partial(self._gather, known, listing)
        self._looked = await trio.to_thread.run_sync(gather, self._around.address(), abandon_on_cancel=True)
        self._stamp = stamp
        return _steady(before) != _steady(self._looked)

    def _read_stamp(self) -> tuple[object, tuple[str, ...] | None]:
        return inventory.packages_stamp(self._install_root), inventory.rpm_query(self._install_root)

    def _gather(self, known: Mapping[str, Version] | None, rpm_listing: str, address: str | None) -> Facts:
        try:
            medium = self._around.medium or network_look.network_state(address).medium
        except OSError:
            medium = Medium.UNKNOWN
        return inventory.gather(
            self._home,
            self._install_root,
            network=_NETWORKS.get(medium, "unknown"),
            site="",
            tags=(),
            rpm_listing=rpm_listing,
            packages=known,
        )


def _stale(packages: Mapping[str, Version]) -> Packages | None:
    return packages.incomplete if isinstance(packages, Packages) and packages else None


def _steady(facts: Facts) -> object:
    return {name: value for name, value in facts.values.items() if name not in VOLATILE}, facts.packages

"""Neighbours by mDNS (RFC 6762, 6763). The only zeroconf import.

zeroconf runs a thread of its own; what it hears is handed over through a bounded
channel, and read there in trio's thread. Announcements are hints that anybody on
the network can send: they are parsed strictly and capped, and mutual TLS decides.
Where mDNS does not work the daemon goes on with the server's list.
"""

import contextlib
import ipaddress
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import structlog
import trio
import zeroconf

from p2pdist.core.peer_book import Announcement
from p2pdist.identifiers import InvalidIdentifierError, parse_endpoint_id, parse_ip_address

SERVICE_TYPE = "_p2pdist._tcp.local."
FORMAT = b"1"
HEARD_CAP = 256  # names that wait to be looked up; a flood beyond it is dropped
FOUND_CAP = 64
LOOKUPS_AT_A_TIME = 8
LOOKUP_MILLISECONDS = 3_000  # the records usually come with the announcement
GOODBYE_SECONDS = 2.0  # a stopping daemon does not wait longer for its goodbye
START_RETRY_SECONDS = 60.0  # the network may come up after the daemon

_TAG = re.compile(r"[0-9a-f]{16}\Z")

log = structlog.get_logger()


@dataclass(frozen=True)
class PeerFound:
    """A neighbour has announced itself, or changed its announcement."""

    announcement: Announcement


@dataclass(frozen=True)
class PeerLost:
    """A neighbour has said goodbye, or its announcement has expired."""

    endpoint_id: str


DiscoveryEvent: TypeAlias = PeerFound | PeerLost
_HandOver: TypeAlias = Callable[[str, bool], None]
"""Takes a name, and whether it is gone."""


class Discovery:
    """Made by `open_discovery`."""

    def __init__(self, own: Announcement, interface: str | None) -> None:
        self._own = own
        self._interface = interface
        self._found, self.events = trio.open_memory_channel[DiscoveryEvent](FOUND_CAP)
        self._heard_in, self._heard = trio.open_memory_channel[tuple[str, bool]](HEARD_CAP)
        self._changed = trio.Event()
        self.dropped_hints = 0
        """Announcements that came faster than they could be looked at, or were malformed."""
        self.problem = ""
        """Why mDNS does not work on this PC, in words; empty while it does."""

    async def announce(self, own: Announcement) -> None:
        """Announce what has changed of this endpoint."""
        self._own = own
        self._changed.set()

    async def run(self) -> None:
        """Announce and browse until cancelled; try again where mDNS cannot start."""
        while True:
            try:
                await self._run_once()
            except (OSError, zeroconf.Error) as error:
                self.problem = (
                    f"mDNS does not work on this PC ({str(error) or type(error).__name__}); peers come from the server."
                )
                log.warning("mDNS does not work", reason=str(error), retry_seconds=START_RETRY_SECONDS)
            await trio.sleep(START_RETRY_SECONDS)

    async def _run_once(self) -> None:
        responder = await trio.to_thread.run_sync(_open, self._own.address, self._interface)
        try:
            token = trio.lowlevel.current_trio_token()

            def heard(**event: Any) -> None:
                gone = event["state_change"] is zeroconf.ServiceStateChange.Removed
                with contextlib.suppress(trio.RunFinishedError):  # the daemon has just ended
                    # idempotent: a name that is repeated faster than we read counts once
                    token.run_sync_soon(self._hear, event["name"], gone, idempotent=True)

            browser = await trio.to_thread.run_sync(
                lambda: zeroconf.ServiceBrowser(responder, SERVICE_TYPE, handlers=[heard])
            )
            del browser  # it ends with the responder
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_announced, responder)
                for _ in range(LOOKUPS_AT_A_TIME):
                    nursery.start_soon(self._look_up, responder, self._heard.clone())
        finally:
            with trio.move_on_after(GOODBYE_SECONDS, shield=True):
                await trio.to_thread.run_sync(responder.close, abandon_on_cancel=True)

    def _hear(self, name: str, gone: bool) -> None:
        try:
            self._heard_in.send_nowait((name, gone))
        except trio.WouldBlock:
            self.dropped_hints += 1

    async def _keep_announced(self, responder: zeroconf.Zeroconf) -> None:
        registered = False
        while True:
            self._changed = trio.Event()
            info = _service_info(self._own)
            call = responder.update_service if registered else responder.register_service
            # takes about 1.6 s: the standard asks to probe first
            await trio.to_thread.run_sync(call, info, abandon_on_cancel=True)
            registered = True
            self.problem = ""
            await self._changed.wait()

    async def _look_up(self, responder: zeroconf.Zeroconf, heard: trio.MemoryReceiveChannel[tuple[str, bool]]) -> None:
        async for name, gone in heard:
            endpoint_id = name.removesuffix(f".{SERVICE_TYPE}")
            if endpoint_id == self._own.endpoint_id:
                continue
            if gone:
                await self._found.send(PeerLost(endpoint_id))
                continue
            try:
                info = await trio.to_thread.run_sync(
                    responder.get_service_info, SERVICE_TYPE, name, LOOKUP_MILLISECONDS, abandon_on_cancel=True
                )
            except zeroconf.Error:  # a name that no service can have
                info = None
            announcement = _parse(endpoint_id, info) if info is not None else None
            if announcement is None:
                self.dropped_hints += 1
            else:
                await self._found.send(PeerFound(announcement))


@asynccontextmanager
async def open_discovery(own: Announcement, *, interface: str | None) -> AsyncIterator[Discovery]:
    """Announce ``own`` and hear the neighbours while the context is open.

    ``interface`` is the own address of the one network to use, or None for all.
    Does not wait for the announcement, and does not fail when mDNS does:
    `Discovery.problem` then says why.
    """
    discovery = Discovery(own, interface)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(discovery.run)
        try:
            yield discovery
        finally:
            nursery.cancel_scope.cancel()


def _open(address: str, interface: str | None) -> zeroconf.Zeroconf:
    if ipaddress.ip_address(address).is_loopback:
        # multicast on loopback works on its first address alone, for daemons on all of 127.0.0.0/8
        return zeroconf.Zeroconf(interfaces=["127.0.0.1"])
    if interface is not None:
        return zeroconf.Zeroconf(interfaces=[interface])
    return zeroconf.Zeroconf(ip_version=zeroconf.IPVersion.All)


def _service_info(own: Announcement) -> zeroconf.ServiceInfo:
    return zeroconf.ServiceInfo(
        SERVICE_TYPE,
        f"{own.endpoint_id}.{SERVICE_TYPE}",
        port=own.port,
        properties={"v": FORMAT, "swarm": own.swarm_tag, "site": own.site_tag},
        server=f"{own.endpoint_id}.local.",
        parsed_addresses=[own.address],
    )


def _parse(endpoint_id: str, info: zeroconf.ServiceInfo) -> Announcement | None:
    """Return what a neighbour announces, or None for anything that ours would not say."""
    properties = info.properties
    try:
        swarm_tag = (properties.get(b"swarm") or b"").decode("ascii")
        site_tag = (properties.get(b"site") or b"").decode("ascii")
        addresses = info.parsed_addresses()
        if properties.get(b"v") != FORMAT or not _TAG.match(swarm_tag) or not addresses:
            return None
        if site_tag and not _TAG.match(site_tag):
            return None
        return Announcement(
            endpoint_id=parse_endpoint_id(endpoint_id),
            address=parse_ip_address(addresses[0]),
            port=info.port or 0,
            swarm_tag=swarm_tag,
            site_tag=site_tag,
        )
    except (InvalidIdentifierError, UnicodeDecodeError):
        return None

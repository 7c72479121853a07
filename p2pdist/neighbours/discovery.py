"""Find neighbours and announce this endpoint by mDNS (RFC 6762, 6763). The only zeroconf import.

zeroconf runs a thread of its own. A bounded channel hands the names that it hears
to trio's thread. Announcements are hints that anybody on the network can send:
they are parsed strictly and capped, and mutual TLS decides. Hosts of other networks
are neither heard nor answered (`link_filter`).
Where mDNS does not work, the daemon uses the server's list alone.
"""

import contextlib
import ipaddress
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio
import zeroconf

from p2pdist.neighbours.finder import DiscoveryEvent, PeerFound, PeerLost
from p2pdist.neighbours.known_peer import Announcement
from p2pdist.neighbours.link_filter import receive_from_this_link_only, send_with_all_hops
from p2pdist.shared.errors import first_error
from p2pdist.shared.identifiers import InvalidIdentifierError, parse_endpoint_id, parse_ip_address
from p2pdist.shared.lazy_log import lazy_log

SERVICE_TYPE = "_p2pdist._tcp.local."
FORMAT = b"1"
HEARD_CAP = 256  # names that wait for their lookup; a flood beyond it is dropped
FOUND_CAP = 256
MAX_NAMES = 400  # neighbours followed at a time: twice what the peer book accepts
MAX_NAMES_PER_ADDRESS = 8  # tests run several daemons on one PC; more than this is somebody making up names
BROWSE_AGAIN_SECONDS = 60.0  # a lost packet hides a neighbour for no longer than this
LOOKUPS_AT_A_TIME = 8
LOOKUP_MILLISECONDS = 3_000  # the records usually come with the announcement
GOODBYE_SECONDS = 1.0  # the goodbyes take 0.4 s; a stopping daemon does not wait for the rest of zeroconf's clean-up
START_RETRY_SECONDS = 60.0  # the network may come up after the daemon

_TXT_KEYS = {b"v", b"id", b"swarm", b"site", b"run"}
_TAG = re.compile(r"[0-9a-f]{16}\Z")
_RUN = re.compile(r"[0-9a-f]{8}\Z")

log = lazy_log()


@dataclass(frozen=True)
class _Known:
    announcement: Announcement
    run: str
    """Random, new at each start of the neighbour: its return is news even where nothing else has changed."""


class Discovery:
    """Announces this endpoint and reports its neighbours in `events`. Made by `open_discovery`."""

    def __init__(self, own: Announcement, interface: str | None) -> None:
        self._own = own
        self._interface = interface
        self._found, self.events = trio.open_memory_channel[DiscoveryEvent](FOUND_CAP)
        self._heard_in, self._heard = trio.open_memory_channel[tuple[str, bool]](HEARD_CAP)
        self._changed = trio.Event()
        self._moved = False
        """The own address has changed. zeroconf must then be opened anew: it finds the networks only when opened."""
        self._run_id = secrets.token_hex(4)
        self._known: dict[str, _Known] = {}
        self.dropped_hints = 0
        """Announcements that were malformed, over a cap, or faster than the lookups."""
        self.problem = ""
        """Why mDNS does not work on this PC, in words; empty while it does."""

    async def announce(self, own: Announcement) -> None:
        """Announce ``own`` from now on, in place of the previous announcement."""
        self._moved = self._moved or own.address != self._own.address
        self._own = own
        self._changed.set()

    async def run(self) -> None:
        """Announce and browse until cancelled; try again where mDNS cannot start."""
        while True:
            try:
                await self._run_once()
                continue
            except Exception as error:  # noqa: BLE001 - whatever the network does to zeroconf, the daemon goes on
                # exception groups too: registering runs in a nursery
                self.problem = f"mDNS does not work on this PC ({_words(error)}); peers come from the server."
                log.warning("mDNS does not work", reason=_words(error), retry_seconds=START_RETRY_SECONDS)
            with trio.move_on_after(START_RETRY_SECONDS):
                await self._changed.wait()
            self._changed = trio.Event()

    async def _run_once(self) -> None:
        """Announce and browse until the own address changes."""
        self._moved = False
        if ipaddress.ip_address(self._own.address).is_unspecified:
            self.problem = "mDNS waits: this PC has no network address yet."
            self._changed = trio.Event()
            await self._changed.wait()
            return
        responder = await trio.to_thread.run_sync(_open, self._own.address, self._interface)
        try:
            token = trio.lowlevel.current_trio_token()

            def heard(**event: Any) -> None:
                gone = event["state_change"] is zeroconf.ServiceStateChange.Removed
                with contextlib.suppress(trio.RunFinishedError):  # the daemon has just ended
                    # idempotent: a name that repeats before trio has run this is queued once
                    token.run_sync_soon(self._hear, event["name"], gone, idempotent=True)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(_keep_asking, responder, heard)
                nursery.start_soon(self._keep_announced, responder, nursery.cancel_scope)
                for _ in range(LOOKUPS_AT_A_TIME):
                    nursery.start_soon(self._look_up, responder, self._heard.clone())
        finally:
            for known in self._known.values():  # a goodbye that comes from now on is not heard
                self._emit(PeerLost(known.announcement.endpoint_id))
            self._known.clear()
            with trio.move_on_after(GOODBYE_SECONDS, shield=True):
                await trio.to_thread.run_sync(responder.close, abandon_on_cancel=True)

    def _hear(self, name: str, gone: bool) -> None:
        try:
            self._heard_in.send_nowait((name, gone))
        except trio.WouldBlock:
            self.dropped_hints += 1

    async def _keep_announced(self, responder: zeroconf.Zeroconf, scope: trio.CancelScope) -> None:
        registered = False
        while not self._moved:
            self._changed = trio.Event()
            info = _service_info(self._own, self._run_id)
            call = responder.update_service if registered else responder.register_service
            # takes about 1.6 s: RFC 6762 requires probing first
            await trio.to_thread.run_sync(call, info, abandon_on_cancel=True)
            registered = True
            self.problem = ""
            await self._changed.wait()
        scope.cancel()

    async def _look_up(self, responder: zeroconf.Zeroconf, heard: trio.MemoryReceiveChannel[tuple[str, bool]]) -> None:
        async for name, gone in heard:
            endpoint_id = name.removesuffix(f".{SERVICE_TYPE}")
            if endpoint_id == self._own.endpoint_id:
                continue
            if gone:
                if (known := self._known.pop(endpoint_id, None)) is not None:
                    self._emit(PeerLost(known.announcement.endpoint_id))
                continue
            if endpoint_id not in self._known and len(self._known) >= MAX_NAMES:
                self.dropped_hints += 1
                continue
            try:
                info = await trio.to_thread.run_sync(
                    responder.get_service_info, SERVICE_TYPE, name, LOOKUP_MILLISECONDS, abandon_on_cancel=True
                )
            except Exception as error:  # noqa: BLE001 - one neighbour's records must not end the others'
                log.debug("an mDNS name cannot be looked up", reason=_words(error))
                info = None
            heard_now = _parse(endpoint_id, info) if info is not None else None
            if heard_now is None or not self._has_room(endpoint_id, heard_now):
                self.dropped_hints += 1
            elif self._known.get(endpoint_id) != heard_now:
                self._known[endpoint_id] = heard_now
                self._emit(PeerFound(heard_now.announcement))

    def _has_room(self, endpoint_id: str, heard: _Known) -> bool:
        if endpoint_id not in self._known and len(self._known) >= MAX_NAMES:
            return False
        address = heard.announcement.address
        others = [k for name, k in self._known.items() if name != endpoint_id and k.announcement.address == address]
        return len(others) < MAX_NAMES_PER_ADDRESS

    def _emit(self, event: DiscoveryEvent) -> None:
        try:
            self._found.send_nowait(event)
        except trio.WouldBlock:
            self.dropped_hints += 1


@asynccontextmanager
async def open_discovery(own: Announcement, *, interface: str | None) -> AsyncIterator[Discovery]:
    """Announce ``own`` and listen for neighbours while the context is open.

    ``interface`` is this PC's address on the one network to use, or None for all.
    While the address in ``own`` is the unspecified one, this PC has no network: nothing starts
    before `Discovery.announce`. Entering the context does not wait until the announcement is out.
    It does not fail when mDNS does: `Discovery.problem` then says why.
    """
    discovery = Discovery(own, interface)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(discovery.run)
        try:
            yield discovery
        finally:
            nursery.cancel_scope.cancel()


async def _keep_asking(responder: zeroconf.Zeroconf, heard: Any) -> None:
    """Browse until cancelled, each time with a new browser.

    Its first query lists the answers that are known, so only neighbours that are missing there reply.
    """
    while True:
        browser = await trio.to_thread.run_sync(
            lambda: zeroconf.ServiceBrowser(responder, SERVICE_TYPE, handlers=[heard])
        )
        await trio.sleep(BROWSE_AGAIN_SECONDS)  # if cancelled here, closing the responder ends the browser
        await trio.to_thread.run_sync(browser.cancel, abandon_on_cancel=True)


def _words(error: BaseException) -> str:
    error = first_error(error)
    if isinstance(error, zeroconf.NonUniqueNameException):
        return "something else on this network announces this endpoint's id"
    return (str(error) or type(error).__name__)[:200]


def _open(address: str, interface: str | None) -> zeroconf.Zeroconf:
    responder = _responder(address, interface)
    try:
        for receiving in responder.engine.readers:
            receive_from_this_link_only(receiving.sock)
        for sending in responder.engine.senders:
            send_with_all_hops(sending.sock)
    except BaseException:
        responder.close()
        raise
    return responder


def _responder(address: str, interface: str | None) -> zeroconf.Zeroconf:
    if ipaddress.ip_address(address).is_loopback:
        # multicast on loopback works only on its first address, and there for daemons on all of 127.0.0.0/8
        return zeroconf.Zeroconf(interfaces=["127.0.0.1"])
    if interface is not None:
        return zeroconf.Zeroconf(interfaces=[interface])
    try:
        return zeroconf.Zeroconf(ip_version=zeroconf.IPVersion.All)
    except OSError:  # a PC without IPv6
        return zeroconf.Zeroconf(ip_version=zeroconf.IPVersion.V4Only)


def _service_info(own: Announcement, run_id: str) -> zeroconf.ServiceInfo:
    return zeroconf.ServiceInfo(
        SERVICE_TYPE,
        f"{own.endpoint_id}.{SERVICE_TYPE}",
        port=own.port,
        properties={
            "v": FORMAT,
            "id": own.endpoint_id,
            "swarm": own.swarm_tag,
            "site": own.site_tag,
            "run": run_id,
        },
        server=f"{own.endpoint_id}.local.",  # not the PC's name
        parsed_addresses=[own.address],
    )


def _parse(endpoint_id: str, info: zeroconf.ServiceInfo) -> _Known | None:
    """Return what a neighbour announces, or None where no daemon of ours would announce it so."""
    try:
        # a newer release may say more
        txt = {key: (info.properties[key] or b"").decode("ascii") for key in _TXT_KEYS if key in info.properties}
        if txt.keys() != _TXT_KEYS or txt[b"v"] != FORMAT.decode() or txt[b"id"] != endpoint_id:
            return None
        swarm_tag, site_tag, run = txt[b"swarm"], txt[b"site"], txt[b"run"]
        if not _TAG.match(swarm_tag) or not _RUN.match(run) or (site_tag and not _TAG.match(site_tag)):
            return None
        port = info.port or 0
        address = next((parse_ip_address(a) for a in info.parsed_addresses() if _can_be_a_pc(a)), None)
        if address is None or not 1 <= port <= 65_535:
            return None
        return _Known(Announcement(parse_endpoint_id(endpoint_id), address, port, swarm_tag, site_tag), run)
    except (InvalidIdentifierError, UnicodeDecodeError):
        return None


def _can_be_a_pc(text: str) -> bool:
    """Whether one host can have this address; link-local IPv6 needs a zone, which mDNS does not carry."""
    address = ipaddress.ip_address(text)
    zone_needed = address.version == 6 and address.is_link_local
    return not (address.is_multicast or address.is_unspecified or zone_needed or text == "255.255.255.255")

"""Open and close the libtorrent session: settings, listener, clean-up."""

import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import libtorrent as lt
import trio

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.transfer.torrent_engine.bindings import failure_of
from p2pdist.transfer.torrent_engine.engine import TorrentEngine
from p2pdist.transfer.torrent_engine.reports import EngineFailure, SwarmIdentity
from p2pdist.transfer.torrent_engine.settings import session_settings
from p2pdist.transfer.torrent_engine.tls_policy import apply_tls_policy

LISTEN_SECONDS = 10.0  # binding a socket takes milliseconds; after this long, the session is stuck
CLOSE_SECONDS = 10.0  # open writes are finished first; after this long, the process may end without waiting

_make_session: Any = lt.session  # the stubs of the bindings lack the overload with flags

log = lazy_log()

apply_tls_policy()  # before anything else uses libtorrent in this process


@asynccontextmanager
async def open_torrent_engine(
    *,
    directory: Path,
    listen_address: str,
    listen_port: int,
    identity: SwarmIdentity,
    shown_as: Path | None = None,
) -> AsyncIterator[TorrentEngine]:
    """Run a session that listens on one address, with its files in ``directory``; port 0 means any free one.

    ``shown_as`` is that directory's name for people, where ``directory`` is another way to it.

    Raises `UserError`: `FaultKind.BUSY` when the port is taken,
    `FaultKind.BAD_INPUT` when the address is not one of this PC.
    """
    readable, writable = socket.socketpair()
    with readable, writable:
        readable.setblocking(False)
        writable.setblocking(False)
        session, lan_class = _new_session(listen_address, listen_port)
        holder = [session]
        del session
        try:
            holder[0].set_alert_fd(writable.fileno())
            port = await _listening(holder[0], readable, f"{listen_address}:{listen_port}")
            engine = TorrentEngine(holder[0], directory, identity, port, lan_class, shown_as=shown_as or directory)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(engine.read_alerts, readable)
                try:
                    yield engine
                finally:
                    nursery.cancel_scope.cancel()
            engine.let_go()
        finally:
            # the destructor runs when the last reference goes, and waits for open writes: not in the trio thread
            with trio.CancelScope(shield=True), trio.move_on_after(CLOSE_SECONDS) as closing:
                await trio.to_thread.run_sync(holder.clear, abandon_on_cancel=True)
            if closing.cancelled_caught:
                log.warning("the torrent engine takes long to close; its last writes may be missing")


def _new_session(listen_address: str, listen_port: int) -> tuple[lt.session, int]:
    category = lt.alert.category_t
    session: lt.session = _make_session(
        {
            **session_settings(listen_address, listen_port),
            "alert_mask": category.error_notification
            | category.status_notification
            | category.storage_notification
            | category.peer_notification
            | category.connect_notification
            | category.piece_progress_notification,
        },
        0,  # without the default plugins, which exchange peers
    )
    session.add_extension("smart_ban")
    # our own class for every address, set before any torrent: the built-in one exempts the LAN from limits
    lan = session.create_peer_class("lan")
    session.set_peer_class(
        lan, {**session.get_peer_class(lan), "ignore_unchoke_slots": False}
    )  # see `serving_settings`
    everybody = lt.ip_filter()
    everybody.add_rule("0.0.0.0", "255.255.255.255", 1 << lan)  # noqa: S104 - a range, not a listener
    everybody.add_rule("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1 << lan)
    session.set_peer_class_filter(everybody)
    return session, lan


async def _listening(session: lt.session, readable: socket.socket, wanted: str) -> int:
    """Wait for the outcome of binding the TCP listener and return its port."""
    with trio.move_on_after(LISTEN_SECONDS):
        while True:
            for alert in session.pop_alerts():
                if isinstance(alert, lt.listen_failed_alert):
                    raise _listen_problem(failure_of(alert.error), wanted)
                if isinstance(alert, lt.listen_succeeded_alert) and alert.socket_type == lt.socket_type_t.tcp_ssl:
                    return alert.port
            await trio.lowlevel.wait_readable(readable)
            with contextlib.suppress(BlockingIOError):
                readable.recv(4_096)
    raise UserError(
        f"The LAN listener on {wanted} did not start within {LISTEN_SECONDS:.0f} s. Restart the daemon; "
        "if it happens again, look at the system's log.",
        FaultKind.FAILED,
    )


def _listen_problem(failure: EngineFailure, wanted: str) -> UserError:
    if failure.value == errno.EADDRINUSE:
        return UserError(
            f"The LAN port {wanted} is in use by another program. Stop it, or set another lan_port in config.toml.",
            FaultKind.BUSY,
        )
    return UserError(
        f"This PC cannot listen on {wanted}: {failure.message}. Give an address of this PC and a free port.",
        FaultKind.BAD_INPUT,
    )

"""The endpoint daemon's composition root: which parts there are, and who tells whom what."""

import contextlib
import signal
import time
from collections.abc import Iterator

import filelock
import structlog
import trio

from p2pdist.daemon.tasks import MEDIA, Daemon
from p2pdist.identity.signed_statement import sign_statement
from p2pdist.identity.store import load_identity
from p2pdist.install.loop import DaemonHooks
from p2pdist.install.requests import InstallOrders
from p2pdist.install.service import Patching
from p2pdist.limiter.lan_limiter import LanLimiter, Reporting
from p2pdist.limiter.lan_policy import FitLimits
from p2pdist.limiter.link_report import BusinessUsage
from p2pdist.local_api.socket import Answer, serve_local_socket
from p2pdist.neighbours.discovery import open_discovery
from p2pdist.neighbours.service import Neighbours
from p2pdist.origin.client import open_origin_client
from p2pdist.pc.diagnoser import Diagnoser
from p2pdist.settings import EndpointHome, load_profile, load_settings
from p2pdist.shared.console import configure_log
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.status.explainer import Explainer
from p2pdist.transfer.files import prepare_home
from p2pdist.transfer.manager import Transfers
from p2pdist.transfer.torrent_engine import SwarmIdentity, open_torrent_engine
from p2pdist.trust.https_client import HttpsClient, base_url, trusting_context
from p2pdist.trust.store import TrustStore

PIECE_WORKERS = 4  # pieces being hashed and stored at the same time
EXPIRED_RENEWAL_SECONDS = 10.0  # how long a start with expired certificates waits for new ones, before it goes on
STOP_SECONDS = 5.0  # for the last record and the goodbyes

log = structlog.get_logger()


async def run_daemon(home: EndpointHome, address: str | None) -> None:
    """Run the daemon of ``home`` until SIGTERM or SIGINT.

    Raises `UserError`: not enrolled, already running, port in use, storage.
    """
    settings = load_settings(home)
    configure_log(settings.log_level)
    identity = await trio.to_thread.run_sync(load_identity, home.root)
    prepare_home(home.cache, home.patches, home.trust, home.scratch)
    with hold_lock(home):
        daemon = Daemon(home, settings, identity, address)
        daemon.home_profile = load_profile(home)
        daemon.facts = await trio.to_thread.run_sync(daemon.look)
        await daemon.pc.refresh()
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_keep_running, daemon)
                async for signal_number in signals:
                    log.info("stopping", signal=signal.Signals(signal_number).name)
                    nursery.cancel_scope.cancel()
                    break


async def _keep_running(daemon: Daemon) -> None:
    while True:
        daemon.parts = trio.CancelScope()
        with daemon.parts:
            await _run_parts(daemon)


async def _run_parts(daemon: Daemon) -> None:
    home, settings = daemon.home, daemon.settings
    if time.time() >= daemon.identity.not_after:  # nobody would talk to us
        with trio.move_on_after(EXPIRED_RENEWAL_SECONDS):
            await daemon.renew_now()
    async with contextlib.AsyncExitStack() as stack:
        engine = await stack.enter_async_context(
            open_torrent_engine(
                listen_address=daemon.listen_address,
                listen_port=settings.lan_port,
                identity=SwarmIdentity.of(daemon.identity),
            )
        )
        discovery = None
        if settings.mdns:
            discovery = await stack.enter_async_context(
                open_discovery(daemon.announcement(engine.listen_port), interface=daemon.fixed_address)
            )
        origin = await stack.enter_async_context(
            open_origin_client(daemon.origin_address, lambda: daemon.hello(engine.listen_port))
        )
        identity = daemon.identity
        http = await stack.enter_async_context(
            HttpsClient(trusting_context(identity.control_ca), local_address=daemon.fixed_address)
        )
        # after all that its tasks use: it is left first, and waits for them
        nursery = await stack.enter_async_context(trio.open_nursery())
        link_reports, reports = trio.open_memory_channel[BusinessUsage](1)
        limiter = LanLimiter(
            engine,
            address=lambda: next(iter(daemon.addresses), None),
            site=lambda: daemon.site,
            profile=lambda: daemon.profile,
            fit_limits=FitLimits(settings.serve_up_to_cpu_percent, settings.serve_from_battery_percent),
            medium=MEDIA.get(settings.network),
            origin_bytes=lambda: transfers.bytes_from_origin,
            reporting=Reporting(report=lambda usage: _offer(link_reports, usage), wanted=lambda: daemon.reports_link),
        )
        await limiter.begin()
        transfers = Transfers(
            home, engine, nursery, origin.send, can_fetch=lambda: settings.fetch_from_origin and limiter.may_fetch
        )
        explainer = Explainer(
            transfers.everything,
            origin,
            limiter,
            fetches=settings.fetch_from_origin,
            refused=lambda: daemon.refused,
            line_yields=lambda: daemon.line_yields,
        )
        await transfers.load()
        neighbours = Neighbours(engine, discovery, lambda: daemon.announcement(engine.listen_port))
        store = TrustStore(
            home.trust,
            base_url=base_url(identity.server_address, identity.web_port),
            root=identity.tuf_root,
            http=http,
        )
        diagnoser = Diagnoser(lambda: daemon.pc.facts, daemon.installer.check)
        patching = Patching(
            home,
            settings,
            daemon.installer,
            transfers,
            DaemonHooks(
                blackout_until=lambda: limiter.blackout_until,
                damaged=transfers.damaged,
                facts_changed=daemon.facts_changed,
                at_work=daemon.at_work,
            ),
            diagnoser,
            posture=lambda orders, problem: _posture(daemon, orders, problem),
        )
        questions = {
            "status": lambda: patching.add_to_status(daemon.status(origin, transfers, discovery, limiter)),
            "limiter": lambda: daemon.limiter(origin) | limiter.status(),
            "why": lambda: patching.explain(explainer.answer()),
            "peers": neighbours.status,
        }
        await stack.enter_async_context(
            serve_local_socket(home.socket, questions | dict(patching.questions()), patching.commands())
        )
        nursery.start_soon(patching.run)
        nursery.start_soon(diagnoser.run, origin.send)
        nursery.start_soon(daemon.pc.run)
        nursery.start_soon(daemon.follow_trust, store, transfers, patching)
        nursery.start_soon(daemon.follow_origin, origin, transfers, neighbours, patching)
        for _ in range(PIECE_WORKERS):
            nursery.start_soon(daemon.accept_pieces, origin, transfers)
        nursery.start_soon(daemon.follow_engine, engine, transfers, neighbours, limiter)
        nursery.start_soon(limiter.run)
        nursery.start_soon(daemon.report_link, origin, reports)
        nursery.start_soon(explainer.run)
        nursery.start_soon(daemon.step_transfers, transfers, patching, origin)
        nursery.start_soon(neighbours.follow_discovery)
        nursery.start_soon(neighbours.run, transfers.active_torrents)
        nursery.start_soon(daemon.renew_identity, engine, origin)
        nursery.start_soon(daemon.watch_address, origin, neighbours)
        log.info("daemon is running", endpoint=daemon.identity.endpoint_id, lan_port=engine.listen_port)
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + STOP_SECONDS):
                await transfers.save()


def _offer(channel: trio.MemorySendChannel[BusinessUsage], report: BusinessUsage) -> None:
    # while the connection is slow, what is a tenth of a second old is not worth a queue
    with contextlib.suppress(trio.WouldBlock):
        channel.send_nowait(report)


def _posture(daemon: Daemon, orders: InstallOrders, problem: str) -> Answer:
    statement = orders.posture(daemon.identity.endpoint_id, daemon.facts.hostname, problem or daemon.stale_problem)
    return {"posture": statement, "jws": sign_statement(daemon.identity, statement)}


@contextlib.contextmanager
def hold_lock(home: EndpointHome) -> Iterator[None]:
    """Make sure that this is the home's only daemon. Raises `UserError` (`BUSY`)."""
    lock = filelock.FileLock(home.lock, blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise UserError(
            f"A daemon is already running in {home.root}. Stop it first, or use another --home.", FaultKind.BUSY
        ) from None
    except OSError as error:
        raise UserError(
            f"{home.lock} cannot be made: {error.strerror}. Check the home's disk and permissions.", FaultKind.STORAGE
        ) from error
    try:
        yield
    finally:
        lock.release()

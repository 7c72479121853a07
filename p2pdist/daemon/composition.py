"""The endpoint daemon's composition root: which parts there are, and which of them knows which others.

All is made in this order: what outlives a restart of the parts (`core`), what owns sockets (`_open`), the parts, each
from those before it (`_build`), and the tasks that connect them (`_wire`). Then all run in one nursery. No part is
constructed with a later one: it gets that as an argument of its ``run``, or is woken by it through `WakeUps`.
"""

import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import trio

from p2pdist.daemon.answers import Problems, answer_posture, handlers
from p2pdist.daemon.audit_witness import AuditWitness
from p2pdist.daemon.core import Core, build_core
from p2pdist.daemon.custody_news import CustodyNews
from p2pdist.daemon.disk_keeper import DiskKeeper
from p2pdist.daemon.engine_events import follow_engine
from p2pdist.daemon.fact_news import FactNews
from p2pdist.daemon.finding_news import FindingNews
from p2pdist.daemon.help_news import HelpNews
from p2pdist.daemon.home_lock import hold_lock
from p2pdist.daemon.inventory_news import InventoryNews
from p2pdist.daemon.leftovers import DailySweep, remove_leftovers
from p2pdist.daemon.link_reports import LinkReports
from p2pdist.daemon.neighbour_news import NeighbourNews
from p2pdist.daemon.origin_events import Asking, OriginEvents, Remembers
from p2pdist.daemon.presenter import Presenter
from p2pdist.daemon.state import DaemonState
from p2pdist.daemon.transfer_steps import count_pieces, step_transfers
from p2pdist.daemon.trust_refresh import TrustRefresh
from p2pdist.daemon.users import serve_users
from p2pdist.identity.signed_statement import sign_statement
from p2pdist.identity.store import Identity, load_identity
from p2pdist.install.loop import DaemonHooks
from p2pdist.install.service import InstallService
from p2pdist.install.supervision import ServerPlace
from p2pdist.limiter.fitness import FitLimits
from p2pdist.limiter.lan_limiter import HelpTerms, LanLimiter, Reporting
from p2pdist.local_api.socket import serve_local_socket
from p2pdist.neighbours.service import Neighbours
from p2pdist.network.messages import PartIdentity, Start, UseIdentity
from p2pdist.network.process import Launch, NetworkPart, open_network_part
from p2pdist.network.remote_engine import RemoteEngine
from p2pdist.network.remote_finder import RemoteFinder
from p2pdist.network.remote_http import RemoteHttp
from p2pdist.network.remote_origin import RemoteOrigin
from p2pdist.pc.diagnoser import Diagnoser
from p2pdist.pc.kept_inventories import ToldInventories
from p2pdist.settings import EndpointHome, load_profile, load_settings
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.identifiers import share_of
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.logs import configure_log
from p2pdist.shared.private_directory import keep_private
from p2pdist.shared.service_manager import ServiceManager
from p2pdist.status.explainer import Explainer
from p2pdist.status.patches import Patches
from p2pdist.status.reports import Reports
from p2pdist.transfer.cached_files import lend_directory
from p2pdist.transfer.files import check_links, prepare_home
from p2pdist.transfer.manager import Transfers
from p2pdist.transfer.shared_news import SharedNews
from p2pdist.trust.store import TrustStore
from p2pdist.trust.witness import Witness

EXPIRED_RENEWAL_SECONDS = 10.0  # how long a start with expired certificates waits for new ones, before it goes on
STOP_SECONDS = 5.0  # for the last record and the goodbyes

Task = Callable[[], Awaitable[None]]

log = lazy_log()


@dataclass(frozen=True)
class Connections:
    """The network part, and what it does for the parts: opened before them, closed after them."""

    part: NetworkPart
    engine: RemoteEngine
    discovery: RemoteFinder | None
    origin: RemoteOrigin
    http: RemoteHttp


@dataclass(frozen=True)
class Parts:
    """The parts that are made anew at each restart; none needs one that stands below it."""

    store: TrustStore
    link_reports: LinkReports
    limiter: LanLimiter
    transfers: Transfers
    neighbours: Neighbours
    diagnoser: Diagnoser
    patching: InstallService
    patches: Patches
    explainer: Explainer
    reports: Reports
    said: Sequence[HelpNews | FactNews | FindingNews | NeighbourNews | CustodyNews]
    witness: AuditWitness
    problems: Problems
    disk: DiskKeeper


async def run_daemon(home: EndpointHome, address: str | None) -> None:
    """Run the daemon of ``home`` until SIGTERM or SIGINT.

    Raises `UserError`: not enrolled, already running, port in use, storage.
    """
    manager = ServiceManager.of(os.environ)
    await trio.to_thread.run_sync(keep_private, home.root)  # before anything in it is believed
    settings = load_settings(home)
    clock = SystemClock()
    configure_log(settings.log_level, clock)
    identity = await trio.to_thread.run_sync(load_identity, home.root)
    prepare_home(home.root, home.cache, home.patches, home.kept, home.trust, home.scratch)
    with hold_lock(home):
        await trio.to_thread.run_sync(check_links, home.cache, home.patches, home.kept)
        await remove_leftovers(home)
        core = build_core(home, settings, identity, clock, address=address, home_profile=load_profile(home))
        core.state.facts = await core.address_watch.read_facts()
        await core.pc.refresh()
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(manager.keep_told)
                nursery.start_soon(keep_running, core, manager)
                async for signal_number in signals:
                    log.info("stopping", signal=signal.Signals(signal_number).name)
                    manager.stopping()
                    nursery.cancel_scope.cancel()
                    break


async def keep_running(core: Core, manager: ServiceManager) -> None:
    """Run all parts until cancelled; start them anew when `Restarts` is asked to. ``manager`` hears when they run."""
    await core.restarts.keep_running(partial(_run_parts, core, manager))


async def _run_parts(core: Core, manager: ServiceManager) -> None:
    async with contextlib.AsyncExitStack() as stack:
        connections = await _open(core, stack)
        # entered after all that its tasks use: so it is left first, and waits for the tasks
        nursery = await stack.enter_async_context(trio.open_nursery())
        parts = _build(core, connections, nursery)
        tasks = _wire(core, connections, parts)
        await parts.limiter.begin()
        await parts.transfers.load()
        await connections.part.begin()
        commands = handlers(
            core.state,
            connections.origin,
            parts.problems,
            parts.patches,
            parts.explainer,
            parts.neighbours,
            parts.limiter,
            parts.patching,
        )
        await stack.enter_async_context(serve_local_socket(core.home.socket, commands))
        await serve_users(core.home, core.settings, core.state, commands, stack)
        for task in tasks:
            nursery.start_soon(task)
        lan_port = connections.engine.listen_port
        log.info("daemon is running", endpoint=core.state.identity.endpoint_id, lan_port=lan_port)
        manager.running(f"endpoint {core.state.identity.endpoint_id}, LAN port {lan_port}")
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + STOP_SECONDS):
                await parts.transfers.save()


async def _open(core: Core, stack: contextlib.AsyncExitStack) -> Connections:
    state, settings, introduction = core.state, core.settings, core.introduction
    await trio.to_thread.run_sync(lend_directory, core.home.cache, core.writer)
    launch = Launch(core.part_user, core.home.cache, settings.log_level)
    part = await stack.enter_async_context(open_network_part(launch, partial(_start, core)))
    http = RemoteHttp(part, state.servers.web)
    if core.renewal.expired:  # neither server nor neighbours would accept us
        with trio.move_on_after(EXPIRED_RENEWAL_SECONDS):
            if await core.renewal.renew_now(http):
                part.tell(_identity(core))
    engine = RemoteEngine(part)
    turns = state.servers.origin
    origin = RemoteOrigin(part, lambda: introduction.hello(part.listen_port), turns, replaced=state.replaced)
    discovery = RemoteFinder(part, lambda: introduction.announcement(part.listen_port)) if settings.mdns else None
    return Connections(part, engine, discovery, origin, http)


def _start(core: Core) -> Start:
    state, server = core.state, core.state.servers.origin.current
    return Start(
        listen_address=state.listen_address,
        listen_port=core.settings.lan_port,
        local_address=state.fixed_address,
        server_address=server.host,
        origin_port=server.origin_port,
        identity=_shown(state.identity),
    )


def _shown(identity: Identity) -> PartIdentity:
    return PartIdentity(
        control_ca=identity.control_ca,
        control_certificate=identity.control_certificate,
        swarm_ca=identity.swarm_ca,
        swarm_certificate=identity.swarm_certificate,
        key=identity.key,
    )


def _identity(core: Core) -> UseIdentity:
    return UseIdentity(_shown(core.state.identity))


def _build(core: Core, connections: Connections, nursery: trio.Nursery) -> Parts:
    home, settings, state = core.home, core.settings, core.state
    engine, origin = connections.engine, connections.origin
    url, root, http = state.servers.web.current.url, state.identity.tuf_root, connections.http
    link_reports = LinkReports(state)
    limiter = LanLimiter(
        engine,
        core.around,
        core.clock,
        profile=lambda: state.profile,
        helping=HelpTerms(
            FitLimits(settings.serve_up_to_cpu_percent, settings.serve_from_battery_percent),
            changed=core.wakeups.transfers.ring,
        ),
        origin_bytes=lambda: origin.piece_bytes,
        reporting=Reporting(report=link_reports.offer, wanted=lambda: state.reports_link),
        network_process=lambda: connections.part.pid,
    )
    transfers = Transfers(
        home,
        engine,
        nursery,
        origin.send,
        core.clock,
        can_fetch=lambda: settings.fetch_from_origin and limiter.may_fetch,
        writer=core.writer,
        proven=core.wakeups.transfers.ring,
    )
    shared_news = SharedNews(transfers.made, origin.news.ask)
    store = TrustStore(home.trust, base_url=url, root=root, http=http, ask_news=shared_news)
    neighbours = Neighbours(engine, connections.discovery, lambda: core.introduction.announcement(engine.listen_port))
    diagnoser = Diagnoser(lambda: core.pc.facts, core.installer.detector.check)
    patching = InstallService(
        home,
        settings,
        core.installer,
        transfers,
        DaemonHooks(
            blackout_until=lambda: limiter.blackout_until,
            damaged=transfers.damaged,
            facts_changed=partial(_facts_changed, core),
            names_changed=transfers.names_changed,
            at_work=core.restarts.at_work,
            clock_problem=lambda: state.clock_trust.problem,
            passed=lambda: state.clock_trust.passed,
            spoken=lambda: state.welcomes > 0,
            server=partial(_server_place, state),
        ),
        diagnoser,
        core.clock,
        posture=partial(answer_posture, state),
    )
    transfers.bases.kept = patching.installs.kept.bases
    disk = DiskKeeper(home, settings, state, transfers, patching, origin.send, core.restarts.at_work)
    patches = Patches(
        home.patches, transfers, patching, core.clock, refused=lambda: state.refused, not_yet=lambda: state.not_yet
    )
    explainer = Explainer(
        patches,
        origin,
        limiter,
        core.clock,
        fetches=settings.fetch_from_origin,
        installs=settings.install,
        server_says=lambda: state.server_says,
    )
    witness = AuditWitness(Witness(store.witness_file), origin.send, core.clock)
    problems = Problems(
        state, connections.part, connections.discovery, transfers, limiter, patching, witness, neighbours, disk
    )
    return Parts(
        store,
        link_reports,
        limiter,
        transfers,
        neighbours,
        diagnoser,
        patching,
        patches,
        explainer,
        Reports(lambda: state.refuses, share_of(state.identity.endpoint_id)),
        (
            HelpNews(state, lambda: limiter.helps),
            FactNews(state, lambda: core.pc.facts),
            FindingNews(state, problems.codes, core.clock),
            NeighbourNews(state, lambda: limiter.network, core.clock, allowed=settings.tell_neighbours),
            CustodyNews(
                state,
                lambda: patching.installs.journal.custody,
                lambda statement: sign_statement(state.identity, statement),
                core.clock,
            ),
        ),
        witness,
        problems,
        disk,
    )


def _server_place(state: DaemonState) -> ServerPlace:
    server = state.servers.origin.current
    return ServerPlace(server.host, server.origin_port, state.identity.control_ca)


def _facts_changed(core: Core) -> None:
    """Something was installed: read this PC's facts again, choose patches by them, and tell the server soon."""
    core.pc.refresh_soon()
    core.wakeups.transfers.ring()


def _wire(core: Core, connections: Connections, parts: Parts) -> list[Task]:
    """Return all tasks, each with what it works on."""
    home, state, wakeups = core.home, core.state, core.wakeups
    engine, origin = connections.engine, connections.origin
    transfers, neighbours, patching = parts.transfers, parts.neighbours, parts.patching
    refresh_seconds = core.settings.refresh_seconds
    trust = TrustRefresh(
        state, wakeups, core.clock, parts.store, core.pc, transfers, patching, refresh_seconds=refresh_seconds
    )
    trust.on_checkpoint = parts.witness.told
    presenter = Presenter(parts.store, origin.send, lambda: state.servers.number, keep_all=wakeups.trust.ring)

    def servers_changed(elsewhere: bool) -> None:
        presenter.tell()
        if elsewhere:
            origin.reconnect()

    trust.on_servers = servers_changed
    told = ToldInventories(home.told_inventory)
    inventory = InventoryNews(
        lambda: core.pc.facts, told, origin.send, wakeups.inventory, tell_packages=core.settings.tell_packages
    )
    origin_events = OriginEvents(
        state,
        wakeups,
        Asking((transfers, transfers.made), transfers.parcels, parts.witness, presenter, parts.disk, inventory),
        neighbours,
        parts.reports,
        parts.diagnoser,
        Remembers(home.last_site, home.last_server),
        watched=parts.limiter.wake,
    )

    def renewed() -> None:
        connections.part.tell(_identity(core))
        origin.reconnect()

    return [
        core.pc.run,
        partial(core.renewal.run, connections.http, renewed),
        partial(core.address_watch.run, origin, neighbours),
        trust.run,
        partial(origin_events.run, origin),
        partial(follow_engine, engine, transfers, transfers.made, neighbours, parts.limiter, wakeups),
        partial(count_pieces, origin.pieces, transfers, transfers.made, wakeups),
        partial(
            step_transfers,
            transfers,
            patching,
            parts.patches,
            parts.reports,
            parts.said,
            origin,
            neighbours,
            wakeups,
        ),
        patching.run,
        DailySweep(home, transfers).run,
        parts.disk.run,
        parts.witness.run,
        presenter.run,
        inventory.run,
        partial(parts.diagnoser.run, origin.send),
        parts.limiter.run,
        partial(parts.link_reports.run, origin),
        parts.explainer.run,
        neighbours.follow_discovery,
        partial(neighbours.run, lambda: [*transfers.made.snapshots(), *transfers.active_torrents()]),
        partial(transfers.made.run, neighbours.look_for),
    ]

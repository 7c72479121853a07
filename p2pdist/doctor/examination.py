"""One examination: everything is looked at side by side, each look within its time, and then judged."""

import os
from contextlib import suppress
from dataclasses import replace

import trio

from p2pdist.doctor import looks_lan, looks_pc, looks_way
from p2pdist.doctor.facts import DaemonFacts, DoctorFacts, EnrolmentFacts, HomeFacts
from p2pdist.doctor.looks_way import LookTimes
from p2pdist.doctor.packet_probe import try_packets
from p2pdist.identity.last_server import load_last_server
from p2pdist.identity.server_change import with_address
from p2pdist.identity.store import Identity, read_identity
from p2pdist.local_api.messages import LIMITER, PEERS, SERVER, STATUS
from p2pdist.local_api.socket import ask_daemon
from p2pdist.settings import EndpointHome, load_settings
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.time_limits import in_time


async def look(home: EndpointHome, clock: Clock, times: LookTimes) -> DoctorFacts:
    """Return all that is seen. Changes nothing; may be cancelled at any time."""
    facts = DoctorFacts(clock.now())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_look_at_way, facts, home, clock, times)
        nursery.start_soon(_ask, facts, home)
        nursery.start_soon(_look_at_pc, facts, home, times)
    return facts


async def _look_at_way(facts: DoctorFacts, home: EndpointHome, clock: Clock, times: LookTimes) -> None:
    identity = await in_time(times.disk, lambda: _identity(home))
    if identity is None:
        facts.enrolment = EnrolmentFacts(problem="The home does not answer: its disk hangs.", hidden=True)
        return
    if isinstance(identity, EnrolmentFacts):
        facts.enrolment = identity
        return
    known = identity
    facts.enrolment = looks_pc.look_at_identity(known)

    async def name() -> None:
        facts.name = await looks_way.look_at_name(known.server_address, times)

    async def web() -> None:
        facts.web = await looks_way.look_at_web_port(known, clock, times)

    async def origin() -> None:
        facts.origin = await looks_way.look_at_origin_port(known, times)

    async def packets() -> None:
        with trio.move_on_after(times.packets):
            facts.packets = await try_packets(known.server_address)

    async with trio.open_nursery() as nursery:
        for look_at in (name, web, origin, packets):
            nursery.start_soon(look_at)


def _identity(home: EndpointHome) -> Identity | EnrolmentFacts:
    """Return the identity, with the address at which the server answered last: that is where the daemon looks first."""
    try:
        identity, last = read_identity(home.root), load_last_server(home.last_server)
        return identity if last is None else with_address(identity, last)
    except UserError as error:
        return EnrolmentFacts(problem=error.message, hidden=error.kind is FaultKind.STORAGE)


async def _ask(facts: DoctorFacts, home: EndpointHome) -> None:
    try:
        status = await ask_daemon(home.socket, STATUS)
        facts.daemon = DaemonFacts(status=status)
        peers = await ask_daemon(home.socket, PEERS)
        facts.daemon = DaemonFacts(status=status, peers=peers)
        facts.daemon = replace(facts.daemon, limiter=await ask_daemon(home.socket, LIMITER))
        with suppress(UserError):  # a daemon of an earlier release does not know that question
            facts.daemon = replace(facts.daemon, server=await ask_daemon(home.socket, SERVER))
    except UserError as error:
        hidden = error.kind in (FaultKind.REFUSED, FaultKind.STORAGE)
        facts.daemon = replace(facts.daemon, problem=error.message, hidden=hidden)


async def _look_at_pc(facts: DoctorFacts, home: EndpointHome, times: LookTimes) -> None:
    seen = await in_time(times.disk, lambda: looks_pc.look_at_home(home))
    facts.home = seen or HomeFacts(unreadable="The home does not answer: its disk hangs.")
    lan_port = await in_time(times.disk, lambda: _lan_port(home)) or 0
    facts.lan_port = await in_time(times.disk, lambda: looks_pc.try_lan_port(lan_port))
    facts.mdns_port = await in_time(times.disk, looks_pc.try_mdns_port)
    facts.networks = await in_time(times.disk, looks_lan.own_networks) or ()
    facts.firewall = await in_time(times.disk, lambda: looks_lan.look_at_firewall(lan_port))
    facts.port_users = await in_time(times.disk, lambda: looks_lan.look_at_users(lan_port))
    around = await in_time(times.disk, lambda: looks_pc.look_around(os.environ))
    facts.surroundings = around or facts.surroundings


def _lan_port(home: EndpointHome) -> int:
    try:
        return load_settings(home).lan_port
    except UserError:
        return 0

"""One examination of the server: everything is looked at side by side, each look within its time."""

import os

import trio

from p2pdist.shared.errors import UserError
from p2pdist.shared.manifest.servers import ServerList
from p2pdist.shared.time_limits import in_time
from seed_server.doctor import looks_home, looks_state
from seed_server.doctor.facts import ServerFacts
from seed_server.doctor.looks_ports import LookSeconds, look_at_api, look_at_listed, look_at_port, look_at_provider
from seed_server.fleet.context import Context
from seed_server.ports.called_address import why_not_here
from seed_server.ports.own_certificate import OwnCertificate
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.serve_lock import is_serving


async def look_at_server(context: Context, seconds: LookSeconds) -> ServerFacts:
    """Return all that is seen. Changes nothing; may be cancelled at any time."""
    facts = ServerFacts(context.clock.now())
    facts.files = await in_time(seconds.disk, lambda: looks_home.look_at_files(context.home))
    try:
        settings = await in_time(seconds.disk, context.settings)
    except UserError as error:
        facts.settings_problem = error.message
        return facts
    if settings is None:
        return facts
    facts.settings = settings
    facts.serving = await in_time(seconds.disk, lambda: is_serving(context.home))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_look_at_ports, facts, context, settings, seconds)
        nursery.start_soon(_look_at_addresses, facts, context, seconds)
        nursery.start_soon(_look_at_name, facts, settings, seconds)
        nursery.start_soon(_look_at_provider, facts, settings, seconds)
        nursery.start_soon(in_time, seconds.disk, lambda: looks_state.look_at_state(facts, context))
    return facts


async def _look_at_ports(facts: ServerFacts, context: Context, settings: ServerSettings, seconds: LookSeconds) -> None:
    found = await in_time(seconds.disk, lambda: looks_home.look_at_authority(context.home))
    if found is None:
        return
    facts.authority, pem = found
    facts.web = await look_at_port(settings, settings.web_port, pem, seconds)
    facts.origin = await look_at_port(settings, settings.origin_port, pem, seconds)
    if settings.api_port:
        own = await in_time(seconds.disk, lambda: _own_certificate(settings))
        if own is not None:
            facts.own_problem, der = own
            facts.api = await look_at_api(settings, pem, der, seconds)


def _own_certificate(settings: ServerSettings) -> tuple[str, bytes]:
    """Return why the API's own certificate cannot be used, empty: it can, or there is none; and that, DER."""
    own = OwnCertificate.of_api(settings)
    try:
        return "", b"" if own is None else own.read().der
    except UserError as error:
        return error.message, b""


async def _look_at_addresses(facts: ServerFacts, context: Context, seconds: LookSeconds) -> None:
    def read() -> tuple[ServerList | None, str]:
        return context.repository().servers(), looks_home.look_at_authority(context.home)[1]

    try:
        found = await in_time(seconds.disk, read)
    except UserError:
        return  # server-signatures says why
    if found is not None:
        signed, pem = found
        facts.listed = await look_at_listed(signed.addresses if signed else (), pem, seconds)


async def _look_at_name(facts: ServerFacts, settings: ServerSettings, seconds: LookSeconds) -> None:
    facts.elsewhere = await in_time(seconds.provider, lambda: why_not_here(settings.address, settings.web_port))


async def _look_at_provider(facts: ServerFacts, settings: ServerSettings, seconds: LookSeconds) -> None:
    facts.provider = await look_at_provider(settings, os.environ, seconds)

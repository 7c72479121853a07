"""One examination of the server: everything is looked at side by side, each look within its time."""

import os
from collections.abc import Callable
from typing import TypeVar

import trio

from p2pdist.shared.errors import UserError
from seed_server.doctor import looks_home, looks_state
from seed_server.doctor.facts import ServerFacts
from seed_server.doctor.looks_ports import LookSeconds, look_at_port, look_at_provider
from seed_server.fleet.context import Context
from seed_server.ports.called_address import why_not_here
from seed_server.settings import ServerSettings
from seed_server.store.serve_lock import is_serving

T = TypeVar("T")


async def look_at_server(context: Context, seconds: LookSeconds) -> ServerFacts:
    """Return all that is seen. Changes nothing; may be cancelled at any time."""
    facts = ServerFacts(context.clock.now())
    facts.files = await _in_time(seconds.disk, lambda: looks_home.look_at_files(context.home))
    try:
        settings = await _in_time(seconds.disk, context.settings)
    except UserError as error:
        facts.settings_problem = error.message
        return facts
    if settings is None:
        return facts
    facts.settings = settings
    facts.serving = await _in_time(seconds.disk, lambda: is_serving(context.home))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_look_at_ports, facts, context, settings, seconds)
        nursery.start_soon(_look_at_name, facts, settings, seconds)
        nursery.start_soon(_look_at_provider, facts, settings, seconds)
        nursery.start_soon(_in_time, seconds.disk, lambda: looks_state.look_at_state(facts, context))
    return facts


async def _look_at_ports(facts: ServerFacts, context: Context, settings: ServerSettings, seconds: LookSeconds) -> None:
    found = await _in_time(seconds.disk, lambda: looks_home.look_at_authority(context.home))
    if found is None:
        return
    facts.authority, pem = found
    facts.web = await look_at_port(settings, settings.web_port, pem, seconds)
    facts.origin = await look_at_port(settings, settings.origin_port, pem, seconds)


async def _look_at_name(facts: ServerFacts, settings: ServerSettings, seconds: LookSeconds) -> None:
    facts.elsewhere = await _in_time(seconds.provider, lambda: why_not_here(settings.address, settings.web_port))


async def _look_at_provider(facts: ServerFacts, settings: ServerSettings, seconds: LookSeconds) -> None:
    facts.provider = await look_at_provider(settings, os.environ, seconds)


async def _in_time(seconds: float, work: Callable[[], T]) -> T | None:
    """Return what ``work`` returns, in a thread; None: it did not end in time, and is left alone."""
    with trio.move_on_after(seconds):
        return await trio.to_thread.run_sync(work, abandon_on_cancel=True)
    return None

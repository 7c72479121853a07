"""Looks at the way to the own server: its name, its two ports. It sends to nobody else."""

import email.utils
import errno
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import trio

from p2pdist.doctor.facts import NameFacts, OriginFacts, PortState, WebFacts
from p2pdist.identity.server_check import MAX_HEALTH_BYTES
from p2pdist.identity.store import Identity, control_ssl_context
from p2pdist.origin.opening import (
    ConnectionLostError,
    OriginAddress,
    cause,
    open_first,
)
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.trust.http_answers import HttpError, base_url
from p2pdist.trust.https_client import HttpsClient
from p2pdist.trust.tls_contexts import trusting_context, unverified_context

MAX_ADDRESSES_SHOWN = 4
UNREACHABLE_ERRORS = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})


@dataclass(frozen=True, slots=True)
class LookTimes:
    """How long each look may take, in seconds."""

    name: float = 5.0
    """A resolver asks twice within that."""
    connect: float = 7.0
    """The kernel repeats a SYN after 1 s, then after 2 more, then after 4."""
    answer: float = 12.0
    """Of the web port, with TLS."""
    handshake: float = 15.0
    """Of the origin port: as long as the daemon waits."""
    packets: float = 10.0
    """Of all probes together."""
    disk: float = 10.0
    """A network file system whose server is gone never answers."""


async def look_at_name(address: str, times: LookTimes) -> NameFacts:
    """Resolve the server's name, as connections do."""
    try:
        ipaddress.ip_address(address)
        return NameFacts(address, is_address=True)
    except ValueError:
        pass
    try:
        with trio.fail_after(times.name):
            found = await trio.socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
    except trio.TooSlowError:
        return NameFacts(address, problem="no answer in time")
    except (OSError, UnicodeError) as error:
        return NameFacts(address, problem=getattr(error, "strerror", None) or str(error))
    addresses = dict.fromkeys(str(row[4][0]) for row in found)
    return NameFacts(address, tuple(addresses)[:MAX_ADDRESSES_SHOWN])


async def look_at_web_port(identity: Identity, clock: Clock, times: LookTimes) -> WebFacts:
    """Ask the web port how it is. Where its certificate is not accepted, ask once more for the time alone."""
    place = _place(identity.server_address, identity.web_port)
    url = f"{base_url(identity.server_address, identity.web_port)}/v1/health"
    try:
        date = await _date(url, trusting_context(identity.control_ca), times)
    except HttpError as error:
        server_time = None
        if error.failure.startswith("certificate_"):
            try:
                server_time = _time(await _date(url, unverified_context(), times))
            except HttpError:
                server_time = None
        return WebFacts(place, error.failure, error.message, server_time, clock.now())
    return WebFacts(place, None, "", _time(date), clock.now())


async def _date(url: str, context: ssl.SSLContext, times: LookTimes) -> str:
    async with HttpsClient(context, grace_seconds=times.answer) as client:
        return (await client.get(url, max_bytes=MAX_HEALTH_BYTES)).date


def _time(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


async def look_at_origin_port(identity: Identity, times: LookTimes) -> OriginFacts:
    """Connect as the daemon does, with this PC's certificate, and say nothing."""
    place = _place(identity.server_address, identity.origin_port)
    try:
        tls = await trio.to_thread.run_sync(control_ssl_context, identity)
    except UserError as error:
        return OriginFacts(place, "foreign", error.message)
    address = OriginAddress(identity.server_address, identity.origin_port, tls, None)
    try:
        with trio.fail_after(times.handshake):
            first = await open_first(address, times.connect)
    except (OSError, trio.TooSlowError, ConnectionLostError) as error:
        return OriginFacts(place, _state(error), cause(error))
    await trio.aclose_forcefully(first.transport_stream)
    return OriginFacts(place, "open")


def _state(error: BaseException) -> PortState:
    if isinstance(error, ConnectionLostError):
        return "foreign"
    numbers = {part.errno for part in _parts(error) if isinstance(part, OSError)}
    if errno.ECONNREFUSED in numbers:
        return "refused"
    return "unreachable" if numbers & UNREACHABLE_ERRORS else "silent"


def _parts(error: BaseException) -> Iterator[BaseException]:
    yield error
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _parts(part)
    if error.__cause__ is not None:
        yield from _parts(error.__cause__)


def _place(address: str, port: int) -> str:
    return base_url(address, port).removeprefix("https://")

"""Waits until somebody has finished a login elsewhere (RFC 8628, section 3.4), at the pace that the provider says."""

from collections.abc import Callable
from typing import Protocol

import trio

from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.device_login import DeviceLogin, DeviceWait, slower
from seed_server.fleet.identity_provider import ProvenIdentity


class DeviceLoginProvider(Protocol):
    """Who is asked."""

    def poll_device_login(self, login: DeviceLogin, now: Callable[[], float]) -> ProvenIdentity | DeviceWait:
        """Ask once whether somebody has finished ``login``."""
        ...


def _pause(seconds: float) -> None:
    trio.run(trio.sleep, seconds)


def device_identity(
    provider: DeviceLoginProvider, login: DeviceLogin, clock: Clock, pause: Callable[[float], None] = _pause
) -> ProvenIdentity:
    """Return who has logged in. Blocking, until Ctrl+C. Raises `UserError`: FAILED when nobody did in time."""
    ends, poll_seconds = clock.monotonic() + login.lasts_seconds, login.poll_seconds
    unreachable: UserError | None = None
    while clock.monotonic() + poll_seconds <= ends:
        pause(poll_seconds)
        try:
            answer = provider.poll_device_login(login, clock.now)
        except UserError as error:
            if error.kind is not FaultKind.UNREACHABLE:
                raise
            unreachable, poll_seconds = error, slower(poll_seconds, None)
            continue
        if isinstance(answer, ProvenIdentity):
            return answer
        unreachable, poll_seconds = None, slower(poll_seconds, answer)
    if unreachable is not None:
        raise unreachable
    raise UserError(
        f"Nobody has finished the login within {login.lasts_seconds:.0f} s. Log in again.",
        FaultKind.FAILED,
    )

"""The desktop's notifications, over the session's D-Bus: the one module that speaks it (jeepney)."""

import html
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

import trio

from p2pdist.shared.errors import FaultKind, UserError

CALL_SECONDS = 10.0  # a desktop answers at once; longer means that it hangs
NAME = "org.p2pdist.Agent"
MAX_PRESSES = 100  # that wait: of a person

_NOTIFICATIONS = ("/org/freedesktop/Notifications", "org.freedesktop.Notifications", "org.freedesktop.Notifications")
_LOGIND = ("/org/freedesktop/login1", "org.freedesktop.login1", "org.freedesktop.login1.Manager")
_NO_SENSE = f"{_NOTIFICATIONS[1]} answers in another way than notifications do"
_ALREADY_OWNED = 3  # by another agent in this session


class DesktopError(Exception):
    """The desktop does not do what it was asked. The message says why."""


class Desktop(Protocol):
    """What the agent needs of a desktop."""

    async def show(self, summary: str, body: str, buttons: Mapping[str, str], *, urgent: bool) -> int:
        """Show a notification, and return its number. Raises `DesktopError`."""

    async def close(self, number: int) -> None:
        """Take a notification away, if it is still there. Raises `DesktopError`."""

    async def pressed(self) -> tuple[int, str]:
        """Return the number of a notification and the button that was pressed, once one is."""

    async def restart_pc(self) -> None:
        """Ask the system, in this user's name, to restart. Raises `DesktopError`."""


@asynccontextmanager
async def open_desktop() -> AsyncIterator["SessionDesktop"]:
    """Give the desktop of this session. Raises `UserError` where there is none, or in a group once it ends."""
    try:
        from jeepney.io.trio import open_dbus_router
    except ImportError as error:
        raise UserError(
            "The agent needs the library jeepney. Install it: pip install 'p2pdist[agent]'", FaultKind.NOT_SET_UP
        ) from error
    if not os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        raise UserError(
            "There is no session D-Bus here (DBUS_SESSION_BUS_ADDRESS). The agent is started by a desktop's session.",
            FaultKind.NOT_SET_UP,
        )
    try:
        async with open_dbus_router(bus="SESSION") as router:
            desktop = SessionDesktop(router)
            async with desktop.listening():
                yield desktop
    except* (OSError, RuntimeError, DesktopError, trio.EndOfChannel, trio.BrokenResourceError) as errors:
        raise UserError("The session's D-Bus has ended, or does not answer.", FaultKind.NOT_RUNNING) from errors


class SessionDesktop:
    """The desktop behind the session's D-Bus."""

    def __init__(self, router: Any) -> None:
        self._router = router
        self.is_second = False
        """Whether another agent runs in this session already."""
        self._capabilities: frozenset[str] | None = None
        self._send, self._receive = trio.open_memory_channel[Any](MAX_PRESSES)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear what is pressed, and see whether this is the only agent. Raises `DesktopError`."""
        from jeepney import MatchRule

        path, name, interface = _NOTIFICATIONS
        rule = {"type": "signal", "interface": interface, "member": "ActionInvoked", "path": path}
        bus = ("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
        (owned,) = await self._call(self._router, bus, "RequestName", "su", (NAME, 4))  # 4: do not wait for it
        self.is_second = owned == _ALREADY_OWNED
        await self._call(self._router, bus, "AddMatch", "s", (MatchRule(**rule, sender=name).serialise(),))
        async with self._router.filter(MatchRule(**rule), channel=self._send):
            yield

    async def show(self, summary: str, body: str, buttons: Mapping[str, str], *, urgent: bool) -> int:
        """Show a notification; see `Desktop`."""
        if self._capabilities is None:
            match await self._call(self._router, _NOTIFICATIONS, "GetCapabilities"):
                case (list(capabilities),):
                    self._capabilities = frozenset(one for one in capabilities if isinstance(one, str))
                case _:
                    raise DesktopError(_NO_SENSE)
        if "body-markup" in self._capabilities:
            body = html.escape(body, quote=False)  # titles are their publishers' words, and no markup
        actions = [word for pair in buttons.items() for word in pair] if "actions" in self._capabilities else []
        hints = {"urgency": ("y", 2 if urgent else 1), "desktop-entry": ("s", "p2pdist-agent")}
        # 0: no other is replaced, and it goes when the user says so
        words = ("p2pdist", 0, "software-update-available", summary, body, actions, hints, 0 if buttons else -1)
        try:
            answer = await self._call(self._router, _NOTIFICATIONS, "Notify", "susssasa{sv}i", words)
        except DesktopError:
            self._capabilities = None  # the next one may be another program
            raise
        match answer:
            case (int(number),):
                return number
        raise DesktopError(_NO_SENSE)

    async def close(self, number: int) -> None:
        """Take a notification away; see `Desktop`."""
        await self._call(self._router, _NOTIFICATIONS, "CloseNotification", "u", (number,))

    async def pressed(self) -> tuple[int, str]:
        """Return what was pressed; see `Desktop`."""
        while True:
            match (await self._receive.receive()).body:
                case (int(number), str(button)):
                    return number, button

    async def restart_pc(self) -> None:
        """Ask logind to restart the PC, with the rights of this user; see `Desktop`."""
        from jeepney.io.trio import open_dbus_router

        problem = ""
        try:
            async with open_dbus_router(bus="SYSTEM") as router:
                try:
                    await self._call(router, _LOGIND, "Reboot", "b", (True,))
                except DesktopError as error:
                    problem = str(error)
        except* (OSError, RuntimeError, trio.EndOfChannel, trio.BrokenResourceError):
            problem = "the system's D-Bus does not answer"
        if problem:
            raise DesktopError(problem)

    async def _call(
        self, router: Any, whom: tuple[str, str, str], method: str, signature: str = "", body: tuple[Any, ...] = ()
    ) -> tuple[Any, ...]:
        from jeepney import DBusAddress, DBusErrorResponse, new_method_call
        from jeepney.io.common import RouterClosed
        from jeepney.wrappers import unwrap_msg

        path, name, interface = whom
        address = DBusAddress(path, bus_name=name, interface=interface)
        try:
            with trio.fail_after(CALL_SECONDS):
                reply = await router.send_and_get_reply(new_method_call(address, method, signature or None, body))
            answer: tuple[Any, ...] = unwrap_msg(reply)
        except DBusErrorResponse as error:
            raise DesktopError(f"{error.name}: {error.data}") from error
        except (trio.TooSlowError, RouterClosed) as error:
            raise DesktopError(f"{name} does not answer") from error
        return answer

"""`p2pdist.agent.desktop`: a real D-Bus, and on it a stand-in for a desktop, which presses buttons."""

import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from p2pdist.agent.desktop import DesktopError, SessionDesktop, open_desktop
from p2pdist.shared.errors import FaultKind, UserError

jeepney = pytest.importorskip("jeepney", reason="the extra 'agent' is not installed")
pytestmark = pytest.mark.skipif(not shutil.which("dbus-daemon"), reason="dbus-daemon is not installed (package dbus)")

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={folder}/bus</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy></busconfig>"""


@contextmanager
def a_bus(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Run a private bus; no service is started by it, whatever is installed here."""
    configuration = folder / "bus.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder))
    command = ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as bus:
        try:
            assert bus.stdout is not None
            yield bus.stdout.readline().strip(), bus
        finally:
            bus.terminate()


class NotificationServer:
    """Shows nothing, remembers all, and presses."""

    def __init__(self, capabilities: list[str]) -> None:
        self.capabilities = capabilities
        self.shown: list[dict[str, Any]] = []
        self.closed: list[int] = []
        self.restarts: list[Any] = []
        self._connection: Any = None

    @asynccontextmanager
    async def running(self, address: str) -> AsyncIterator[None]:
        from jeepney.io.trio import open_dbus_connection

        connection = self._connection = await open_dbus_connection(address)
        for name in ("org.freedesktop.Notifications", "org.freedesktop.login1"):
            await connection.send(jeepney.new_method_call(self._bus, "RequestName", "su", (name, 4)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._serve, connection)
            yield
            nursery.cancel_scope.cancel()
        await connection.aclose()

    _bus = jeepney.DBusAddress(
        "/org/freedesktop/DBus", bus_name="org.freedesktop.DBus", interface="org.freedesktop.DBus"
    )

    async def _serve(self, connection: Any) -> None:
        while True:
            message = await connection.receive()
            if message.header.message_type is not jeepney.MessageType.method_call:
                continue
            match message.header.fields[jeepney.HeaderFields.member]:
                case "GetCapabilities":
                    reply = jeepney.new_method_return(message, "as", (self.capabilities,))
                case "Notify":
                    names = ("app", "replaces", "icon", "summary", "body", "actions", "hints", "timeout")
                    self.shown.append(dict(zip(names, message.body, strict=True)))
                    reply = jeepney.new_method_return(message, "u", (len(self.shown),))
                case "CloseNotification":
                    self.closed.append(message.body[0])
                    reply = jeepney.new_method_return(message)
                case "Reboot":
                    self.restarts.append(message.body)
                    reply = jeepney.new_method_return(message)
                case _:
                    continue
            await connection.send(reply)

    async def press(self, number: int, button: str, member: str = "ActionInvoked") -> None:
        where = jeepney.DBusAddress("/org/freedesktop/Notifications", interface="org.freedesktop.Notifications")
        await self._connection.send(jeepney.new_signal(where, member, "us", (number, button)))


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    with a_bus(tmp_path) as (address, process):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address, process


async def test_a_notification_its_button_its_end_and_a_restart(bus: tuple[str, Any]) -> None:
    server = NotificationServer(["actions", "body", "body-markup"])
    async with open_desktop() as desktop:
        assert not desktop.is_second
        async with open_desktop() as another:
            assert another.is_second, "started by systemd and by the desktop: one is enough"
        with pytest.raises(DesktopError):
            await desktop.show("a", "b", {}, urgent=False)  # no notifications yet
        async with server.running(bus[0]):
            with trio.fail_after(5):
                number = await desktop.show("A & B", "<b>A & B</b>", {"later": "後で"}, urgent=True)
                await server.press(number, "x", "ActivationToken")
                await server.press(number, "later")
                assert await desktop.pressed() == (number, "later")
                await desktop.close(number)
                await desktop.restart_pc()
                await desktop.show("quiet", "", {}, urgent=False)
    first, second = server.shown
    assert (first["summary"], first["body"]) == ("A & B", "&lt;b&gt;A &amp; B&lt;/b&gt;")
    assert (first["actions"], first["timeout"], first["hints"]["urgency"]) == (["later", "後で"], 0, ("y", 2))
    assert (second["timeout"], second["hints"]["urgency"]) == (-1, ("y", 1))
    assert (server.closed, server.restarts) == ([number], [(True,)])


async def test_a_desktop_without_markup_and_buttons_gets_neither(bus: tuple[str, Any]) -> None:
    server = NotificationServer(["body"])
    async with open_desktop() as desktop, server.running(bus[0]):
        with trio.fail_after(5):
            await desktop.show("a", "A & B", {"later": "Later"}, urgent=False)
    assert (server.shown[0]["body"], server.shown[0]["actions"]) == ("A & B", [])


@pytest.mark.parametrize(
    ("capabilities", "number"),
    [
        ((), (1,)),
        ((5,), (1,)),
        (("body",), (1,)),
        (([], 2), (1,)),
        (([],), ()),
        (([],), ("1",)),
        (([["x"], {}],), (None,)),
    ],
)
async def test_what_makes_no_sense_as_an_answer_is_the_desktop_s_failure(
    monkeypatch: pytest.MonkeyPatch, capabilities: tuple[Any, ...], number: tuple[Any, ...]
) -> None:
    """Any program of the session may call itself the one that shows notifications."""
    desktop, answers = SessionDesktop(None), [capabilities, number]

    async def answered(*_: Any) -> tuple[Any, ...]:
        return answers.pop(0)

    monkeypatch.setattr(desktop, "_call", answered)
    with pytest.raises(DesktopError, match="answers in another way"):
        await desktop.show("a", "b", {}, urgent=False)


async def test_the_end_of_the_session_ends_the_agent(bus: tuple[str, Any]) -> None:
    ended = pytest.RaisesExc(UserError, match="D-Bus has ended")
    with pytest.RaisesGroup(ended, flatten_subgroups=True, allow_unwrapped=True):
        async with open_desktop() as desktop:
            bus[1].terminate()
            with trio.fail_after(5):
                await desktop.pressed()


async def test_without_a_session_it_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    with pytest.raises(UserError, match="no session D-Bus") as caught:
        async with open_desktop():
            pass
    assert caught.value.kind is FaultKind.NOT_SET_UP

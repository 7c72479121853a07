"""What a service manager is told of a service (sd_notify(3)): that it runs, that it is alive, that it stops.

Nothing is said where there is no such manager: on a terminal, in a container, on another system than Linux.
"""

import contextlib
import os
import socket
from collections.abc import MutableMapping

import trio

_BEATS = 3  # in the time after which the manager believes a service to hang: one that comes late is no fault yet


class ServiceManager:
    """The manager that has started this process, if any."""

    def __init__(self, address: str = "", *, patience_seconds: float = 0.0) -> None:
        """``address`` is a datagram socket, abstract with ``@``; empty: nobody is told.

        ``patience_seconds``: after so long without a word it ends this process; 0: never.
        """
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._patience_seconds = patience_seconds

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> "ServiceManager":
        """Return what the ``environment`` names, and take it out of there: no child is to speak in our name."""
        address = environment.pop("NOTIFY_SOCKET", "")
        micros, process_id = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        meant = process_id in {"", str(os.getpid())}
        patience = int(micros) / 1e6 if micros.isascii() and micros.isdigit() and meant else 0.0
        return cls(address, patience_seconds=patience)

    def running(self, status: str) -> None:
        """Say that the service does its work; ``status`` in one line."""
        self._say(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Say that the service has begun to end."""
        self._say("STOPPING=1\nSTATUS=stopping")

    async def keep_told(self) -> None:
        """Say again and again that this thread is alive, until cancelled."""
        if not self._patience_seconds:
            return
        while True:
            self._say("WATCHDOG=1")
            await trio.sleep(self._patience_seconds / _BEATS)

    def _say(self, text: str) -> None:
        if not self._address:
            return
        # a manager that is full or gone is no reason to stop; each word is said again or was only news
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(text.encode(), self._address)

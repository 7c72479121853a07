"""A small manager of services with systemd's rule for a stop: all that a unit has started goes with it (KillMode).

A unit is what descends from its holder, a process that adopts orphans: nobody leaves it by going into the background.
Commands reach the manager through a socket, as ``systemctl`` and ``systemd-run`` reach systemd: it acts, not who asks.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

STOP_SECONDS = 20.0  # between SIGTERM and SIGKILL
POLL_SECONDS = 0.02

# ends when it was the one to be ended; else restarts what has failed, as Restart=on-failure does
_HOLDER = """
import ctypes, os, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
while True:
    main = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
    ended = None
    while ended is None:
        process, status = os.wait()
        ended = status if process == main.pid else None
    if ended == 0 or sys.argv[1] == "once":
        break
    time.sleep(0.3)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""
CLIENT = (
    "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
    "s.sendall(chr(10).join(sys.argv[2:]).encode()); s.shutdown(1); sys.exit(int(s.recv(9) or b'1'))"
)


class ServiceManager:
    """Units by name. ``restart=UNIT`` and ``run=UNIT`` with a command are what its socket takes."""

    def __init__(self, directory: Path, *, control_group: bool = True) -> None:
        """``control_group``: whether a stop ends all that a unit has started; else its main process alone."""
        self._control_group = control_group
        self.socket = directory / "manager.sock"
        self._units: dict[str, tuple[subprocess.Popen[bytes], list[str], str]] = {}
        self._lock = threading.RLock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen()
        self.stops = 0
        self._serving = threading.Thread(target=self._serve, daemon=True)  # noqa: TID251 - the other side, not ours
        self._serving.start()

    def client(self, *command: str) -> list[str]:
        """Return the command line that asks this manager."""
        return [sys.executable, "-I", "-S", "-c", CLIENT, str(self.socket), *command]

    def start(self, unit: str, argv: list[str], restart: str = "on-failure") -> None:
        """Start a unit."""
        with self._lock:
            holder = subprocess.Popen([sys.executable, "-I", "-S", "-c", _HOLDER, restart, *argv])
            self._units[unit] = holder, argv, restart

    def stop(self, unit: str) -> None:
        """Stop all that the unit has started: SIGTERM, and after a while SIGKILL."""
        with self._lock:
            holder, _, _ = self._units[unit]
            self.stops += 1
            with contextlib.suppress(ProcessLookupError):
                os.kill(holder.pid, signal.SIGSTOP)  # it restarts nothing meanwhile
            for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
                until = time.monotonic() + seconds
                for process in self._stopped_with(holder.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, number)
                while self._stopped_with(holder.pid) and time.monotonic() < until:
                    time.sleep(POLL_SECONDS)
            holder.kill()
            holder.wait()

    def _stopped_with(self, holder: int) -> list[int]:
        return descendants(holder) if self._control_group else [p for p in children(holder) if is_main(p)]

    def restart(self, unit: str) -> None:
        """Stop a unit, and start it anew."""
        with self._lock:
            _, argv, restart = self._units[unit]
            self.stop(unit)
            self.start(unit, argv, restart)

    def kill(self, unit: str) -> None:
        """End a unit's main process as kill -9 does; what it has started goes on."""
        holder = self._units[unit][0].pid
        for process in filter(is_main, children(holder)):
            os.kill(process, signal.SIGKILL)

    def processes(self, unit: str) -> list[int]:
        """Return what runs of a unit."""
        return descendants(self._units[unit][0].pid) if unit in self._units else []

    @property
    def units(self) -> list[str]:
        """The names of all units that were ever started."""
        return list(self._units)

    def close(self) -> None:
        """End everything."""
        # who waits in `accept` is woken before the descriptor's number is free: the kernel may begin that call anew, by
        # its number, and the thread would take what is asked of the manager of the next test
        self._listener.shutdown(socket.SHUT_RDWR)
        self._serving.join()
        self._listener.close()
        for unit in self.units:
            holder = self._units[unit][0]
            if holder.poll() is None:
                os.kill(holder.pid, signal.SIGSTOP)
                for process in descendants(holder.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                holder.kill()
                holder.wait()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._act, args=(connection,), daemon=True).start()  # noqa: TID251 - likewise

    def _act(self, connection: socket.socket) -> None:
        with connection:
            said = b""
            while data := connection.recv(4096):
                said += data
            what, *argv = said.decode().split("\n")
            action, _, unit = what.partition("=")
            if action == "restart" and unit in self._units:
                self.restart(unit)
            elif action == "restart":
                pass
            elif unit not in self._units or self._units[unit][0].poll() is not None:  # else it is there already
                self.start(unit, argv)
            with contextlib.suppress(OSError):  # who asked may have been stopped by it
                connection.sendall(b"0")


def children(process: int) -> list[int]:
    """Return the living children of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if int(parent) == process and state not in "ZX":
                found.append(int(path.parent.name))
    return found


def descendants(process: int) -> list[int]:
    """Return all living processes that descend from one."""
    found, new = [], [process]
    while new:
        new = [child for parent in new for child in children(parent)]
        found += new
    return found


def is_main(process: int) -> bool:
    """Return whether a child of a holder is the main process of its unit, and no orphan: it has our session."""
    try:
        return os.getsid(process) == os.getsid(0)
    except ProcessLookupError:
        return False

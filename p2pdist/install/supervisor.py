"""The supervisor of an upgrade of p2pdist itself: installs, waits until the new daemon is well, or goes back.

A program of its own, outside of the daemon, which the package stops and starts. The daemon lays a copy of it into
its home and starts that, so the package cannot replace it under its own feet: it uses Python's standard library alone.
``order.json`` says what is to be done, ``progress.json`` how far that has come, ``said.json`` what the daemon that
runs says of itself. Each step is written before it is taken: whoever starts this again after a kill or a power cut
goes on, and runs the installer no second time. See ADR 0057.
"""

import contextlib
import os
import signal
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import Any

from p2pdist.install.supervised_processes import (
    MAX_SAID_BYTES,
    ChangedError,
    Json,
    Processes,
    boot,
    read,
    runs,
    up_seconds,
    write,
)

if sys.platform != "win32":
    import fcntl

ORDER, PROGRESS, SAID, LOCK = "order.json", "progress.json", "said.json", "lock"
MAX_SUPERVISED_REPAIRS = 3  # of one installation that is interrupted again and again
MAX_WAYS_BACK = 3  # likewise
LOCK_WAIT_SECONDS = 5.0  # the daemon looks at the lock for a moment
LOCK_POLL_SECONDS = 0.05
PROBE_SECONDS = 5.0  # for an answer of the server
NOTED_SECONDS = 30.0  # of waiting in vain, until that is written down


class UpgradeSupervisor:
    """Carries out one order."""

    def __init__(self, directory: Path, order: Json) -> None:
        self._directory = directory
        self._order = order
        self._pace = order["pace"]
        self._processes = Processes(directory, order)
        found = read(directory / PROGRESS)
        self._progress: Json = found if found and found.get("order") == order["id"] else {"order": order["id"]}
        self._stopping = False
        self._probed_at = float("-inf")
        self._answers = False

    def run(self) -> None:
        """Go on from the last step that was written down. Raises `OSError`: it has to be started again."""
        self._note(starts=self._progress.get("starts", 0) + 1)
        step = self._progress.get("step")
        if step is None:
            step = self._begin()
        elif step == "installing":
            step = self._repair()
        if step == "waiting":
            step = self._wait()
        if step == "going_back":
            self._go_back()

    def stop(self, _signal: int, _frame: object) -> None:
        """Come to an end as soon as nothing runs; whoever starts this again goes on."""
        self._stopping = True

    def _note(self, **changes: Any) -> None:
        """Write down what has changed. Raises `OSError`."""
        self._progress.update(changes)
        write(self._directory / PROGRESS, self._progress)

    def _end(self, result: str, **changes: Any) -> str:
        self._note(step="ended", result=result, **changes)
        return "ended"

    # --- the installation ----------------------------------------------------------------------

    def _begin(self) -> str:
        command = self._order["install"]
        if command is None:
            return "going_back"
        self._note(step="installing", begun={"at": up_seconds(), "boot": boot()})
        try:
            code, output = self._processes.run(command)
        except ChangedError as error:
            return self._end("not_run", output=str(error))
        if code is not None and code < 0:  # something has killed it
            return self._repair(output)
        return self._ended(command, code, output, known=True)

    def _repair(self, output: str = "") -> str:
        """End what an interrupted installer has left half done; the installer itself is not run again."""
        self._processes.outlived(self._order["install"]["timeout_seconds"])
        repair, repairs = self._order.get("repair"), self._progress.get("repairs", 0)
        if repair is not None and repairs < MAX_SUPERVISED_REPAIRS:
            self._note(repairs=repairs + 1)
            code, said = self._processes.run_while_busy(repair)
            output = f"{output}\n{said}\nthe repair ended with {code}"
        return self._ended(self._order["install"], None, output, known=False)

    def _ended(self, command: Json, code: int | None, output: str, *, known: bool) -> str:
        if (not known or _succeeded(command, code)) and self._order.get("restart"):
            output += self._restart()
        ended = {"at": up_seconds(), "boot": boot()}
        self._note(step="waiting", code=code, known=known, output=output[-MAX_SAID_BYTES:], ended=ended, cause="")
        return "waiting"

    def _restart(self) -> str:
        code, output = self._processes.run(self._order["restart"])
        return "" if code == 0 else f"\nstarting it anew ended with {code}: {output}"

    # --- the new daemon's word -----------------------------------------------------------------

    def _wait(self) -> str:
        """Wait until the daemon is seen to be well, or was ill for long enough.

        Time in which nobody can tell counts for neither: a PC that is merely offline has no bad daemon.
        """
        known, progress = self._progress["known"], self._progress
        wanted_new = known and _succeeded(self._order["install"], progress["code"])
        noted = bad = float(progress.get("bad_seconds", 0.0))
        last = time.monotonic()
        while not self._stopping:
            said = self._said()
            if said is None:
                cause = "no daemon runs, or it comes to an end again and again"
            elif wanted_new and not self._is_new(said["process"]):
                cause = "the former daemon runs on: neither the package nor the recipe has restarted it"
            elif said["spoken"] or (known and not wanted_new):
                # where the installer itself says that it failed, any daemon that lives can see to the rest
                return self._end("spoke" if said["spoken"] else "lives", cause="")
            elif self._server_answers():
                cause = "the daemon runs and has not spoken with its server, which answers this PC"
            else:
                cause = ""
            now = time.monotonic()
            bad += min(now - last, 5 * self._pace["poll_seconds"]) if cause else 0.0
            last = now
            if bad >= self._order["contact_seconds"]:
                self._note(bad_seconds=bad, cause=cause)
                return "going_back"
            words = cause or "the server cannot be reached"
            if bad - noted >= NOTED_SECONDS or words != progress.get("cause"):
                noted = bad
                self._note(bad_seconds=bad, cause=words)
            time.sleep(self._pace["poll_seconds"])
        return "stopped"

    def _said(self) -> Json | None:
        """Return what the daemon has said since the installer's end; None where none is seen to live and to stay."""
        said, ended = read(self._directory / SAID), self._progress["ended"]
        if said is None or said.get("boot") != boot() or not runs(said.get("process")):
            return None
        now = up_seconds()
        since = ended["at"] if ended["boot"] == said["boot"] else 0.0
        fresh = said["at"] >= since and now - said["at"] <= self._pace["said_seconds"]
        return said if fresh and now - said["process"]["began"] >= self._pace["steady_seconds"] else None

    def _is_new(self, process: Json) -> bool:
        begun = self._progress["begun"]
        return bool(process["boot"] != begun["boot"] or process["began"] >= begun["at"])

    def _server_answers(self) -> bool:
        """Return whether the server proves at this moment, by its certificate, that it can be reached and lives."""
        server, now = self._order.get("server"), time.monotonic()
        if server is None or now - self._probed_at < self._pace["probe_seconds"]:
            return self._answers
        self._probed_at = now
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        try:
            context.load_verify_locations(cadata=server["authority"])
            with socket.create_connection((server["address"], server["port"]), PROBE_SECONDS) as plain:
                context.wrap_socket(plain).close()
            self._answers = True
        except (OSError, ValueError):
            self._answers = False
        return self._answers

    # --- the way back --------------------------------------------------------------------------

    def _go_back(self) -> None:
        back, tries = self._order["back"], self._progress.get("tries", 0)
        if back is None or tries >= MAX_WAYS_BACK:
            self._end("no_way_back" if back is None else "stayed")
            return
        self._note(step="going_back", tries=tries + 1)
        self._processes.outlived(back["timeout_seconds"])
        try:
            code, output = self._processes.run_while_busy(back)
        except ChangedError as error:
            self._end("stayed", back_code=None, back_output=str(error))
            return
        went = _succeeded(back, code)
        if went and self._order.get("restart"):
            output += self._restart()
        self._end("went_back" if went else "stayed", back_code=code, back_output=output[-MAX_SAID_BYTES:])


def _succeeded(command: Json, code: int | None) -> bool:
    return code in command["success_codes"] or code in command["reboot_codes"]


def locked(directory: Path, wait_seconds: float = 0.0) -> int | None:
    """Return the descriptor that holds the one supervisor's lock; None: another one does. Raises `OSError`."""
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(lock)
                return None
        else:
            return lock
        time.sleep(LOCK_POLL_SECONDS)


def detach() -> None:
    """Go on as nobody's child, in a session of its own; the process that was started ends."""
    if os.fork():
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, 0)  # the daemon may give way to others; an installer has its deadline


def main(directory: Path, *, detached: bool) -> int:
    """Carry out the order in ``directory``, unless another supervisor is at it. Raises `OSError`."""
    if detached:
        detach()
    os.chdir("/")
    lock = locked(directory, LOCK_WAIT_SECONDS)
    order = read(directory / ORDER)
    if lock is not None and order is not None:
        one = UpgradeSupervisor(directory, order)
        signal.signal(signal.SIGTERM, one.stop)
        one.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), detached="--detach" in sys.argv[2:]))

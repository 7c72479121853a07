"""The daemon's end of an upgrade of itself: gives a supervisor outside of it an order, and reads how far that has come.

See `supervisor`, and ADR 0057. Nothing of it is asked over a channel: who gave an order may be gone when it is done.
"""

import io
import os
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import trio

from p2pdist.install import supervised_processes, supervisor
from p2pdist.install.outcomes import LOCKED
from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.codec import KeptState

MAX_PROGRESS_BYTES = 1 << 20
SUPERVISED_LOOK_SECONDS = 2.0  # between two looks at how far it is, and two words of the daemon about itself
START_AGAIN_SECONDS = 30.0  # between two starts of a supervisor that does not live
PROGRAM = "supervisor.pyz"

T = TypeVar("T")

log = lazy_log()


class SupervisorPace(KeptState, frozen=True):
    """How often a supervisor looks."""

    poll_seconds: float = 1.0
    probe_seconds: float = 15.0
    """Between two questions whether the server can be reached."""
    steady_seconds: float = 30.0
    """A daemon that is younger may be one that ends again and again."""
    said_seconds: float = 120.0
    """A daemon whose last word is older hangs."""


class ServerPlace(KeptState, frozen=True):
    """Where the server is, and whose certificate it has."""

    address: str
    port: int
    authority: str
    """PEM."""


class OrderedCommand(KeptState, frozen=True):
    """One command line, and the proven file that takes the place of one of its arguments."""

    argv: tuple[str, ...]
    timeout_seconds: float
    success_codes: tuple[int, ...] = (0,)
    reboot_codes: tuple[int, ...] = ()
    busy_codes: tuple[int, ...] = ()
    file: str = ""
    """Empty: none."""
    file_at: int = 0
    sha256: str = ""


class Order(KeptState, frozen=True):
    """What a supervisor has to do; `supervisor` reads it without this class."""

    id: str
    install: OrderedCommand | None
    """None: only the way back."""
    back: OrderedCommand | None
    """None: there is none."""
    repair: OrderedCommand | None
    """What ends an interrupted installation; None: nothing does."""
    restart: OrderedCommand | None
    contact_seconds: float
    server: ServerPlace | None
    environment: dict[str, str]
    limits: dict[str, tuple[int, int]]
    pace: SupervisorPace = SupervisorPace()
    locked: tuple[str, ...] = LOCKED


class Progress(msgspec.Struct, frozen=True):
    """How far a supervisor is; a later release may write more."""

    order: str
    starts: int = 0
    step: str = ""
    result: str = ""
    """Empty: it is not over."""
    known: bool = False
    """Whether the installer came to its end."""
    code: int | None = None
    output: str = ""
    cause: str = ""
    """Why it waits, or went back."""
    tries: int = 0
    back_code: int | None = None
    back_output: str = ""


class Starter(Protocol):
    """Starts a supervisor where no stop of this daemon reaches it."""

    async def start_supervisor(self, program: Path, directory: Path, unit: str) -> str:
        """Run ``program`` for ``directory`` under the name ``unit``; return why that cannot be, or ""."""
        ...


class Supervision:
    """The one order that may be under way, as files below ``directory``. Runs in the daemon's trio thread."""

    def __init__(
        self,
        directory: Path,
        starter: Starter,
        server: Callable[[], ServerPlace | None],
        spoken: Callable[[], bool],
    ) -> None:
        """``server``: where this PC's server is; None: not known, so nobody asks whether it can be reached.
        ``spoken``: whether the server has welcomed this daemon.
        """
        self._directory = directory
        self._starter = starter
        self.server = server
        self.spoken = spoken
        self._started_at: float | None = None
        self._watched = trio.Event()
        self.pace = SupervisorPace()
        self.problem = ""
        """Why no supervisor can be started, in words; empty: all is well."""

    async def resume(self) -> None:
        """Say at once that this daemon lives, if an order is under way: its patch may not even be known yet."""
        if await trio.to_thread.run_sync(self._read, supervisor.ORDER, Order) is not None:
            self.watch()

    async def tidy(self, beginnings: Collection[str]) -> None:
        """Forget an order that none of these begins, unless somebody is at it: what came of it is in the journal."""
        order = await trio.to_thread.run_sync(self._read, supervisor.ORDER, Order)
        ours = order is None or any(order.id.startswith(beginning) for beginning in beginnings)
        if not ours and not await trio.to_thread.run_sync(self._at_work):
            await self.over()

    async def hand_over(self, order: Order) -> None:
        """Write ``order`` down and have it carried out. Raises `OSError`: then nothing was begun."""

        def work() -> None:
            durable_files.make_directory(self._directory, mode=0o700)
            durable_files.write_file(self._directory / PROGRAM, program())
            durable_files.write_file(self._directory / supervisor.ORDER, msgspec.json.encode(order))

        await trio.to_thread.run_sync(work)
        self.watch()
        self._started_at = None
        await self._start_one(order.id)

    async def look(self, beginning: str) -> Progress | None:
        """Return how far the order is whose id begins so; None: there is no such order.

        Starts a supervisor where none is at work. Raises `OSError`.
        """
        order = await trio.to_thread.run_sync(self._read, supervisor.ORDER, Order)
        if order is None or not order.id.startswith(beginning):
            return None
        self.watch()
        found = await trio.to_thread.run_sync(self._read, supervisor.PROGRESS, Progress)
        progress = found if found is not None and found.order == order.id else Progress(order.id)
        if not progress.result and not await trio.to_thread.run_sync(self._at_work):
            await self._start_one(order.id)
        return progress

    async def over(self) -> None:
        """Forget the order: what came of it is in the journal. Raises `OSError`."""

        def work() -> None:
            for name in (supervisor.ORDER, supervisor.PROGRESS, supervisor.SAID, supervised_processes.OUTPUT, PROGRAM):
                (self._directory / name).unlink(missing_ok=True)

        self._watched = trio.Event()
        self.problem = ""
        self._started_at = None
        await trio.to_thread.run_sync(work)

    def watch(self) -> None:
        """Say from now on that this daemon lives."""
        self._watched.set()

    async def run(self) -> None:
        """Say that this daemon lives, and whether it has spoken with its server, while an order is under way."""
        while True:
            await self._watched.wait()
            await self.say()
            await trio.sleep(SUPERVISED_LOOK_SECONDS)

    async def say(self) -> None:
        """Say it once; what cannot be written is logged."""

        def work() -> None:
            process = supervised_processes.identity(os.getpid())
            said = {"process": process, "boot": process["boot"], "at": supervised_processes.up_seconds()}
            supervised_processes.write(self._directory / supervisor.SAID, {**said, "spoken": self.spoken()})

        try:
            await trio.to_thread.run_sync(work)
        except OSError as error:
            log.warning("it cannot be said that this daemon lives", path=str(self._directory), reason=error.strerror)

    async def _start_one(self, name: str) -> None:
        now = trio.current_time()
        if self._started_at is not None and now - self._started_at < START_AGAIN_SECONDS:
            return
        self._started_at = now
        self.problem = await self._starter.start_supervisor(
            self._directory / PROGRAM, self._directory, f"p2pdist-upgrade-{name}"
        )
        if self.problem:
            log.warning("the supervisor of an upgrade cannot be started", order=name, reason=self.problem)

    def _at_work(self) -> bool:
        lock = supervisor.locked(self._directory)
        if lock is None:
            return True
        os.close(lock)
        return False

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode(read_capped(self._directory / name, MAX_PROGRESS_BYTES), type=kind)
        except FileNotFoundError:
            return None
        except (FileTooLargeError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.error("a file of an upgrade is damaged", path=str(self._directory / name), cause=str(error))  # noqa: TRY400
            return None


def program() -> bytes:
    """Return the supervisor as one file that any Python of this system's runs, without what the package replaces."""
    parts = {"__main__.py": supervisor, "p2pdist/install/supervised_processes.py": supervised_processes}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for empty in ("p2pdist/__init__.py", "p2pdist/install/__init__.py"):
            archive.writestr(empty, "")
        for name, module in parts.items():
            assert module.__file__ is not None
            archive.writestr(name, Path(module.__file__).read_bytes())
    return made.getvalue()

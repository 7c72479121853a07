"""Runs installations on this PC, and undoes them; `detection` tells the result."""

import errno
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import trio

from p2pdist.install import archive, command_lines, processes
from p2pdist.install.command_lines import CommandLine
from p2pdist.install.descendants import CAN_HOLD
from p2pdist.install.detection import UNKNOWN_VERSION, Detector
from p2pdist.install.limits import DEFAULT_LIMITS, InstallLimits
from p2pdist.install.outcomes import Outcome, exit_words, is_locked, printable, waits_for_lock
from p2pdist.install.package_manager import PAYLOAD, PackageManager, UndoCommand, WasThere
from p2pdist.install.packages import HELD, PackageFile
from p2pdist.install.process_records import recorded_process
from p2pdist.install.proven_files import KeptPayload, proven
from p2pdist.shared.archive_members import ArchiveError
from p2pdist.shared.folder import Folder
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    DebInstall,
    ExeInstall,
    Install,
    MsiInstall,
    MsuInstall,
    RpmInstall,
    ScriptInstall,
)
from p2pdist.shared.trusted_paths import UntrustedPathError, check_program, open_directory

SYSTEMD_RUNS = "/run/systemd/system"  # is there where systemd manages the services
PYTHON = str(Path(sys.executable).resolve())  # an environment of p2pdist's own may be part of what is replaced
MAX_OUTPUT_BYTES = 16 << 10  # of an installation's output: its last lines say why it failed


class Installer:
    """Runs one installation at a time. A ``root`` other than "/" is a separate tree: an image, a chroot, a test's.

    Scripts and programs know nothing of such a root and would change the running system. They are refused there,
    but for tests (``scripts_on_host``).
    """

    def __init__(
        self, root: Path, scratch: Path, limits: InstallLimits = DEFAULT_LIMITS, *, scripts_on_host: bool = False
    ) -> None:
        self._scripts_allowed = root.as_posix() == "/" or scripts_on_host
        self._root = root.as_posix()  # "/" on Windows as well
        self._scratch = scratch
        self._limits = limits
        self._record = scratch / "running"
        self._one_at_a_time = trio.Lock()
        self.detector = Detector(root, limits)
        self._superuser = not hasattr(os, "geteuid") or os.geteuid() == 0
        self._packages = PackageManager(
            self._root, scratch, self.detector, self._run, limits, superuser=self._superuser
        )

    @property
    def problem(self) -> str:
        """What keeps this PC from installing most patches, in words; empty: nothing."""
        if self._superuser or self._root != "/":
            return ""
        return "p2pdist does not run as root, so it can install neither packages nor into places that are root's."

    async def package_in(self, install: Install, file: Path, sha256: str) -> PackageFile | None:
        """Return what a package's file holds by the package manager's own word; None: not known, or no package.

        Raises `PayloadChangedError`.
        """
        if not isinstance(install, DebInstall | RpmInstall):
            return None
        return await self._packages.package_in(install, file, sha256)

    async def install(
        self,
        install: Install,
        version: str,
        file: Path,
        sha256: str,
        *,
        downgrade: bool = False,
        package: PackageFile | None = None,
    ) -> Outcome:
        """Install the payload. Raises `PayloadChangedError` if it changed or is gone; other failures are outcomes.

        ``downgrade``: a package that is there in a later version is replaced too. ``package``: what the file holds.
        """
        if refused := self._refused(install):
            return _failed(refused)
        async with self._alone(install):
            try:
                async with proven(install, file, sha256, self._scratch, self._limits) as (payload, name):
                    if isinstance(install, ArchiveInstall):
                        return await self._unpack(install, version, payload, sha256)
                    command = self.command(install, name, downgrade=downgrade, package=package)
                    return await self._run(command, payload)
            except OSError as error:
                return _failed(f"{file.name} cannot be copied: {error.strerror or error}")

    def command(
        self, install: Install, name: str = PAYLOAD, *, downgrade: bool = False, package: PackageFile | None = None
    ) -> CommandLine:
        """Return the command that installs the file ``name``. Raises `ValueError` for an archive."""
        return command_lines.install_command(
            install,
            name,
            self._root,
            superuser=self._superuser,
            chroots=self._packages.chroots,
            downgrade=downgrade,
            beside=package is not None and package.beside,
        )

    def repair_command(self, install: Install) -> CommandLine | None:
        """Return the command that repairs an interrupted installation; None: only installing again can."""
        return command_lines.recovery_command(
            install, self._root, superuser=self._superuser, chroots=self._packages.chroots
        )

    async def way_back(self, install: Install, was: WasThere, own: KeptPayload) -> Outcome | UndoCommand:
        """Return how a package, or what a script has installed, is undone; ``own`` is its own file."""
        if isinstance(install, DebInstall | RpmInstall):
            return await self._packages.way_back(install, was)
        return self.way_to(install, None, own) or _failed("its recipe says no way to undo it")

    def way_to(self, install: Install, previous: KeptPayload | None, own: KeptPayload) -> UndoCommand | None:
        """Return how the version comes back of which ``previous`` is the package, whatever is there; None: no way."""
        if isinstance(install, DebInstall | RpmInstall):
            return None if previous is None else self._packages.brings_back(install, previous)
        undo = command_lines.rollback_command(install, PAYLOAD, None, self._root, superuser=self._superuser)
        return None if undo is None else UndoCommand(undo, own)

    @property
    def supervises(self) -> bool:
        """Whether p2pdist's own package may be installed here, from outside of the daemon."""
        return CAN_HOLD and self._scripts_allowed

    @property
    def environment(self) -> dict[str, str]:
        """What an installer gets as its environment."""
        return processes.clean_environment()

    async def start_supervisor(self, program: Path, directory: Path, unit: str) -> str:
        """Start the supervisor of an upgrade of p2pdist itself; return why it cannot be started, or ""."""
        command = command_lines.supervisor_command(
            PYTHON, str(program), str(directory), unit, systemd=await trio.Path(SYSTEMD_RUNS).is_dir()
        )
        try:
            ended = await processes.run(command, max_output_bytes=MAX_OUTPUT_BYTES, with_errors=True)
        except (OSError, ValueError) as error:
            return f"{command.argv[0]} cannot be started: {getattr(error, 'strerror', None) or error}"
        outcome = judged(command, ended.code, printable(ended.output))
        return "" if outcome.succeeded else outcome.reason

    async def roll_back(
        self,
        install: Install,
        version: str,
        file: Path,
        sha256: str,
        previous: KeptPayload | None,
        previous_version: str,
        *,
        installed_as: str = "",
        package: PackageFile | None = None,
    ) -> Outcome:
        """Undo the installation of ``version``.

        ``previous_version`` is what `Detector.installed_version` said before the installation; "": nothing was there.
        ``installed_as`` is what it said right after: a package that has a third version by now is left alone.
        ``package`` is what its file holds: that is what is undone, whatever the recipe calls it.
        Raises `PayloadChangedError` when ``file`` (scripts) or ``previous`` (deb, rpm) is missing or was changed.
        """
        async with self._alone(install):
            if isinstance(install, ArchiveInstall):
                if previous_version == installed_as == UNKNOWN_VERSION:  # a directory, or a link, that is not ours
                    return Outcome(True, "nothing to undo: what is there was not touched")
                return await self._in_thread(
                    install.timeout_seconds,
                    lambda: self._if_there(install, lambda there: archive.roll_back(there, version, previous_version)),
                    f"back at {previous_version}" if previous_version else "removed, as nothing was there before",
                )
            try:
                if isinstance(install, DebInstall | RpmInstall):
                    was = WasThere(version, previous_version, previous, installed_as, package)
                    return await self._packages.undo(install, was)
                if isinstance(install, ScriptInstall) and install.rollback_arguments is not None:
                    async with proven(install, file, sha256, self._scratch, self._limits) as (payload, name):
                        return await self._run_undo(install, name, payload)
                return await self._run_undo(install)
            except OSError as error:
                return _failed(f"it cannot be undone: {error.strerror or error}")

    async def _run_undo(self, install: Install, name: str = "", payload: BinaryIO | None = None) -> Outcome:
        undo = command_lines.rollback_command(install, name, None, self._root, superuser=self._superuser)
        if undo is None:
            return _failed("its recipe says no way to undo it")
        if refused := self._refused(install):
            return _failed(refused)
        if isinstance(install, ExeInstall) and install.uninstall is not None:
            try:
                await trio.to_thread.run_sync(check_program, Path(self._root), install.uninstall[0])
            except UntrustedPathError as error:
                return _failed(f"it is not undone by {undo.argv[0]}: {error}")
        return await self._run(undo, payload)

    async def repair(self, install: Install) -> Outcome | None:
        """Repair what an interrupted installation (kill -9, power loss) has left; None: nothing to be done.

        First waits for processes that outlived the daemon that started them, as before any installation.
        """
        async with self._alone(install):
            if isinstance(install, ArchiveInstall):
                return await self._in_thread(
                    install.timeout_seconds,
                    lambda: self._if_there(install, archive.clear_leftovers),
                    "leftovers are removed",
                )
            command = self.repair_command(install)
            if command is None:
                return None
            outcome = _failed("the repair was not done in time")
            with trio.move_on_after(install.timeout_seconds):
                outcome = await self._run(command)
                while outcome.busy:
                    await trio.sleep(self._limits.lock_poll_seconds)
                    outcome = await self._run(command)
            return outcome

    async def wait_for_outlived(self, install: Install | None) -> None:
        """Wait for processes that outlived the daemon that started them, and end them when they are late.

        Nothing can be said of an installation, or of its way back, while it runs on.
        """
        if install is not None:
            async with self._alone(install):
                pass

    async def has_outlived(self) -> bool:
        """Return whether a process still runs that outlived the daemon that started it. None of this daemon's may."""
        return await trio.to_thread.run_sync(recorded_process, self._record) is not None

    async def keep_selection(self, install: Install, name: str, selection: str) -> str:
        """Put back what this PC's administrator wanted of the package ``name``; return why it cannot be, or ""."""
        if not isinstance(install, DebInstall) or selection != HELD:
            return ""
        async with self._alone(install):
            return await self._packages.keep_selection(install, name)

    async def restart_pc(self, minutes: int, message: str) -> Outcome:
        """Make the system restart in ``minutes``, and show its users ``message``."""
        # without a record: in its place another process may be named, which outlived its daemon
        command = command_lines.restart_command(minutes, message, windows=os.name == "nt")
        return await self._run(command, recorded=False)

    # --- running things ---------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _alone(self, install: Install) -> AsyncIterator[None]:
        async with self._one_at_a_time:
            await processes.end_of_outlived(self._record, install.timeout_seconds, self._limits)
            yield

    def _refused(self, install: Install) -> str:
        """Return why this kind is not run on this PC; empty: it may be."""
        if isinstance(install, MsiInstall | MsuInstall | ExeInstall) and os.name != "nt":
            return "it is for Windows"
        if isinstance(install, ScriptInstall) and not self._scripts_allowed:
            return f"scripts change the running system, and config.toml says install_root = {self._root}: it is not run"
        return ""

    def _if_there(self, install: ArchiveInstall, work: Callable[[Folder], None]) -> None:
        """Do ``work`` in the archive's directory; nothing where there is none."""
        try:
            directory = open_directory(Path(self._root), install.directory)
        except FileNotFoundError:
            return
        with directory:
            work(directory)

    async def _run(self, command: CommandLine, payload: BinaryIO | None = None, *, recorded: bool = True) -> Outcome:
        try:
            ended = await processes.run(
                command,
                max_output_bytes=MAX_OUTPUT_BYTES,
                with_errors=True,
                pass_descriptor=payload.fileno() if payload is not None and os.name != "nt" else None,
                record=self._record if recorded else None,
                adopts=True,
                limits=self._limits,
            )
        except (OSError, ValueError) as error:
            return _failed(f"{_shown(command)} cannot be started: {getattr(error, 'strerror', None) or error}")
        return judged(command, ended.code, printable(ended.output))

    async def _unpack(self, install: ArchiveInstall, version: str, payload: BinaryIO, sha256: str) -> Outcome:
        def work() -> None:
            with open_directory(Path(self._root), install.directory, create=True) as directory:
                archive.install(
                    payload,
                    directory,
                    version,
                    sha256,
                    strip_components=install.strip_components,
                    keep_versions=install.keep_versions,
                    check_cancelled=trio.from_thread.check_cancelled,
                    limits=self._limits,
                )

        return await self._in_thread(install.timeout_seconds, work, f"unpacked, {version} is current")

    async def _in_thread(self, timeout_seconds: float, work: Callable[[], None], words: str) -> Outcome:
        with trio.move_on_after(timeout_seconds):
            try:
                await trio.to_thread.run_sync(work)
            except (ArchiveError, UntrustedPathError) as error:
                return _failed(str(error))
            except OSError as error:
                if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                    return _failed("the disk is full; what was unpacked is removed again")
                return _failed(f"the disk refuses: {error.strerror or error}")
            return Outcome(True, words)
        return _failed(f"it was not done within {timeout_seconds} s and was stopped")


def judged(command: CommandLine, code: int | None, output: str) -> Outcome:
    """Return what an exit code and printable output of ``command`` mean; no code: it was late, and was stopped."""
    program, manages_packages = _shown(command), command.argv[0] in (command_lines.DPKG, command_lines.RPM)
    if code is None:
        words = f"{program} did not end within {command.timeout_seconds:g} s and was stopped"
        if manages_packages and waits_for_lock(output):
            return Outcome(False, f"{words}: another program is installing packages", output, busy=True)
        return Outcome(False, words, output)
    reboot = code in command.reboot_codes
    succeeded = reboot or code in command.success_codes
    words = exit_words(program, code, "" if succeeded else output)
    locked = manages_packages and is_locked(output)
    busy = not succeeded and (locked or code in command.busy_codes)
    if busy and not locked:
        words = f"{words}: it is busy, and is to be tried later"
    return Outcome(succeeded, words, output, reboot, code, busy)


def _shown(command: CommandLine) -> str:
    """Return the program's name for people; a payload has none."""
    return "it" if command.argv[0].startswith("/proc/") else Path(command.argv[0]).name


def _failed(words: str) -> Outcome:
    return Outcome(False, words)

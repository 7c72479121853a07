"""What only dpkg and rpm do: tell what a package's file holds, keep what is held, and go back by version."""

import platform
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeAlias

import trio

from p2pdist.install import command_lines
from p2pdist.install.command_lines import CommandLine
from p2pdist.install.detection import UNKNOWN_VERSION, Detector, ecosystem_of
from p2pdist.install.findings import CheckResult
from p2pdist.install.limits import InstallLimits
from p2pdist.install.outcomes import Outcome
from p2pdist.install.packages import HELD, PackageFile, PackageStates, read_package
from p2pdist.install.proven_files import KeptPayload, proven
from p2pdist.shared.manifest.recipe import DebInstall, RpmInstall

PAYLOAD = "/proc/self/fd/payload"  # stands for a proven file in a command line

PackageInstall: TypeAlias = DebInstall | RpmInstall


@dataclass(frozen=True)
class WasThere:
    """What is known of a package from before and right after its installation; see `Installer.roll_back`."""

    version: str
    """Of the patch."""
    previous_version: str
    previous: KeptPayload | None
    installed_as: str
    package: PackageFile | None


@dataclass(frozen=True)
class UndoCommand:
    """The command that undoes an installation."""

    command: CommandLine
    payload: KeptPayload | None = None
    """What it needs, in the place of `PAYLOAD`; None: nothing."""
    removes: bool = False
    """Whether nothing takes the place of what was installed."""


class PackageManager:
    """Asks and orders dpkg and rpm. Whoever calls it sees to it that there is one at a time."""

    def __init__(
        self,
        root: str,
        scratch: Path,
        detector: Detector,
        run: Callable[[CommandLine, BinaryIO | None], Awaitable[Outcome]],
        limits: InstallLimits,
        *,
        superuser: bool,
    ) -> None:
        """``run`` runs a command that changes the PC, with an open payload if it needs one."""
        self._root = root
        self._scratch = scratch
        self._detector = detector
        self._run = run
        self._limits = limits
        self._superuser = superuser

    @property
    def chroots(self) -> bool:
        """Whether the scripts of packages can be run inside of a root that is not the system's: it has a shell."""
        return self._superuser and self._root != "/" and Path(self._root, "bin/sh").exists()

    async def package_in(self, install: PackageInstall, file: Path, sha256: str) -> PackageFile | None:
        """Return what a package's file holds by the package manager's own word; None: not known.

        Raises `PayloadChangedError`.
        """
        try:
            async with proven(install, file, sha256, self._scratch, self._limits) as (payload, name):
                output = await self._detector.file_says(command_lines.file_query(install, name), payload.fileno())
        except (OSError, ValueError):
            return None
        return read_package(output)

    async def keep_selection(self, install: DebInstall, name: str) -> str:
        """Put back that this PC's administrator holds the package ``name``; return why it cannot be, or "".

        dpkg forgets a hold whenever it installs or removes the package itself.
        """
        with trio.move_on_after(install.timeout_seconds):
            while await self._detector.selection(name) != HELD:
                outcome = await self._run(command_lines.selection_command(name, HELD, self._root), None)
                if not (outcome.succeeded or outcome.busy):
                    return outcome.words
                if outcome.busy:
                    await trio.sleep(self._limits.lock_poll_seconds)
            return ""
        return "dpkg was busy for too long"

    async def undo(self, install: PackageInstall, was: WasThere) -> Outcome:
        """Bring back what was there before, or remove the package. Raises `PayloadChangedError`, `OSError`."""
        way = await self.way_back(install, was)
        if isinstance(way, Outcome):
            return way
        if way.payload is None:
            return await self._run(way.command, None)
        async with proven(install, way.payload.file, way.payload.sha256, self._scratch, self._limits) as (file, name):
            argv = tuple(name if argument == PAYLOAD else argument for argument in way.command.argv)
            outcome = await self._run(replace(way.command, argv=argv), file)
        there = await self._detector.installed_version(install, was.package)
        version = was.previous_version
        if there != version:  # somebody had changed it by hand after that package was installed
            return replace(outcome, words=f"{outcome.words}; {there or 'nothing'} is there, not {version}")
        return outcome

    async def way_back(self, install: PackageInstall, was: WasThere) -> Outcome | UndoCommand:
        """Return how to bring back what was there before, or to remove the package; an outcome: neither is done."""
        package = was.package
        name = package.name if package else install.package
        states = await self._detector.package_states(name, ecosystem_of(install))
        if isinstance(states, CheckResult):
            return Outcome(False, f"what is there cannot be found out: {states.words}", known=False)
        if package is not None and package.beside:
            return self._back_beside(install, package, states, was.previous_version)
        untouched = (("installed", was.previous_version),) if was.previous_version else ()
        if states == untouched and was.previous_version != was.version:
            return Outcome(True, "nothing to undo: it is as it was before")
        others = {there for _, there in states}
        if was.installed_as and others and not others & {"", UNKNOWN_VERSION, was.installed_as, was.previous_version}:
            there = ", ".join(sorted(others))
            return Outcome(False, f"{name} {there} is there: something else upgraded it; it stays")
        if not was.previous_version:
            exactly = package.exactly if package is not None and isinstance(install, RpmInstall) else name
            return self._removal(install, exactly)
        if was.previous is None:
            version = was.previous_version
            return Outcome(False, f"{name} {version} was there before, and its package is not kept on this PC")
        return self.brings_back(install, was.previous)

    def brings_back(self, install: PackageInstall, previous: KeptPayload) -> UndoCommand:
        """Return the command that installs a kept package, whatever is there."""
        undo = command_lines.rollback_command(
            install, "", PAYLOAD, self._root, superuser=self._superuser, chroots=self.chroots
        )
        assert undo is not None
        return UndoCommand(undo, previous)

    def _back_beside(
        self, install: PackageInstall, package: PackageFile, states: PackageStates, previous_version: str
    ) -> Outcome | UndoCommand:
        """Remove this one version of a package that stands beside its others."""
        if package.version == previous_version or package.version not in {there for _, there in states}:
            return Outcome(True, "nothing to undo: it is as it was before")
        if self._root == "/" and platform.release().startswith(package.version.rpartition(":")[2]):
            return Outcome(
                False, f"{package.exactly} is the kernel that runs now; start this PC with the former one first"
            )
        return self._removal(install, package.exactly)

    def _removal(self, install: PackageInstall, exactly: str) -> UndoCommand:
        undo = command_lines.rollback_command(
            install, "", None, self._root, superuser=self._superuser, chroots=self.chroots, package=exactly
        )
        assert undo is not None
        return UndoCommand(undo, removes=True)

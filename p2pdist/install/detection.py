"""Detects what is installed on this PC, and whether it is healthy: by package databases, files, programs, services."""

import os
from pathlib import Path

import trio

from p2pdist.install import archive, command_lines, processes
from p2pdist.install.command_lines import CommandLine, below
from p2pdist.install.findings import CheckResult, Look, Whether, found, together, unknown
from p2pdist.install.limits import DEFAULT_LIMITS, InstallLimits
from p2pdist.install.outcomes import exit_words, printable, unit_answer
from p2pdist.install.packages import PackageFile, PackageStates, package_answer, package_states, states_words
from p2pdist.install.processes import Ended
from p2pdist.install.proven_files import MAX_LOOKS, check_file
from p2pdist.pc import inventory
from p2pdist.shared.archive_members import ArchiveError
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    Check,
    CommandCheck,
    DebInstall,
    FileCheck,
    HealthCheck,
    Install,
    MsuInstall,
    PackageCheck,
    RpmInstall,
)
from p2pdist.shared.manifest.versions import Ecosystem
from p2pdist.shared.trusted_paths import UntrustedPathError, check_program, open_directory

MAX_ANSWER_BYTES = 256 << 10  # of a check's standard output, which is searched for the expected text
LISTING_SECONDS = 120.0  # rpm on an old disk
MAX_PROVIDES_BYTES = 1 << 20  # of what a package's file says of itself: a kernel provides some 10 000 symbols
MAX_LISTING_BYTES = 4 << 20  # 20 000 packages with long names
UNKNOWN_VERSION = "?"
MISSING = "missing"  # what is seen of a program that is not there
COULD_NOT_RUN = (126, 127)  # by the convention of shells: found but not to be run; not found


class Detector:
    """Answers what is installed and whether it is healthy; changes nothing. For ``root`` see `Installer`."""

    def __init__(self, root: Path, limits: InstallLimits = DEFAULT_LIMITS) -> None:
        self._root = root.as_posix()  # "/" on Windows as well
        self._limits = limits
        self._looks = trio.CapacityLimiter(MAX_LOOKS)

    async def detected(self, manifest: Manifest, package: PackageFile | None = None) -> CheckResult:
        """Return whether the patch is installed: whether all its checks hold; else the first that does not.

        ``package`` is what its file holds, once that has been read: without ``detect``, that is what is looked for.
        """
        checks = command_lines.default_checks(manifest, _own(package))
        if not checks:
            return await self._by_itself(manifest)
        answers = []
        for check in checks:
            answers.append(await self.check(check))
            if answers[-1].finding is Whether.NO:
                break
        return together(answers)

    async def look(self, manifest: Manifest, package: PackageFile | None = None) -> Look:
        """Look at everything by which the patch is detected, and at the ``package`` that its file holds.

        Two such looks, one before an installation and one after, tell whether it has changed anything.
        """
        checks = command_lines.default_checks(manifest, _own(package))
        answers = [await self.check(check) for check in checks] or [await self._by_itself(manifest)]
        sight = {f"check {number}": answer.seen for number, answer in enumerate(answers, 1) if answer.seen}
        if isinstance(manifest.install, DebInstall | RpmInstall):
            name = package.name if package else manifest.install.package
            states = await self.package_states(name, ecosystem_of(manifest.install))
            if not isinstance(states, CheckResult):
                sight["package"] = f"{name}: {states_words(states)}"
        return Look(together(answers), sight)

    async def healthy(self, health: HealthCheck) -> CheckResult:
        """Return whether all checks held at once within the time; else what the last look saw.

        A check that is late is ill; one that cannot be asked at all tells nothing.
        """
        answer = found(False, "the first look took too long")
        with trio.move_on_after(health.within_seconds):
            while True:
                answer = together([await self.check(check) for check in health.checks])
                if answer.holds:
                    return answer
                await trio.sleep(self._limits.health_poll_seconds)
        words = f"after {health.within_seconds} s: {answer.words}"
        return unknown(words) if answer.finding is Whether.UNKNOWN and not answer.late else found(False, words)

    async def check(self, check: Check) -> CheckResult:
        """Return whether ``check`` holds now."""
        if isinstance(check, FileCheck):
            return await check_file(self._below(check.path), check.path, check.sha256, self._looks, self._limits)
        if isinstance(check, PackageCheck):
            return await self._package(check)
        command = command_lines.check_command(check, self._root, windows=os.name == "nt")
        assert command is not None
        refused = await self._refused(check) if isinstance(check, CommandCheck) else None
        ended = refused or await self._answer(command, adopts=isinstance(check, CommandCheck))
        if isinstance(ended, CheckResult):
            return ended
        assert ended.code is not None
        output = printable(ended.output)
        if not isinstance(check, CommandCheck):
            return unit_answer(check, ended.code, output, windows=os.name == "nt")
        program = Path(command.argv[0]).name
        if ended.code != check.exit_code:
            words = f"{exit_words(program, ended.code, output)}, {check.exit_code} is wanted"
            return unknown(words) if ended.code in COULD_NOT_RUN else found(False, words)
        if check.output.encode() not in ended.output:
            return found(False, f"{program} did not write {check.output[:80]!r}")
        return found(True, f"{program} answers as expected")

    async def installed_version(self, install: Install, package: PackageFile | None = None) -> str:
        """Return the version of the package or archive that is there, complete or not; "": none, or of another kind.

        ``package`` is what its file holds; None: as the recipe calls it. Of one that stands beside its others, only
        that version counts. `UNKNOWN_VERSION` when it cannot be found out: a rollback never removes what may have been
        there before.
        """
        if isinstance(install, ArchiveInstall):
            try:
                return await self._current_version(install)
            except (UntrustedPathError, OSError):
                return UNKNOWN_VERSION
        if isinstance(install, DebInstall | RpmInstall):
            states = await self.package_states(package.name if package else install.package, ecosystem_of(install))
            if isinstance(states, CheckResult):
                return UNKNOWN_VERSION
            if package is not None and package.beside:
                return package.version if package.version in {there for _, there in states} else ""
            return next((version for _, version in states if version), "")
        return ""

    async def selection(self, name: str) -> str | None:
        """Return what this PC's administrator wants of a Debian package, as dpkg calls it; "": nothing.

        None: dpkg does not answer.
        """
        query = command_lines.selection_query(name, self._root)
        ended = await self._answer(query)
        if isinstance(ended, CheckResult):
            return "" if ended.seen == MISSING else None  # without dpkg, nobody can have held anything
        if ended.code not in query.success_codes:
            return None
        return "" if ended.code else printable(ended.output).strip()

    async def package_states(self, package: str, ecosystem: Ecosystem) -> PackageStates | CheckResult:
        """Return what dpkg or rpm says of a package, or why there is no answer."""
        query = command_lines.package_query(package, ecosystem, self._root)
        ended = await self._answer(query)
        if isinstance(ended, CheckResult):
            return ended
        output = printable(ended.output)
        if ended.code not in query.success_codes:
            return unknown(exit_words(Path(query.argv[0]).name, ended.code or 0, output))
        return () if ended.code else package_states(output)  # rpm prints on standard output that it has no such package

    async def file_says(self, query: CommandLine, descriptor: int) -> str:
        """Return what a query of an open file has printed; "": it could not be read. Raises `OSError`."""
        ended = await processes.run(
            query,
            max_output_bytes=MAX_PROVIDES_BYTES,
            with_errors=False,
            pass_descriptor=descriptor if os.name != "nt" else None,
            limits=self._limits,
        )
        return "" if ended.code != 0 else printable(ended.output)

    async def list_packages(self, query: tuple[str, ...]) -> str:
        """Return the output of ``query``, which lists packages. Raises `OSError` if it fails or takes too long."""
        ended = await processes.run(
            CommandLine(query, LISTING_SECONDS),
            max_output_bytes=MAX_LISTING_BYTES,
            with_errors=False,
            limits=self._limits,
        )
        if ended.code != 0:
            raise OSError(f"{query[0]} ended with {'no answer' if ended.code is None else f'code {ended.code}'}")
        return ended.output.decode(errors="replace")

    async def _package(self, check: PackageCheck) -> CheckResult:
        """Ask each package database until one has it: an rpm is found even if dpkg is installed for other things."""
        ecosystems = await trio.to_thread.run_sync(_ecosystems)
        if not ecosystems and os.name == "nt":
            packages = await trio.to_thread.run_sync(inventory.read_packages, Path(self._root))
            found = packages.get(check.name)
            return package_answer(
                check,
                () if found is None else (("installed", str(found)),),
                found.ecosystem if found else Ecosystem.WINDOWS,
            )
        if not ecosystems:
            return unknown(f"this PC has neither dpkg nor rpm to ask for {check.name}")
        silent = None
        for ecosystem in ecosystems:
            states = await self.package_states(check.name, ecosystem)
            if isinstance(states, CheckResult):
                silent = silent or states
            elif states:
                return package_answer(check, states, ecosystem)
        return silent or package_answer(check, (), ecosystems[0])

    async def _by_itself(self, manifest: Manifest) -> CheckResult:
        """Return whether a patch without checks is installed, by what its kind leaves behind."""
        if isinstance(manifest.install, MsuInstall):
            return await self._hot_fix(f"KB{manifest.install.kb}")
        if not isinstance(manifest.install, ArchiveInstall):
            return unknown("nothing says how this patch is detected")
        directory = manifest.install.directory
        try:
            there = await self._current_version(manifest.install)
        except UntrustedPathError as error:
            return unknown(str(error))
        except OSError as error:
            return unknown(f"{directory} cannot be looked at: {error.strerror or error}")
        if there != manifest.version:
            words = "another thing is" if there == UNKNOWN_VERSION else f"{there or 'nothing'} is"
            return found(False, f"{words} current in {directory}, {manifest.version} is wanted")
        return found(True, f"{there} is current in {directory}")

    async def _hot_fix(self, name: str) -> CheckResult:
        query = command_lines.hot_fix_query()
        ended = await self._answer(query)
        if isinstance(ended, CheckResult):
            return ended
        if ended.code != 0:
            return unknown(f"Windows does not list its updates: {exit_words('powershell.exe', ended.code or 0, '')}")
        there = name in printable(ended.output).split()
        return found(there, f"{name} is {'' if there else 'not '}among the updates of this Windows")

    async def _current_version(self, install: ArchiveInstall) -> str:
        """Return the same for an archive. Raises `UntrustedPathError`, and `OSError` when the disk does not answer."""

        def look() -> str:
            with open_directory(Path(self._root), install.directory) as directory:
                return archive.current_version(directory)

        try:
            return await trio.to_thread.run_sync(look)
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except ArchiveError:
            return UNKNOWN_VERSION

    async def _refused(self, check: CommandCheck) -> CheckResult | None:
        """Return why the program is not run as this user: somebody else could have put it there. None: it may be."""
        program = below(self._root, check.command[0])
        with trio.move_on_after(self._limits.file_check_seconds):
            try:
                await trio.to_thread.run_sync(
                    check_program, Path(self._root), check.command[0], abandon_on_cancel=True, limiter=self._looks
                )
            except UntrustedPathError as error:
                return unknown(f"{program} is not run: {error}")
            except FileNotFoundError:
                return unknown(f"{program} is missing", MISSING)
            except (OSError, ValueError) as error:
                return unknown(f"{program} cannot be started: {getattr(error, 'strerror', None) or error}")
            return None
        waited = f"{self._limits.file_check_seconds:.0f} s"
        return unknown(f"{program} could not be looked at within {waited}", late=True)

    async def _answer(self, command: CommandLine, *, adopts: bool = False) -> Ended | CheckResult:
        """Run a query; return how it ended (with a code), or the answer that it could not be asked."""
        try:
            ended = await processes.run(
                command,
                max_output_bytes=MAX_ANSWER_BYTES,
                with_errors=False,
                adopts=adopts,
                limits=self._limits,
            )
            if ended.code is None:
                words = f"{command.argv[0]} gave no answer within {command.timeout_seconds:g} s"
                return unknown(words, late=True)
            return ended
        except FileNotFoundError:
            return unknown(f"{command.argv[0]} is missing", MISSING)
        except (OSError, ValueError) as error:
            return unknown(f"{command.argv[0]} cannot be started: {getattr(error, 'strerror', None) or error}")

    def _below(self, path: str) -> Path:
        return Path(below(self._root, path))


def _own(package: PackageFile | None) -> tuple[str, str] | None:
    return None if package is None else (package.name, package.version)


def ecosystem_of(install: DebInstall | RpmInstall) -> Ecosystem:
    """Return the kind of package that ``install`` brings."""
    return Ecosystem.DEB if isinstance(install, DebInstall) else Ecosystem.RPM


def _ecosystems() -> tuple[Ecosystem, ...]:
    tools = ((command_lines.DPKG_QUERY, Ecosystem.DEB), (command_lines.RPM, Ecosystem.RPM))
    return tuple(ecosystem for tool, ecosystem in tools if Path(tool).exists())

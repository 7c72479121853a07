"""Detects what is installed on this PC, and whether it is healthy: by package databases, files, programs, services."""

import os
from pathlib import Path

import trio

from p2pdist.install import archive, command_lines, processes
from p2pdist.install.command_lines import CommandLine, below
from p2pdist.install.limits import DEFAULT_LIMITS, InstallLimits
from p2pdist.install.outcomes import (
    CheckResult,
    PackageStates,
    exit_words,
    package_answer,
    package_states,
    printable,
    unit_answer,
)
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
    PackageCheck,
    RpmInstall,
)
from p2pdist.shared.manifest.versions import Ecosystem
from p2pdist.shared.trusted_paths import UntrustedPathError, check_program, open_directory

MAX_ANSWER_BYTES = 256 << 10  # of a check's standard output, which is searched for the expected text
LISTING_SECONDS = 120.0  # rpm on an old disk
MAX_LISTING_BYTES = 4 << 20  # 20 000 packages with long names
UNKNOWN_VERSION = "?"


class Detector:
    """Answers what is installed and whether it is healthy; changes nothing. For ``root`` see `Installer`."""

    def __init__(self, root: Path, limits: InstallLimits = DEFAULT_LIMITS) -> None:
        self._root = root.as_posix()  # "/" on Windows as well
        self._limits = limits
        self._looks = trio.CapacityLimiter(MAX_LOOKS)

    async def detected(self, manifest: Manifest) -> CheckResult:
        """Return whether the patch is installed: whether all its checks hold; else the first that does not."""
        checks = command_lines.default_checks(manifest)
        if checks:
            return await self._all(checks)
        if not isinstance(manifest.install, ArchiveInstall):
            return CheckResult(False, "nothing says how this patch is detected")
        try:
            found = await self._current_version(manifest.install)
        except UntrustedPathError as error:
            return CheckResult(False, str(error))
        if found != manifest.version:
            there = "another thing is" if found == UNKNOWN_VERSION else f"{found or 'nothing'} is"
            return CheckResult(False, f"{there} current in {manifest.install.directory}, {manifest.version} is wanted")
        return CheckResult(True, f"{found} is current in {manifest.install.directory}")

    async def healthy(self, health: HealthCheck) -> CheckResult:
        """Return whether all checks held at once within the time; else what the last look saw."""
        answer = CheckResult(False, "the first look took too long")
        with trio.move_on_after(health.within_seconds):
            while True:
                answer = await self._all(health.checks)
                if answer.holds:
                    return answer
                await trio.sleep(self._limits.health_poll_seconds)
        return CheckResult(False, f"after {health.within_seconds} s: {answer.words}")

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
            return CheckResult(False, f"{exit_words(program, ended.code, output)}, {check.exit_code} is wanted")
        if check.output.encode() not in ended.output:
            return CheckResult(False, f"{program} did not write {check.output[:80]!r}")
        return CheckResult(True, f"{program} answers as expected")

    async def installed_version(self, install: Install) -> str:
        """Return the version of the package or archive that is there, complete or not; "": none, or of another kind.

        `UNKNOWN_VERSION` when it cannot be found out: a rollback never removes what may have been there before.
        """
        if isinstance(install, ArchiveInstall):
            try:
                return await self._current_version(install)
            except UntrustedPathError:
                return UNKNOWN_VERSION
        if isinstance(install, DebInstall | RpmInstall):
            states = await self.package_states(install.package, ecosystem_of(install))
            if isinstance(states, CheckResult):
                return UNKNOWN_VERSION
            return next((version for _, version in states if version), "")
        return ""

    async def package_states(self, package: str, ecosystem: Ecosystem) -> PackageStates | CheckResult:
        """Return what dpkg or rpm says of a package, or why there is no answer."""
        query = command_lines.package_query(package, ecosystem, self._root)
        ended = await self._answer(query)
        if isinstance(ended, CheckResult):
            return ended
        output = printable(ended.output)
        if ended.code not in query.success_codes:
            return CheckResult(False, exit_words(Path(query.argv[0]).name, ended.code or 0, output))
        return () if ended.code else package_states(output)  # rpm prints on standard output that it has no such package

    async def list_packages(self, query: tuple[str, ...]) -> str:
        """Return the output of ``query``, which lists packages. Raises `OSError` if it fails or takes too long."""
        ended = await processes.run(
            query, LISTING_SECONDS, max_output_bytes=MAX_LISTING_BYTES, with_errors=False, limits=self._limits
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
            return CheckResult(False, f"this PC has neither dpkg nor rpm to ask for {check.name}")
        silent = None
        for ecosystem in ecosystems:
            states = await self.package_states(check.name, ecosystem)
            if isinstance(states, CheckResult):
                silent = silent or states
            elif states:
                return package_answer(check, states, ecosystem)
        return silent or package_answer(check, (), ecosystems[0])

    async def _all(self, checks: tuple[Check, ...]) -> CheckResult:
        answers = []
        for check in checks:
            answers.append(await self.check(check))
            if not answers[-1].holds:
                return answers[-1]
        return CheckResult(True, "; ".join(answer.words for answer in answers))

    async def _current_version(self, install: ArchiveInstall) -> str:
        """Return the same for an archive. Raises `UntrustedPathError`."""

        def look() -> str:
            with open_directory(Path(self._root), install.directory) as directory:
                return archive.current_version(directory)

        try:
            return await trio.to_thread.run_sync(look)
        except FileNotFoundError:
            return ""
        except (ArchiveError, OSError):
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
                return CheckResult(False, f"{program} is not run: {error}")
            except FileNotFoundError:
                return CheckResult(False, f"{program} is missing")
            except (OSError, ValueError) as error:
                return CheckResult(False, f"{program} cannot be started: {getattr(error, 'strerror', None) or error}")
            return None
        return CheckResult(False, f"{program} could not be looked at within {self._limits.file_check_seconds:.0f} s")

    async def _answer(self, command: CommandLine, *, adopts: bool = False) -> Ended | CheckResult:
        """Run a query; return how it ended (with a code), or the answer that it could not be asked."""
        try:
            ended = await processes.run(
                command.argv,
                command.timeout_seconds,
                max_output_bytes=MAX_ANSWER_BYTES,
                with_errors=False,
                adopts=adopts,
                limits=self._limits,
            )
            if ended.code is None:
                return CheckResult(False, f"{command.argv[0]} gave no answer within {command.timeout_seconds} s")
            return ended
        except FileNotFoundError:
            return CheckResult(False, f"{command.argv[0]} is missing")
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or error
            return CheckResult(False, f"{command.argv[0]} cannot be started: {words}")

    def _below(self, path: str) -> Path:
        return Path(below(self._root, path))


def ecosystem_of(install: DebInstall | RpmInstall) -> Ecosystem:
    """Return the kind of package that ``install`` brings."""
    return Ecosystem.DEB if isinstance(install, DebInstall) else Ecosystem.RPM


def _ecosystems() -> tuple[Ecosystem, ...]:
    tools = ((command_lines.DPKG_QUERY, Ecosystem.DEB), (command_lines.RPM, Ecosystem.RPM))
    return tuple(ecosystem for tool, ecosystem in tools if Path(tool).exists())

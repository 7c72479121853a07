"""Recipes: how a patch is installed on a PC, how that is proven, and when it may happen. Pure.

Only the kinds listed here are allowed. A command is a list of arguments for the system: no shell reads it.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared.manifest.expression import PACKAGE_NAME
from p2pdist.shared.manifest.places import is_no_application_s
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version
from p2pdist.shared.manifest.windows import MAX_WINDOW_CHARS, parse_window
from p2pdist.shared.wire.codec import Record

MAX_ARGUMENTS = 64
MAX_ARGUMENT_CHARS = 1_000
MAX_CHECKS = 20  # of one patch
MAX_PATH_CHARS = 500
MAX_EXPECTED_CHARS = 1_000  # that a check expects
MAX_WINDOWS = 20
MAX_KEPT_VERSIONS = 10
YEARS = range(2000, 3000)  # for scheduled times: adding grace or a time zone must not pass the year 9999
MAX_TIMEOUT_SECONDS = 6 * 3_600  # a service pack on an old disk takes hours

Arguments = Annotated[
    tuple[Annotated[str, msgspec.Meta(max_length=MAX_ARGUMENT_CHARS)], ...], msgspec.Meta(max_length=MAX_ARGUMENTS)
]
Command = Annotated[
    tuple[Annotated[str, msgspec.Meta(max_length=MAX_ARGUMENT_CHARS)], ...],
    msgspec.Meta(min_length=1, max_length=MAX_ARGUMENTS),
]
PathText = Annotated[str, msgspec.Meta(min_length=2, max_length=MAX_PATH_CHARS)]
PackageText = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
VersionText = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
OwnVersionText = Annotated[str, msgspec.Meta(max_length=200)]
Timeout = Annotated[int, msgspec.Meta(ge=1, le=MAX_TIMEOUT_SECONDS)]
ExitCodes = Annotated[tuple[Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)], ...], msgspec.Meta(max_length=20)]
Reboot: TypeAlias = Literal["never", "ask", "window"]

_PRODUCT_CODE = re.compile(r"\{[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}")
_PROPERTY_NAME = re.compile(r"[A-Z_][A-Z0-9_.]{0,71}")
_PROPERTY_VALUE = re.compile(r"[^\s\"]*")  # Windows Installer splits its command line by rules of its own
_WINDOWS_PATH = re.compile(r"[A-Za-z]:\\")
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,255}")


class RecipeError(ValueError):
    """A recipe that no PC could carry out. ``where`` names the key."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where


# --- install -------------------------------------------------------------------------------------


class DebInstall(Record, frozen=True, tag_field="kind", tag="deb"):
    """A Debian package, by dpkg."""

    package: PackageText = ""
    """Its name in dpkg; `publish` reads it from the file. What is undone is the package that the file holds."""
    version: OwnVersionText = ""
    """The package's own version, epoch included, which proves that it is installed; `publish` reads it likewise."""
    despite_hold: bool = False
    """Whether it is installed where this PC's administrator holds the package; the hold is put back in any case."""
    timeout_seconds: Timeout = 1_800


class RpmInstall(Record, frozen=True, tag_field="kind", tag="rpm"):
    """An RPM package, by rpm."""

    package: PackageText = ""
    version: OwnVersionText = ""
    """Likewise, with its release."""
    timeout_seconds: Timeout = 1_800


class ArchiveInstall(Record, frozen=True, tag_field="kind", tag="archive"):
    """A tar or zip archive. It is unpacked into ``DIRECTORY/versions/VERSION``; ``DIRECTORY/current`` links there."""

    directory: PathText
    strip_components: Annotated[int, msgspec.Meta(ge=0, le=8)] = 0
    """How many leading directories to strip from each member's path."""
    keep_versions: Annotated[int, msgspec.Meta(ge=1, le=MAX_KEPT_VERSIONS)] = 2
    """How many previous versions stay unpacked, for a rollback."""
    timeout_seconds: Timeout = 1_800


class ScriptInstall(Record, frozen=True, tag_field="kind", tag="script"):
    """A script as payload, run by an interpreter."""

    interpreter: Literal["sh", "bash", "python3", "powershell"]
    arguments: Arguments = ()
    rollback_arguments: Arguments | None = None
    """Arguments with which the same script undoes the installation; None: it cannot be undone."""
    success_codes: ExitCodes = (0,)
    reboot_codes: ExitCodes = ()
    """Exit codes for success where the PC must also be restarted."""
    busy_codes: ExitCodes = ()
    """Exit codes for nothing done, as something else was at work: it is tried later, and that counts as no attempt."""
    timeout_seconds: Timeout = 1_800


class MsiInstall(Record, frozen=True, tag_field="kind", tag="msi"):
    """A Windows Installer package, by msiexec."""

    product_code: PackageText = ""
    """The product's code, in braces. A rollback uninstalls this product. `publish` reads it from the file."""
    properties: Annotated[dict[str, str], msgspec.Meta(max_length=MAX_ARGUMENTS)] = msgspec.field(default_factory=dict)
    """Public properties; their values have neither blanks nor quotation marks."""
    busy_codes: ExitCodes = ()
    """Exit codes for nothing done, beside 1618: another installation runs."""
    timeout_seconds: Timeout = 3_600


class MsuInstall(Record, frozen=True, tag_field="kind", tag="msu"):
    """A Windows update, by wusa."""

    kb: Annotated[int, msgspec.Meta(ge=1, le=99_999_999)]
    """The number of its knowledge base article. A rollback uninstalls this update."""
    timeout_seconds: Timeout = MAX_TIMEOUT_SECONDS


class ExeInstall(Record, frozen=True, tag_field="kind", tag="exe"):
    """An installer that is a Windows program of its own."""

    arguments: Arguments = ()
    uninstall: Command | None = None
    """The whole command that undoes the installation, its program first; None: it cannot be undone."""
    success_codes: ExitCodes = (0,)
    reboot_codes: ExitCodes = (3010, 1641)
    busy_codes: ExitCodes = (1618,)
    timeout_seconds: Timeout = 3_600


Install: TypeAlias = DebInstall | RpmInstall | ArchiveInstall | ScriptInstall | MsiInstall | MsuInstall | ExeInstall
INSTALL_KINDS = ("deb", "rpm", "archive", "script", "msi", "msu", "exe")


# --- prove ---------------------------------------------------------------------------------------


class PackageCheck(Record, frozen=True, tag_field="kind", tag="package"):
    """The package is completely installed, in this version or a later one by the rules of its ecosystem."""

    name: PackageText
    at_least: VersionText


class FileCheck(Record, frozen=True, tag_field="kind", tag="file"):
    """The file exists and has this content."""

    path: PathText
    sha256: str | None = None
    """None: any content."""


class CommandCheck(Record, frozen=True, tag_field="kind", tag="command"):
    """The program ends with this exit code, and its standard output contains this text."""

    command: Command
    output: Annotated[str, msgspec.Meta(max_length=MAX_EXPECTED_CHARS)] = ""
    """Contained in standard output; empty: anything."""
    exit_code: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)] = 0
    timeout_seconds: Annotated[int, msgspec.Meta(ge=1, le=600)] = 30


class UnitCheck(Record, frozen=True, tag_field="kind", tag="unit"):
    """The systemd unit is active, or on Windows the service runs."""

    unit: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


Check: TypeAlias = PackageCheck | FileCheck | CommandCheck | UnitCheck
Checks = Annotated[tuple[Check, ...], msgspec.Meta(max_length=MAX_CHECKS)]


class HealthCheck(Record, frozen=True):
    """Checks that must all hold within a time after the installation, else the patch is rolled back."""

    checks: Annotated[tuple[Check, ...], msgspec.Meta(min_length=1, max_length=MAX_CHECKS)]
    within_seconds: Annotated[int, msgspec.Meta(ge=1, le=3_600)] = 60


# --- when ----------------------------------------------------------------------------------------


class ScheduleRules(Record, frozen=True):
    """When the patch may be installed. Times without an offset are in each PC's own civil time."""

    windows: Annotated[
        tuple[Annotated[str, msgspec.Meta(max_length=MAX_WINDOW_CHARS)], ...], msgspec.Meta(max_length=MAX_WINDOWS)
    ] = ()
    """Such as ``mon-fri 22:00-05:00``; none: at any time."""
    not_before: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    """Date and time in ISO 8601; likewise ``deadline``."""
    deadline: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    grace_minutes: Annotated[int, msgspec.Meta(ge=0, le=60 * 24 * 30)] = 0
    deferrals: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    """How often the PC's user may defer the installation."""
    longest_deferral_minutes: Annotated[int, msgspec.Meta(ge=1, le=60 * 24 * 30)] = 60 * 24
    emergency: bool = False
    """It waits for no window, but blackouts hold all the same."""
    reboot: Reboot = "never"
    """Where a restart is needed: nothing is done, the user is asked, or the PC restarts in the next window."""


# --- checks beyond the types ---------------------------------------------------------------------


def check_install(install: Install) -> None:
    """Raise `RecipeError` for an invalid installation."""
    where = f"install ({install.__struct_config__.tag})"
    if isinstance(install, DebInstall | RpmInstall):
        _check_package(f"{where}, package", install.package)
        _check_version(f"{where}, version", install.version, install)
    elif isinstance(install, ArchiveInstall):
        _check_directory(f"{where}, directory", install.directory)
    elif isinstance(install, ScriptInstall):
        _check_arguments(where, (*install.arguments, *(install.rollback_arguments or ())))
    elif isinstance(install, MsiInstall):
        _check_msi(where, install)
    elif isinstance(install, ExeInstall):
        _check_arguments(where, (*install.arguments, *(install.uninstall or ())))
        if install.uninstall is not None:
            check_path(f"{where}, uninstall", install.uninstall[0])
    if isinstance(install, ScriptInstall | ExeInstall):
        _check_busy_codes(f"{where}, busy_codes", install)


def _check_busy_codes(where: str, install: ScriptInstall | ExeInstall) -> None:
    twice = set(install.busy_codes) & {*install.success_codes, *install.reboot_codes}
    if twice:
        raise RecipeError(where, f"{min(twice)} means success too; a code means one thing")


def _check_msi(where: str, install: MsiInstall) -> None:
    if not _PRODUCT_CODE.fullmatch(install.product_code):
        raise RecipeError(f"{where}, product_code", "a product code looks like {90160000-0011-0000-0000-0000000FF1CE}")
    for name, value in install.properties.items():
        if not _PROPERTY_NAME.fullmatch(name) or not _PROPERTY_VALUE.fullmatch(value) or len(value) > 500:
            raise RecipeError(
                where,
                f"property {name[:72]!r}: names are in capitals, values have no blanks or quotation marks",
            )
        _check_arguments(where, [value])


def check_checks(where: str, checks: tuple[Check, ...]) -> None:
    """Raise `RecipeError` for an invalid check. ``where`` names their key in messages."""
    for number, check in enumerate(checks, 1):
        check_one(f"{where} {number}", check)


def check_one(place: str, check: Check) -> None:
    """Raise `RecipeError` for an invalid check. ``place`` names it in messages."""
    if isinstance(check, PackageCheck):
        _check_package(f"{place}, name", check.name)
    elif isinstance(check, FileCheck):
        check_path(f"{place}, path", check.path)
        if check.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", check.sha256):
            raise RecipeError(f"{place}, sha256", "a SHA-256 has 64 digits 0-9, a-f")
    elif isinstance(check, CommandCheck):
        check_path(f"{place}, command", check.command[0])
        _check_arguments(place, check.command)
    elif not _UNIT.fullmatch(check.unit) or check.unit.startswith("-"):
        raise RecipeError(f"{place}, unit", f"{check.unit!r} is no name of a unit")


def check_schedule(rules: ScheduleRules) -> None:
    """Raise `RecipeError` for invalid times: the first of `schedule_errors`."""
    for error in schedule_errors(rules):
        raise error


def schedule_errors(rules: ScheduleRules) -> Iterator[RecipeError]:
    """Yield every error in the times."""
    for number, text in enumerate(rules.windows, 1):
        try:
            parse_window(text)
        except ValueError as error:
            yield RecipeError(f"schedule, windows {number}", str(error))
    for name, time_text in (("not_before", rules.not_before), ("deadline", rules.deadline)):
        if time_text is not None:
            try:
                year = datetime.fromisoformat(time_text).year
            except ValueError:
                yield RecipeError(
                    f"schedule, {name}",
                    f"{time_text!r} is no date and time; write 2026-12-01T18:00, "
                    "or with an offset 2026-12-01T18:00+01:00",
                )
                continue
            if year not in YEARS:
                yield RecipeError(
                    f"schedule, {name}",
                    f"{time_text!r} is not between the years {YEARS[0]} and {YEARS[-1]}; for 'never' leave it out",
                )
    if rules.grace_minutes and rules.deadline is None:
        yield RecipeError("schedule, grace_minutes", "grace begins at a deadline, and there is none")


def end_of_day(text: str) -> str:
    """Return a bare date as the last second of that day, as people mean a deadline; any other time as it is."""
    try:
        return f"{date.fromisoformat(text).isoformat()}T23:59:59"
    except ValueError:
        return text


def check_path(where: str, path: str) -> None:
    """Raise `RecipeError` for a path that is not absolute or that has ``..`` in it."""
    parts = re.split(r"[/\\]", path)
    absolute = path.startswith("/") or _WINDOWS_PATH.match(path)
    if not absolute or ".." in parts or not path.isprintable():
        raise RecipeError(where, f"{path[:80]!r} is no absolute path without '..'")


def _check_directory(where: str, path: str) -> None:
    check_path(where, path)
    if is_no_application_s(path):
        raise RecipeError(
            where, f"{path} is the system's, or shared; give the application one of its own, such as /opt/acme"
        )


def _check_package(where: str, name: str) -> None:
    if not name:
        raise RecipeError(where, "it is missing; publish reads it from the file, where it can")
    if not PACKAGE_NAME.fullmatch(name):
        raise RecipeError(where, f"{name[:60]!r} is no name of a package")


def _check_version(where: str, version: str, install: DebInstall | RpmInstall) -> None:
    try:
        if version:
            parse_version(version, Ecosystem.DEB if isinstance(install, DebInstall) else Ecosystem.RPM)
    except InvalidVersionError as error:
        raise RecipeError(where, str(error)) from error


def _check_arguments(where: str, arguments: Iterable[str]) -> None:
    for argument in arguments:
        if "\0" in argument or any("\ud800" <= sign <= "\udfff" for sign in argument):
            raise RecipeError(where, f"the argument {argument[:60]!r} has a character that no argument can have")

"""Recipes: how a patch is installed on a PC, how that is proven, and when it may happen. Pure.

Only the kinds listed here are allowed. A command is a list of arguments for the system: no shell reads it.
"""

from datetime import date
from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared.manifest.windows import MAX_WINDOW_CHARS
from p2pdist.shared.wire.codec import Record

MAX_ARGUMENTS = 64
MAX_ARGUMENT_CHARS = 1_000
MAX_CHECKS = 20  # of one patch
MAX_PATH_CHARS = 500
MAX_EXPECTED_CHARS = 1_000  # that a check expects
MAX_WINDOWS = 20
MAX_KEPT_VERSIONS = 10
MAX_CONTACT_MINUTES = 24 * 60
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

# --- install -------------------------------------------------------------------------------------


class SelfUpgrade(Record, frozen=True):
    """That the package is p2pdist's own: it is installed from outside of the daemon, which it stops and starts."""

    contact_within_minutes: Annotated[int, msgspec.Meta(ge=1, le=MAX_CONTACT_MINUTES)] = 15
    """Within this time the new daemon speaks with its server, else the former one comes back; while the server cannot
    be reached from the PC, it does not run."""
    restart: Command | None = None
    """The whole command that starts the daemon anew, its program first; None: the package's own scripts do so."""


# fields that have their default are left out: release 0.2.0 knows no others, and ignores nothing
class DebInstall(Record, frozen=True, omit_defaults=True, tag_field="kind", tag="deb"):
    """A Debian package, by dpkg."""

    package: PackageText = ""
    """Its name in dpkg; `publish` reads it from the file. What is undone is the package that the file holds."""
    version: OwnVersionText = ""
    """The package's own version, epoch included, which proves that it is installed; `publish` reads it likewise."""
    despite_hold: bool = False
    """Whether it is installed where this PC's administrator holds the package; the hold is put back in any case."""
    timeout_seconds: Timeout = 1_800
    self_upgrade: SelfUpgrade | None = None
    """Whether it is p2pdist's own; None: it is another program's."""


class RpmInstall(Record, frozen=True, omit_defaults=True, tag_field="kind", tag="rpm"):
    """An RPM package, by rpm."""

    package: PackageText = ""
    version: OwnVersionText = ""
    """Likewise, with its release."""
    timeout_seconds: Timeout = 1_800
    self_upgrade: SelfUpgrade | None = None


class ArchiveInstall(Record, frozen=True, tag_field="kind", tag="archive"):
    """A tar or zip archive. It is unpacked into ``DIRECTORY/versions/VERSION``; ``DIRECTORY/current`` links there."""

    directory: PathText
    strip_components: Annotated[int, msgspec.Meta(ge=0, le=8)] = 0
    """How many leading directories to strip from each member's path."""
    keep_versions: Annotated[int, msgspec.Meta(ge=1, le=MAX_KEPT_VERSIONS)] = 2
    """How many previous versions stay unpacked, for a rollback."""
    timeout_seconds: Timeout = 1_800


class ScriptInstall(Record, frozen=True, omit_defaults=True, tag_field="kind", tag="script"):
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
    self_upgrade: SelfUpgrade | None = None


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


def self_upgrade_of(install: Install | None) -> SelfUpgrade | None:
    """Return how p2pdist's own package is installed; None: it is another program's."""
    return install.self_upgrade if isinstance(install, DebInstall | RpmInstall | ScriptInstall) else None


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


def end_of_day(text: str) -> str:
    """Return a bare date as the last second of that day, as people mean a deadline; any other time as it is."""
    try:
        return f"{date.fromisoformat(text).isoformat()}T23:59:59"
    except ValueError:
        return text

"""Which program, with which arguments, carries out, undoes, repairs or asks for an installation. Pure.

Each argument of a recipe is one argument of the program: nothing is split, joined or expanded.
"""

from dataclasses import dataclass, replace
from typing import assert_never

from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    Check,
    CommandCheck,
    DebInstall,
    ExeInstall,
    FileCheck,
    Install,
    MsiInstall,
    MsuInstall,
    PackageCheck,
    RpmInstall,
    ScriptInstall,
    UnitCheck,
)
from p2pdist.shared.manifest.versions import Ecosystem

ASK_SECONDS = 60  # a package database on an old disk, while something else is at work

SYSTEM32 = "C:\\Windows\\System32"
POWERSHELL = f"{SYSTEM32}\\WindowsPowerShell\\v1.0\\powershell.exe"
DPKG = "/usr/bin/dpkg"
DPKG_QUERY = "/usr/bin/dpkg-query"
RPM = "/usr/bin/rpm"
SYSTEMCTL = "/usr/bin/systemctl"

_INTERPRETERS: dict[str, tuple[str, ...]] = {
    "sh": ("/bin/sh",),
    "bash": ("/bin/bash", "--noprofile", "--norc"),
    "python3": ("/usr/bin/python3", "-I"),  # -I: modules of neither the script's directory nor the environment
    "powershell": (POWERSHELL, "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"),
}
_ALREADY_UNINSTALLED = 1605  # of msiexec: this product is not installed
_ALREADY_DONE = 2359302, 2359303  # of wusa: WU_S_ALREADY_INSTALLED, WU_S_ALREADY_UNINSTALLED
_RESTART_CODES = (3010, 1641)  # of Windows Installer and wusa: needed, begun


class DerivedCheck(PackageCheck, frozen=True, tag_field="kind", tag="package"):
    """A check that follows from the patch's version, in which there is no room for an epoch: none is compared."""


@dataclass(frozen=True)
class CommandLine:
    """A program, absolute, and its arguments."""

    argv: tuple[str, ...]
    timeout_seconds: int
    success_codes: tuple[int, ...] = (0,)
    reboot_codes: tuple[int, ...] = ()
    """Success, and the PC has to be restarted."""


def install_command(install: Install, file: str, root: str, *, superuser: bool = True) -> CommandLine:
    """Return what installs ``file`` (absolute). Raises `ValueError` for an archive, which no program unpacks.

    ``root`` other than "/" is a tree of its own, which only deb and rpm know.
    """
    match install:
        case DebInstall():
            # a newer one that somebody installed meanwhile stays
            return _dpkg(install, root, superuser, "--refuse-downgrade", "--install", "--", file)
        case RpmInstall():
            return _rpm(install, root, "--upgrade", "--replacepkgs", "--", file)
        case ScriptInstall():
            return _script(install, file, install.arguments)
        case MsiInstall():
            properties = (f"{name}={value}" for name, value in sorted(install.properties.items()))
            return _windows(install, "msiexec.exe", "/i", file, "/qn", "/norestart", *properties)
        case MsuInstall():
            update = _windows(install, "wusa.exe", file, "/quiet", "/norestart")
            return replace(update, success_codes=(0, _ALREADY_DONE[0]))
        case ExeInstall():
            return CommandLine(
                (file, *install.arguments), install.timeout_seconds, install.success_codes, install.reboot_codes
            )
        case ArchiveInstall():
            raise ValueError("archives are unpacked, not run")
    assert_never(install)


def rollback_command(
    install: Install, file: str, previous_file: str | None, root: str, *, superuser: bool = True
) -> CommandLine | None:
    """Return what undoes the installation of ``file``; None where the recipe has no way back.

    ``previous_file``: the package that was there before, for deb and rpm; None: none was, and it is removed.
    """
    undo: CommandLine | None = None
    match install:
        case DebInstall():
            # without the option, what a broken run left half installed cannot be removed
            remove = ("--force-remove-reinstreq", "--remove", "--", install.package)
            back = ("--force-downgrade", "--install", "--", previous_file or "")
            undo = _dpkg(install, root, superuser, *(back if previous_file else remove))
        case RpmInstall() if previous_file is not None:
            undo = _rpm(install, root, "--upgrade", "--oldpackage", "--replacepkgs", "--", previous_file)
        case RpmInstall():
            undo = _rpm(install, root, "--erase", "--", install.package)
        case ScriptInstall() if install.rollback_arguments is not None:
            undo = _script(install, file, install.rollback_arguments)
        case MsiInstall():
            undo = _windows(install, "msiexec.exe", "/x", install.product_code, "/qn", "/norestart")
            undo = replace(undo, success_codes=(0, _ALREADY_UNINSTALLED))
        case MsuInstall():
            undo = _windows(install, "wusa.exe", "/uninstall", f"/kb:{install.kb}", "/quiet", "/norestart")
            undo = replace(undo, success_codes=(0, _ALREADY_DONE[1]))
        case ExeInstall() if install.uninstall is not None:
            argv = (below(root, install.uninstall[0]), *install.uninstall[1:])
            undo = CommandLine(argv, install.timeout_seconds, install.success_codes, install.reboot_codes)
        case _:
            pass  # an archive's link is switched back, by no program
    return undo


def recovery_command(install: Install, root: str, *, superuser: bool = True) -> CommandLine | None:
    """Return what mends an installation that was cut off; None where only doing it again can."""
    if isinstance(install, DebInstall):
        # all that is pending: dpkg refuses any other work until its interrupted run is finished
        return _dpkg(install, root, superuser, "--configure", "--pending")
    return None


def package_query(name: str, ecosystem: Ecosystem, root: str) -> CommandLine:
    """Return what asks dpkg or rpm for a package; `package_states` reads its output."""
    if ecosystem is Ecosystem.RPM:
        form = "installed %|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n"
        return CommandLine(
            (RPM, *_rpm_root(root), "--query", f"--queryformat={form}", "--", name), ASK_SECONDS, success_codes=(0, 1)
        )
    form = "${db:Status-Status} ${Version}\\n"
    admin = () if root == "/" else (f"--admindir={below(root, '/var/lib/dpkg')}",)
    return CommandLine(
        (DPKG_QUERY, *admin, "--show", f"--showformat={form}", "--", name), ASK_SECONDS, success_codes=(0, 1)
    )


def check_command(
    check: Check, root: str, *, ecosystem: Ecosystem = Ecosystem.DEB, windows: bool = False
) -> CommandLine | None:
    """Return what asks for ``check``; None for a file, which is looked at."""
    match check:
        case PackageCheck():
            return package_query(check.name, ecosystem, root)
        case CommandCheck():
            program = below(root, check.command[0])
            return CommandLine((program, *check.command[1:]), check.timeout_seconds, (check.exit_code,))
        case UnitCheck():
            if windows:
                return CommandLine((f"{SYSTEM32}\\sc.exe", "query", check.unit), ASK_SECONDS)
            return CommandLine((SYSTEMCTL, "is-active", "--", check.unit), ASK_SECONDS)
        case FileCheck():
            return None
    assert_never(check)


def restart_command(minutes: int, message: str, *, windows: bool) -> CommandLine:
    """Return what restarts the PC in some minutes and tells its users so."""
    if windows:
        return CommandLine((f"{SYSTEM32}\\shutdown.exe", "/r", "/t", str(minutes * 60), "/c", message), ASK_SECONDS)
    return CommandLine(("/sbin/shutdown", "-r", f"+{minutes}", "--", message), ASK_SECONDS)


def kill_tree_command(process_id: int) -> CommandLine:
    """Return what ends a process and all that it started, on Windows."""
    return CommandLine((f"{SYSTEM32}\\taskkill.exe", "/T", "/F", "/PID", str(process_id)), ASK_SECONDS)


def default_checks(manifest: Manifest) -> tuple[Check, ...]:
    """Return what proves that the patch is installed; none for an archive without ``detect``: its link is asked."""
    if not manifest.detect and isinstance(manifest.install, DebInstall | RpmInstall):
        return (DerivedCheck(name=manifest.install.package, at_least=manifest.version),)
    return manifest.detect


def below(root: str, path: str) -> str:
    """Return where an absolute ``path`` of a recipe is when the system's tree begins at ``root``."""
    return path if root == "/" else root.rstrip("/") + path


def _dpkg(install: DebInstall, root: str, superuser: bool, *arguments: str) -> CommandLine:
    options = ["--force-confdef", "--force-confold"]  # a changed configuration file stays, and nobody is asked
    if root != "/":
        options += [f"--root={root}", "--force-script-chrootless"]
        if not superuser:
            options.append("--force-not-root")
    return CommandLine((DPKG, *options, *arguments), install.timeout_seconds)


def _rpm(install: RpmInstall, root: str, *arguments: str) -> CommandLine:
    return CommandLine((RPM, *_rpm_root(root), *arguments), install.timeout_seconds)


def _rpm_root(root: str) -> tuple[str, ...]:
    return () if root == "/" else (f"--root={root}",)


def _script(install: ScriptInstall, file: str, arguments: tuple[str, ...]) -> CommandLine:
    # all that follows the file is the script's: an argument such as -c never reaches the interpreter
    return CommandLine(
        (*_INTERPRETERS[install.interpreter], file, *arguments),
        install.timeout_seconds,
        install.success_codes,
        install.reboot_codes,
    )


def _windows(install: MsiInstall | MsuInstall, program: str, *arguments: str) -> CommandLine:
    return CommandLine((f"{SYSTEM32}\\{program}", *arguments), install.timeout_seconds, reboot_codes=_RESTART_CODES)

"""Command lines that install, roll back, repair or check a patch. Pure.

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

ASK_SECONDS = 60  # for a query of a package database on an old, busy disk

SYSTEM32 = "C:\\Windows\\System32"
POWERSHELL = f"{SYSTEM32}\\WindowsPowerShell\\v1.0\\powershell.exe"
DPKG = "/usr/bin/dpkg"
DPKG_QUERY = "/usr/bin/dpkg-query"
RPM = "/usr/bin/rpm"
SYSTEMCTL = "/usr/bin/systemctl"

_INTERPRETERS: dict[str, tuple[str, ...]] = {
    "sh": ("/bin/sh",),
    "bash": ("/bin/bash", "--noprofile", "--norc"),
    "python3": ("/usr/bin/python3", "-I"),  # -I: no modules from the script's directory or the environment
    "powershell": (POWERSHELL, "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"),
}
_ALREADY_UNINSTALLED = 1605  # msiexec: this product is not installed
_ALREADY_DONE = 2359302, 2359303  # wusa: WU_S_ALREADY_INSTALLED, WU_S_ALREADY_UNINSTALLED
_RESTART_CODES = (3010, 1641)  # Windows Installer and wusa: a restart is needed, a restart has begun


class DerivedCheck(PackageCheck, frozen=True, tag_field="kind", tag="package"):
    """A check derived from the package's own version, or from the patch's, which has no epoch."""

    with_epoch: bool = False
    """Whether the epoch is known, and so compared."""
    exact: bool = False
    """Whether a later version does not do: the patch goes back on purpose."""


@dataclass(frozen=True)
class CommandLine:
    """A program (an absolute path) with its arguments, time limit and exit codes."""

    argv: tuple[str, ...]
    timeout_seconds: int
    success_codes: tuple[int, ...] = (0,)
    reboot_codes: tuple[int, ...] = ()
    """Exit codes for success where the PC must also be restarted."""


def install_command(
    install: Install, file: str, root: str, *, superuser: bool = True, downgrade: bool = False
) -> CommandLine:
    """Return the command that installs ``file`` (absolute). Raises `ValueError` for an archive: no program unpacks it.

    ``downgrade`` makes dpkg and rpm replace a later version; else one that somebody installed meanwhile stays.
    A ``root`` other than "/" is the root of another system's tree; only dpkg and rpm can install into one.
    """
    match install:
        case DebInstall():
            direction = "--force-downgrade" if downgrade else "--refuse-downgrade"
            return _dpkg(install, root, superuser, direction, "--install", "--", file)
        case RpmInstall():
            older = ("--oldpackage",) if downgrade else ()
            return _rpm(install, root, "--upgrade", *older, "--replacepkgs", "--", file)
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
    """Return the command that undoes the installation of ``file``; None where the recipe has no way back.

    For deb and rpm, ``previous_file`` is the package that was installed before; None: there was none, so the package
    is removed.
    """
    undo: CommandLine | None = None
    match install:
        case DebInstall():
            # without the option, dpkg does not remove a package that an interrupted run left half installed
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
            pass  # for an archive the link is switched back, without a program
    return undo


def recovery_command(install: Install, root: str, *, superuser: bool = True) -> CommandLine | None:
    """Return the command that repairs an interrupted installation; None where only installing again can."""
    if isinstance(install, DebInstall):
        # everything that is pending: dpkg refuses other work until its interrupted run is finished
        return _dpkg(install, root, superuser, "--configure", "--pending")
    return None


def package_query(name: str, ecosystem: Ecosystem, root: str) -> CommandLine:
    """Return the command that asks dpkg or rpm for a package; `package_states` reads its output."""
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
    """Return the command for ``check``; None for a file, which needs no program."""
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
    """Return the command that restarts the PC in ``minutes`` and tells its users so."""
    if windows:
        return CommandLine((f"{SYSTEM32}\\shutdown.exe", "/r", "/t", str(minutes * 60), "/c", message), ASK_SECONDS)
    return CommandLine(("/sbin/shutdown", "-r", f"+{minutes}", "--", message), ASK_SECONDS)


def kill_tree_command(process_id: int) -> CommandLine:
    """Return the command that ends a process and its descendants on Windows."""
    return CommandLine((f"{SYSTEM32}\\taskkill.exe", "/T", "/F", "/PID", str(process_id)), ASK_SECONDS)


def default_checks(manifest: Manifest) -> tuple[Check, ...]:
    """Return the checks that prove that the patch is installed; none for an archive without ``detect``.

    Such an archive's link is looked at instead.
    """
    if not manifest.detect and isinstance(manifest.install, DebInstall | RpmInstall):
        package, own = manifest.install.package, manifest.install.version
        wanted = own or manifest.version
        return (DerivedCheck(name=package, at_least=wanted, with_epoch=bool(own), exact=manifest.downgrade),)
    return manifest.detect


def below(root: str, path: str) -> str:
    """Return an absolute ``path`` of a recipe as a path below ``root``."""
    return path if root == "/" else root.rstrip("/") + path


def _dpkg(install: DebInstall, root: str, superuser: bool, *arguments: str) -> CommandLine:
    options = ["--force-confdef", "--force-confold"]  # changed configuration files stay, without a question
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
    # arguments after the file go to the script: one such as -c never reaches the interpreter
    return CommandLine(
        (*_INTERPRETERS[install.interpreter], file, *arguments),
        install.timeout_seconds,
        install.success_codes,
        install.reboot_codes,
    )


def _windows(install: MsiInstall | MsuInstall, program: str, *arguments: str) -> CommandLine:
    return CommandLine((f"{SYSTEM32}\\{program}", *arguments), install.timeout_seconds, reboot_codes=_RESTART_CODES)

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
DPKG_DEB = "/usr/bin/dpkg-deb"
DPKG_QUERY = "/usr/bin/dpkg-query"
RPM = "/usr/bin/rpm"
SYSTEMCTL = "/usr/bin/systemctl"
SYSTEMD_RUN = "/usr/bin/systemd-run"

_INTERPRETERS: dict[str, tuple[str, ...]] = {
    "sh": ("/bin/sh",),
    "bash": ("/bin/bash", "--noprofile", "--norc"),
    "python3": ("/usr/bin/python3", "-I"),  # -I: no modules from the script's directory or the environment
    "powershell": (POWERSHELL, "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File"),
}
_ALREADY_UNINSTALLED = 1605  # msiexec: this product is not installed
_ALREADY_DONE = 2359302, 2359303  # wusa: WU_S_ALREADY_INSTALLED, WU_S_ALREADY_UNINSTALLED
_RESTART_CODES = (3010, 1641)  # Windows Installer and wusa: a restart is needed, a restart has begun
_BUSY_CODES = 1618, 2149842966  # Windows Installer: another installation runs; wusa: WU_E_INSTALL_NOT_ALLOWED, likewise
_RPM_VERSION = "%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}"


class DerivedCheck(PackageCheck, frozen=True, tag_field="kind", tag="package"):
    """A check that the recipe does not have: of the package's own version, or else of the patch's, which has no epoch.

    Without `own`, epochs are therefore not compared.
    """

    exact: bool = False
    """Whether a later version does not do: the patch goes back on purpose."""
    own: bool = False
    """Whether this is the package's own version, with its epoch."""


@dataclass(frozen=True)
class CommandLine:
    """A program (an absolute path) with its arguments, time limit and exit codes."""

    argv: tuple[str, ...]
    timeout_seconds: float
    success_codes: tuple[int, ...] = (0,)
    reboot_codes: tuple[int, ...] = ()
    """Exit codes for success where the PC must also be restarted."""
    busy_codes: tuple[int, ...] = ()
    """Exit codes for nothing done, as something else was at work: to be tried later."""
    given: bytes = b""
    """Its standard input; empty: none."""


def install_command(
    install: Install,
    file: str,
    root: str,
    *,
    superuser: bool = True,
    chroots: bool = False,
    downgrade: bool = False,
    beside: bool = False,
) -> CommandLine:
    """Return the command that installs ``file`` (absolute). Raises `ValueError` for an archive: no program unpacks it.

    ``downgrade`` makes dpkg and rpm replace a later version; else one that somebody installed meanwhile stays.
    ``beside`` makes rpm leave the other versions of this package where they are, as it must with kernels.
    A ``root`` other than "/" is the root of another system's tree; only dpkg and rpm can install into one. ``chroots``:
    a package's scripts are run inside of it, as they expect; else on the host, told of the root by a variable.
    """
    match install:
        case DebInstall():
            direction = "--force-downgrade" if downgrade else "--refuse-downgrade"
            return _dpkg(install, root, direction, "--install", "--", file, superuser=superuser, chroots=chroots)
        case RpmInstall():
            older = ("--oldpackage",) if downgrade else ()
            return _rpm(install, root, "--install" if beside else "--upgrade", *older, "--replacepkgs", "--", file)
        case ScriptInstall():
            return _script(install, file, install.arguments)
        case MsiInstall():
            properties = (f"{name}={value}" for name, value in sorted(install.properties.items()))
            return _windows(install, "msiexec.exe", "/i", file, "/qn", "/norestart", *properties)
        case MsuInstall():
            update = _windows(install, "wusa.exe", file, "/quiet", "/norestart")
            return replace(update, success_codes=(0, _ALREADY_DONE[0]))
        case ExeInstall():
            return _of_recipe(install, (file, *install.arguments))
        case ArchiveInstall():
            raise ValueError("archives are unpacked, not run")
    assert_never(install)


def rollback_command(
    install: Install,
    file: str,
    previous_file: str | None,
    root: str,
    *,
    superuser: bool = True,
    chroots: bool = False,
    package: str = "",
) -> CommandLine | None:
    """Return the command that undoes the installation of ``file``; None where the recipe has no way back.

    For deb and rpm, ``previous_file`` is the package that was installed before; None: there was none, so ``package``
    is removed, as the package manager names it (empty: as the recipe does).
    """
    undo: CommandLine | None = None
    match install:
        case DebInstall():
            # without the option, dpkg does not remove a package that an interrupted run left half installed
            remove = ("--force-remove-reinstreq", "--remove", "--", package or install.package)
            back = ("--force-downgrade", "--install", "--", previous_file or "")
            undo = _dpkg(install, root, *(back if previous_file else remove), superuser=superuser, chroots=chroots)
        case RpmInstall() if previous_file is not None:
            undo = _rpm(install, root, "--upgrade", "--oldpackage", "--replacepkgs", "--", previous_file)
        case RpmInstall():
            undo = _rpm(install, root, "--erase", "--", package or install.package)
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
            undo = _of_recipe(install, argv)
        case _:
            pass  # for an archive the link is switched back, without a program
    return undo


def recovery_command(
    install: Install, root: str, *, superuser: bool = True, chroots: bool = False
) -> CommandLine | None:
    """Return the command that repairs an interrupted installation; None where only installing again can."""
    if isinstance(install, DebInstall):
        # everything that is pending: dpkg refuses other work until its interrupted run is finished
        return _dpkg(install, root, "--configure", "--pending", superuser=superuser, chroots=chroots)
    return None


def file_query(install: DebInstall | RpmInstall, file: str) -> CommandLine:
    """Return the command that asks a package's ``file`` what it holds; `packages.read_package` reads its output."""
    if isinstance(install, DebInstall):
        form = "${Package} ${Version} ${Architecture}\\n"
        return CommandLine((DPKG_DEB, "--show", f"--showformat={form}", file), ASK_SECONDS)
    form = f"%{{NAME}} {_RPM_VERSION} %{{ARCH}}\\n[%{{PROVIDENAME}}\\n]"
    return CommandLine((RPM, "--query", "--package", f"--queryformat={form}", "--", file), ASK_SECONDS)


def selection_query(name: str, root: str) -> CommandLine:
    """Return the command that asks dpkg what the administrator wants of a package: install, hold, deinstall, purge."""
    form = "--showformat=${db:Status-Want}\\n"
    return CommandLine((DPKG_QUERY, *_admin(root), "--show", form, "--", name), ASK_SECONDS, success_codes=(0, 1))


def selection_command(name: str, selection: str, root: str) -> CommandLine:
    """Return the command that notes in dpkg's database what is wanted of a package."""
    below_root = () if root == "/" else (f"--root={root}",)
    return CommandLine((DPKG, *below_root, "--set-selections"), ASK_SECONDS, given=f"{name} {selection}\n".encode())


def hot_fix_query() -> CommandLine:
    """Return the command that lists the updates of this Windows, one a line, such as KB5034441."""
    script = "$ErrorActionPreference = 'Stop'; (Get-CimInstance -ClassName Win32_QuickFixEngineering).HotFixID"
    return CommandLine((POWERSHELL, "-NoProfile", "-NonInteractive", "-Command", script), 3 * ASK_SECONDS)


def package_query(name: str, ecosystem: Ecosystem, root: str) -> CommandLine:
    """Return the command that asks dpkg or rpm for a package; `package_states` reads its output."""
    if ecosystem is Ecosystem.RPM:
        form = f"installed {_RPM_VERSION}\\n"
        return CommandLine(
            (RPM, *_rpm_root(root), "--query", f"--queryformat={form}", "--", name), ASK_SECONDS, success_codes=(0, 1)
        )
    form = "${db:Status-Status} ${Version}\\n"
    return CommandLine(
        (DPKG_QUERY, *_admin(root), "--show", f"--showformat={form}", "--", name), ASK_SECONDS, success_codes=(0, 1)
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


def supervisor_command(python: str, program: str, directory: str, unit: str, *, systemd: bool) -> CommandLine:
    """Return the command that starts the supervisor of an upgrade where no stop of the daemon reaches it.

    With systemd, which ends what a service has started with the service, it is a unit of its own; a stop of that lets
    an installer come to its end. Without, it is a process that is nobody's child.
    """
    run = (python, "-I", "-S", program, directory)
    if not systemd:
        return CommandLine((*run, "--detach"), ASK_SECONDS)
    rules = ("Restart=on-failure", "RestartSec=5s", "KillMode=process", "TimeoutStopSec=15min")
    options = (f"--unit={unit}", "--collect", "--quiet", "--no-ask-password", "--service-type=exec")
    about = "--description=Upgrade of p2pdist"
    return CommandLine(
        (SYSTEMD_RUN, *options, about, *(f"--property={rule}" for rule in rules), "--", *run), ASK_SECONDS
    )


def kill_tree_command(process_id: int) -> CommandLine:
    """Return the command that ends a process and its descendants on Windows."""
    return CommandLine((f"{SYSTEM32}\\taskkill.exe", "/T", "/F", "/PID", str(process_id)), ASK_SECONDS)


def default_checks(manifest: Manifest, own: tuple[str, str] | None = None) -> tuple[Check, ...]:
    """Return the checks that prove that the patch is installed; none where its kind is looked at in another way.

    A package is proven by its own name and version: by those that the manifest has, and once its file has been read by
    ``own``, the (name, version) in there. Where the manifest does not say the version, that of the file counts only if
    the patch goes back on purpose, or if it differs by its epoch alone; else the patch's version counts: that a later
    package is there already is no success of one that was published as newer.
    """
    if manifest.detect or not isinstance(manifest.install, DebInstall | RpmInstall):
        return manifest.detect
    said = manifest.install.version
    name, version = own or (manifest.install.package, said)
    by_own = bool(version) and (bool(said) or manifest.downgrade or version.partition(":")[2] == manifest.version)
    at_least = version if by_own else manifest.version
    return (DerivedCheck(name=name, at_least=at_least, exact=manifest.downgrade, own=by_own),)


def below(root: str, path: str) -> str:
    """Return an absolute ``path`` of a recipe as a path below ``root``."""
    return path if root == "/" else root.rstrip("/") + path


def _admin(root: str) -> tuple[str, ...]:
    return () if root == "/" else (f"--admindir={below(root, '/var/lib/dpkg')}",)


def _dpkg(install: DebInstall, root: str, *arguments: str, superuser: bool, chroots: bool) -> CommandLine:
    """Return a command of dpkg's. ``chroots``: whether scripts can be run inside of ``root``."""
    options = ["--force-confdef", "--force-confold"]  # changed configuration files stay, without a question
    if root != "/":
        options += [f"--root={root}", *(() if chroots else ("--force-script-chrootless",))]
        if not superuser:
            options.append("--force-not-root")
    return CommandLine((DPKG, *options, *arguments), install.timeout_seconds)


def _rpm(install: RpmInstall, root: str, *arguments: str) -> CommandLine:
    return CommandLine((RPM, *_rpm_root(root), *arguments), install.timeout_seconds)


def _rpm_root(root: str) -> tuple[str, ...]:
    return () if root == "/" else (f"--root={root}",)


def _script(install: ScriptInstall, file: str, arguments: tuple[str, ...]) -> CommandLine:
    # arguments after the file go to the script: one such as -c never reaches the interpreter
    return _of_recipe(install, (*_INTERPRETERS[install.interpreter], file, *arguments))


def _of_recipe(install: ScriptInstall | ExeInstall, argv: tuple[str, ...]) -> CommandLine:
    """Return a command line whose exit codes mean what the recipe says."""
    return CommandLine(
        argv, install.timeout_seconds, install.success_codes, install.reboot_codes, install.busy_codes
    )  # fmt: skip


def _windows(install: MsiInstall | MsuInstall, program: str, *arguments: str) -> CommandLine:
    own = install.busy_codes if isinstance(install, MsiInstall) else ()
    return CommandLine(
        (f"{SYSTEM32}\\{program}", *arguments),
        install.timeout_seconds,
        reboot_codes=_RESTART_CODES,
        busy_codes=(*_BUSY_CODES, *own),
    )

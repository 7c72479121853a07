"""`p2pdist.install.command_lines`: which program runs with which arguments, whatever a recipe's texts hold."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from p2pdist.install import command_lines
from p2pdist.install.command_lines import (
    CommandLine,
    DerivedCheck,
    check_command,
    default_checks,
    file_query,
    install_command,
    package_query,
    recovery_command,
    restart_command,
    rollback_command,
    selection_command,
    selection_query,
    supervisor_command,
)
from p2pdist.shared.manifest.documents import Manifest, Payload
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
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
from p2pdist.shared.manifest.recipe_checks import RecipeError, check_checks, check_install
from p2pdist.shared.manifest.versions import Ecosystem
from tests.helpers.install_place import manifest

FILE = "/proc/self/fd/7"
CODE = "{90160000-0011-0000-0000-0000000FF1CE}"

DEB, RPM = DebInstall(package="acme", timeout_seconds=9), RpmInstall(package="acme", timeout_seconds=9)
MSI = MsiInstall(product_code=CODE, properties={"B": "2", "ALLUSERS": "1"})
MSU = MsuInstall(kb=5034441)
EXE = ExeInstall(arguments=("/S",), uninstall=("C:\\Program Files\\Acme\\un.exe", "/S"))
SCRIPT = ScriptInstall(interpreter="sh", arguments=("-c", "x y"), rollback_arguments=("undo",), reboot_codes=(7,))
ARCHIVE = ArchiveInstall(directory="/opt/acme")

SYSTEM32 = "C:\\Windows\\System32\\"
KEEP = ("/usr/bin/dpkg", "--force-confdef", "--force-confold")


@pytest.mark.parametrize(
    ("install", "argv"),
    [
        (DEB, (*KEEP, "--refuse-downgrade", "--install", "--", FILE)),
        (RPM, ("/usr/bin/rpm", "--upgrade", "--replacepkgs", "--", FILE)),
        (SCRIPT, ("/bin/sh", FILE, "-c", "x y")),
        (ScriptInstall(interpreter="bash"), ("/bin/bash", "--noprofile", "--norc", FILE)),
        (ScriptInstall(interpreter="python3"), ("/usr/bin/python3", "-I", FILE)),
        (
            ScriptInstall(interpreter="powershell", arguments=("-Quiet",)),
            (
                SYSTEM32 + "WindowsPowerShell\\v1.0\\powershell.exe",
                "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", FILE, "-Quiet",
            ),
        ),
        (MSI, (SYSTEM32 + "msiexec.exe", "/i", FILE, "/qn", "/norestart", "ALLUSERS=1", "B=2")),
        (MSU, (SYSTEM32 + "wusa.exe", FILE, "/quiet", "/norestart")),
        (EXE, (FILE, "/S")),
    ],
    ids=lambda value: getattr(getattr(value, "__struct_config__", None), "tag", ""),
)  # fmt: skip
def test_install(install: Install, argv: tuple[str, ...]) -> None:
    assert install_command(install, FILE, "/").argv == argv


@pytest.mark.parametrize(
    ("install", "previous", "argv"),
    [
        (DEB, "/old.deb", (*KEEP, "--force-downgrade", "--install", "--", "/old.deb")),
        (DEB, None, (*KEEP, "--force-remove-reinstreq", "--remove", "--", "acme")),
        (RPM, "/old.rpm", ("/usr/bin/rpm", "--upgrade", "--oldpackage", "--replacepkgs", "--", "/old.rpm")),
        (RPM, None, ("/usr/bin/rpm", "--erase", "--", "acme")),
        (SCRIPT, None, ("/bin/sh", FILE, "undo")),
        (MSI, None, (SYSTEM32 + "msiexec.exe", "/x", CODE, "/qn", "/norestart")),
        (MSU, None, (SYSTEM32 + "wusa.exe", "/uninstall", "/kb:5034441", "/quiet", "/norestart")),
        (EXE, None, ("C:\\Program Files\\Acme\\un.exe", "/S")),
    ],
)
def test_roll_back(install: Install, previous: str | None, argv: tuple[str, ...]) -> None:
    undo = rollback_command(install, FILE, previous, "/")
    assert undo is not None
    assert undo.argv == argv


def test_what_cannot_be_undone_by_a_program() -> None:
    for install in (ARCHIVE, ExeInstall(), ScriptInstall(interpreter="sh")):
        assert rollback_command(install, FILE, None, "/") is None
    with pytest.raises(ValueError, match="archives"):
        install_command(ARCHIVE, FILE, "/")


def test_exit_codes_and_timeouts_are_the_recipe_s_or_the_installer_s() -> None:
    assert install_command(DEB, FILE, "/").timeout_seconds == 9
    assert install_command(SCRIPT, FILE, "/").reboot_codes == (7,)
    assert install_command(EXE, FILE, "/").reboot_codes == (3010, 1641)
    assert install_command(MSI, FILE, "/").reboot_codes == (3010, 1641)
    already_there = 0x00240006  # WU_S_ALREADY_INSTALLED
    assert install_command(MSU, FILE, "/").success_codes == (0, already_there)
    undo = rollback_command(MSI, FILE, None, "/")
    assert undo is not None
    assert undo.success_codes == (0, 1605)


def test_a_root_of_its_own() -> None:
    deb = install_command(DEB, FILE, "/r").argv
    assert deb == (
        *KEEP, "--root=/r", "--force-script-chrootless", "--refuse-downgrade", "--install", "--", FILE
    )  # fmt: skip
    assert "--force-script-chrootless" not in install_command(DEB, FILE, "/r", chroots=True).argv
    assert "--force-not-root" in install_command(DEB, FILE, "/r", superuser=False).argv
    assert "--force-not-root" not in install_command(DEB, FILE, "/", superuser=False).argv
    assert install_command(RPM, FILE, "/r").argv[1] == "--root=/r"
    repair = recovery_command(DEB, "/r")
    assert repair is not None
    assert repair.argv[-4:] == ("--root=/r", "--force-script-chrootless", "--configure", "--pending")
    assert recovery_command(RPM, "/") is None
    assert package_query("acme", Ecosystem.DEB, "/r").argv[1] == "--admindir=/r/var/lib/dpkg"
    assert package_query("acme", Ecosystem.RPM, "/r").argv[1] == "--root=/r"
    undo = rollback_command(ExeInstall(uninstall=("/opt/un", "/S")), FILE, None, "/r")
    assert undo is not None
    assert undo.argv == ("/r/opt/un", "/S")


def test_checks() -> None:
    package = PackageCheck(name="acme", at_least="1")
    assert check_command(package, "/") == package_query("acme", Ecosystem.DEB, "/")
    assert package_query("acme", Ecosystem.DEB, "/").argv == (
        "/usr/bin/dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}\\n", "--", "acme"
    )  # fmt: skip
    command = CommandCheck(command=("/opt/acme", "--version"), exit_code=3, timeout_seconds=4)
    assert check_command(command, "/r") == CommandLine(("/r/opt/acme", "--version"), 4, (3,))
    unit = UnitCheck(unit="acme.service")
    asked = check_command(unit, "/")
    assert asked is not None
    assert asked.argv == ("/usr/bin/systemctl", "is-active", "--", "acme.service")
    asked = check_command(unit, "/", windows=True)
    assert asked is not None
    assert asked.argv == (SYSTEM32 + "sc.exe", "query", "acme.service")
    assert check_command(FileCheck(path="/opt/acme"), "/") is None


def test_restart() -> None:
    assert restart_command(5, "-h now", windows=False).argv == ("/sbin/shutdown", "-r", "+5", "--", "-h now")
    assert restart_command(5, "Patch", windows=True).argv == (
        SYSTEM32 + "shutdown.exe", "/r", "/t", "300", "/c", "Patch"
    )  # fmt: skip


def test_default_checks() -> None:
    def checks(install: Install | None, *detect: FileCheck) -> tuple[object, ...]:
        payload = Payload(file_name="acme.deb", length_bytes=1, sha256="a" * 64, torrent_hash="b" * 64)
        manifest = Manifest(
            format=1, patch_id="acme", version="2.1", title="Acme", severity="low", cvss=None, published_at=0,
            payloads=[payload], install=install, detect=detect,
        )  # fmt: skip
        return default_checks(manifest)

    file = FileCheck(path="/opt/acme")
    assert checks(DEB) == checks(RPM) == (DerivedCheck(name="acme", at_least="2.1"),)
    assert checks(DEB, file) == (file,)
    assert checks(ARCHIVE) == ()
    assert checks(None) == ()


# --- hostile texts ---------------------------------------------------------------------------------

HOSTILE = st.one_of(
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=60),
    st.sampled_from(
        [
            "", " ", "-", "--", "-c", "--root=/", "; reboot", "$(id)", "`id`", "a\nb", "*", "%PATH%", '"', "'", "\\",
            "a b", "--pre-invoke=id", "-e", "/x", "| tee", "&& x", "~", "${IFS}", "\t", "\r\n", "{a,b}", "!x", "^&",
            "\u202e", "\U0001f600",
        ]
    ),
)  # fmt: skip
MANY = settings(max_examples=200, deadline=None)


@MANY
@given(st.lists(HOSTILE, max_size=8), st.sampled_from(["sh", "bash", "python3", "powershell"]))
def test_arguments_of_scripts_come_last_and_as_they_are(arguments: list[str], interpreter: str) -> None:
    plain = install_command(ScriptInstall(interpreter=interpreter), FILE, "/").argv  # type: ignore[arg-type]
    install = ScriptInstall(
        interpreter=interpreter,  # type: ignore[arg-type]
        arguments=tuple(arguments),
        rollback_arguments=tuple(reversed(arguments)),
    )
    assert install_command(install, FILE, "/").argv == (*plain, *arguments)
    undo = rollback_command(install, FILE, None, "/")
    assert undo is not None
    assert undo.argv == (*plain, *reversed(arguments))


@MANY
@given(st.lists(HOSTILE, max_size=8))
def test_arguments_of_programs_come_last_and_as_they_are(arguments: list[str]) -> None:
    install = ExeInstall(arguments=tuple(arguments), uninstall=("C:\\un.exe", *arguments))
    assert install_command(install, FILE, "/").argv == (FILE, *arguments)
    undo = rollback_command(install, FILE, None, "/")
    assert undo is not None
    assert undo.argv == ("C:\\un.exe", *arguments)
    check = check_command(CommandCheck(command=("/opt/acme", *arguments)), "/")
    assert check is not None
    assert check.argv == ("/opt/acme", *arguments)


@MANY
@given(HOSTILE)
def test_a_package_s_name_is_one_argument_after_the_options(name: str) -> None:
    """The vector keeps its shape even for names that no recipe may have."""
    for install, plain in ((DebInstall(package=name), DEB), (RpmInstall(package=name), RPM)):
        assert install_command(install, FILE, "/").argv == install_command(plain, FILE, "/").argv
        undo, expected = rollback_command(install, FILE, None, "/"), rollback_command(plain, FILE, None, "/")
        assert undo is not None
        assert expected is not None
        assert undo.argv == (*expected.argv[:-1], name)
        assert undo.argv[-2] == "--"
    for ecosystem in (Ecosystem.DEB, Ecosystem.RPM):
        assert package_query(name, ecosystem, "/").argv == (*package_query("x", ecosystem, "/").argv[:-1], name)


@MANY
@given(HOSTILE, HOSTILE)
def test_a_property_is_one_argument_or_refused(name: str, value: str) -> None:
    install = MsiInstall(product_code=CODE, properties={"A": value, name or "B": "1"})
    argv = install_command(install, FILE, "/").argv
    assert len(argv) == 5 + len(install.properties)
    assert argv[:5] == install_command(MSI, FILE, "/").argv[:5]
    try:
        check_install(install)
    except RecipeError:
        return
    assert not any(sign in argument for argument in argv[5:] for sign in ' "\t\r\n')


@MANY
@given(HOSTILE)
def test_a_product_code_and_a_unit_are_one_argument_or_refused(text: str) -> None:
    undo = rollback_command(MsiInstall(product_code=text), FILE, None, "/")
    assert undo is not None
    assert undo.argv == (SYSTEM32 + "msiexec.exe", "/x", text, "/qn", "/norestart")
    with pytest.raises(RecipeError):  # none of these is a product code
        check_install(MsiInstall(product_code=text))
    for windows in (False, True):
        command = check_command(UnitCheck(unit=text), "/", windows=windows)
        assert command is not None
        assert command.argv[-1] == text
        assert command.argv[:-1] in {("/usr/bin/systemctl", "is-active", "--"), (SYSTEM32 + "sc.exe", "query")}
    try:
        check_checks("detect", (UnitCheck(unit=text),))
    except RecipeError:
        return
    assert not text.startswith(("-", "/"))


@MANY
@given(st.integers(1, 99_999_999))
def test_an_update_s_number_is_digits(kb: int) -> None:
    undo = rollback_command(MsuInstall(kb=kb), FILE, None, "/")
    assert undo is not None
    assert undo.argv[2].removeprefix("/kb:").isdigit()


@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="there is no /bin/sh")
def test_children_get_the_arguments_as_they_are(tmp_path: Path) -> None:
    tell = tmp_path / "tell.py"
    tell.write_text("import json, os, sys\nprint(json.dumps([os.fsencode(a).hex() for a in sys.argv[1:]]))\n")
    script = tmp_path / "script"
    script.write_text(f'exec {sys.executable} -I {tell} "$@"\n')

    @settings(max_examples=8, deadline=None)
    @given(st.lists(HOSTILE, min_size=25, max_size=50))
    def each(arguments: list[str]) -> None:
        for interpreter, file in (("sh", script), ("bash", script), ("python3", tell)):
            command = install_command(
                ScriptInstall(interpreter=interpreter, arguments=tuple(arguments)),  # type: ignore[arg-type]
                str(file),
                "/",
            )
            if Path(command.argv[0]).exists():
                told = subprocess.run(command.argv, check=True, capture_output=True).stdout
                assert json.loads(told) == [os.fsencode(argument).hex() for argument in arguments]

    each()


def test_every_program_is_absolute() -> None:
    for command in command_lines._INTERPRETERS.values():
        assert command[0].startswith(("/", "C:\\"))


def test_going_back_on_purpose_is_said_to_dpkg_and_rpm_and_proven_exactly() -> None:
    deb, rpm = (install_command(one, FILE, "/", downgrade=True).argv for one in (DEB, RPM))
    assert deb == (*KEEP, "--force-downgrade", "--install", "--", FILE)
    assert rpm == ("/usr/bin/rpm", "--upgrade", "--oldpackage", "--replacepkgs", "--", FILE)
    assert install_command(MSI, FILE, "/", downgrade=True) == install_command(MSI, FILE, "/")
    for downgrade in (True, False):
        (check,) = default_checks(replace(manifest("1", DEB), downgrade=downgrade))
        assert isinstance(check, DerivedCheck)
        assert check.exact == downgrade


def test_kernels_are_installed_beside_each_other_and_removed_by_their_exact_name() -> None:
    beside = install_command(RPM, FILE, "/", beside=True).argv
    assert beside == ("/usr/bin/rpm", "--install", "--replacepkgs", "--", FILE)
    for install, last in ((RPM, "kernel-6.1-1.x86_64"), (DEB, "kernel-6.1-1.x86_64")):
        undo = rollback_command(install, FILE, None, "/", package="kernel-6.1-1.x86_64")
        assert undo is not None
        assert undo.argv[-2:] == ("--", last)


def test_busy_codes_are_the_kind_s_own_and_the_recipe_s() -> None:
    assert install_command(MSI, FILE, "/").busy_codes == (1618, 0x80240016)
    assert install_command(replace(MSI, busy_codes=(1500,)), FILE, "/").busy_codes == (1618, 0x80240016, 1500)
    assert install_command(MSU, FILE, "/").busy_codes == (1618, 0x80240016)
    assert install_command(EXE, FILE, "/").busy_codes == (1618,)
    assert install_command(replace(SCRIPT, busy_codes=(75,)), FILE, "/").busy_codes == (75,)
    undo = rollback_command(replace(SCRIPT, busy_codes=(75,)), FILE, None, "/")
    assert undo is not None
    assert undo.busy_codes == (75,), "a way back waits too"


@pytest.mark.parametrize("busy", [(0,), (7,)])
def test_a_code_means_one_thing(busy: tuple[int, ...]) -> None:
    with pytest.raises(RecipeError, match=f"busy_codes: {busy[0]} means success too"):
        check_install(replace(SCRIPT, busy_codes=busy))


def test_a_package_s_file_and_a_package_s_selection_are_asked_for() -> None:
    assert file_query(DEB, FILE).argv == (
        "/usr/bin/dpkg-deb", "--show", "--showformat=${Package} ${Version} ${Architecture}\\n", FILE
    )  # fmt: skip
    assert file_query(RPM, FILE).argv[:3] == ("/usr/bin/rpm", "--query", "--package")
    assert file_query(RPM, FILE).argv[-2:] == ("--", FILE)
    assert selection_query("acme", "/r").argv[-2:] == ("--", "acme")
    wanted = selection_command("acme", "hold", "/r")
    assert (wanted.argv, wanted.given) == (("/usr/bin/dpkg", "--root=/r", "--set-selections"), b"acme hold\n")


@pytest.mark.parametrize(
    ("patch", "said", "own", "downgrade", "wanted"),
    [
        ("2.0", "", None, False, DerivedCheck(name="acme", at_least="2.0")),
        ("2.0", "1:2.0-3", None, False, DerivedCheck(name="acme", at_least="1:2.0-3", own=True)),
        ("2.0", "1:2.0-3", ("lib", "1:2.0-3"), False, DerivedCheck(name="lib", at_least="1:2.0-3", own=True)),
        ("2.0", "", ("acme", "2.0"), False, DerivedCheck(name="acme", at_least="2.0")),
        ("2.0", "", ("lib", "1:2.0"), False, DerivedCheck(name="lib", at_least="1:2.0", own=True)),
        ("3.0", "", ("acme", "1.0"), False, DerivedCheck(name="acme", at_least="3.0")),
        ("3.0", "", ("acme", "1.0"), True, DerivedCheck(name="acme", at_least="1.0", exact=True, own=True)),
        ("3.0", "1.0", None, True, DerivedCheck(name="acme", at_least="1.0", exact=True, own=True)),
    ],
)
def test_which_package_proves_it(
    patch: str, said: str, own: tuple[str, str] | None, downgrade: bool, wanted: DerivedCheck
) -> None:
    made = replace(manifest(patch, replace(DEB, version=said)), downgrade=downgrade)
    assert default_checks(made, own) == (wanted,)


def test_the_supervisor_of_an_upgrade_is_no_part_of_the_daemon_s_unit() -> None:
    place = ("/usr/bin/python3", "/home/upgrade/supervisor.pyz", "/home/upgrade", "p2pdist-upgrade-7-install-ab")
    run = ("/usr/bin/python3", "-I", "-S", "/home/upgrade/supervisor.pyz", "/home/upgrade")
    by_systemd = supervisor_command(*place, systemd=True).argv
    assert by_systemd[0] == "/usr/bin/systemd-run"
    assert by_systemd[by_systemd.index("--") + 1 :] == run
    assert {"--unit=p2pdist-upgrade-7-install-ab", "--property=KillMode=process"} <= set(by_systemd)
    assert supervisor_command(*place, systemd=False).argv == (*run, "--detach")

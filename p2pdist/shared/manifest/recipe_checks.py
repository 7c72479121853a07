"""What is wrong with a recipe beyond its types: for publishers, and for PCs, which carry nothing else out. Pure."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from p2pdist.shared.manifest.expression import PACKAGE_NAME
from p2pdist.shared.manifest.places import is_no_application_s
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    Check,
    CommandCheck,
    DebInstall,
    ExeInstall,
    FileCheck,
    Install,
    MsiInstall,
    PackageCheck,
    RpmInstall,
    ScheduleRules,
    ScriptInstall,
    self_upgrade_of,
)
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version
from p2pdist.shared.manifest.windows import parse_window

YEARS = range(2000, 3000)  # for scheduled times: adding grace or a time zone must not pass the year 9999

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
    if (own := self_upgrade_of(install)) is not None and own.restart is not None:
        check_path(f"{where}, self_upgrade, restart", own.restart[0])
        _check_arguments(f"{where}, self_upgrade, restart", own.restart)
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

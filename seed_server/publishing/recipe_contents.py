"""Compares a recipe with what is in its files, and fills in what it leaves out. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from p2pdist.shared.identifiers import InvalidIdentifierError, parse_patch_version
from p2pdist.shared.manifest.recipe import DebInstall, Install, MsiInstall, PackageCheck, RpmInstall
from p2pdist.shared.manifest.versions import InvalidVersionError, parse_version
from seed_server.publishing.archive_contents import archive_problems
from seed_server.publishing.contents import (
    ArchiveContents,
    Contents,
    MsiContents,
    PackageContents,
    ScriptContents,
)
from seed_server.publishing.recipe import PayloadFile, Recipe, RecipeProblem

_UNREADABLE = "\ufffd"  # stands in a product's name for what is no character of its code page
_FOREIGN = "x86"  # 32-bit packages are installed on 64-bit PCs as well, so they do not narrow down the PCs


@dataclass(frozen=True)
class Looked:
    """What was found in the payloads; None: it was not looked into."""

    contents: Sequence[Contents | None]

    @property
    def packages(self) -> Mapping[int, PackageContents]:
        """The packages by the number of their payload, from 1."""
        found = enumerate(self.contents, 1)
        return {number: one for number, one in found if isinstance(one, PackageContents)}


def filled(recipe: Recipe, looked: Looked) -> Recipe:
    """Return the recipe with what it leaves out, and its files say: name, version, architecture, product code."""
    packages = looked.packages
    if not packages:
        return recipe
    first = next(iter(packages.values()))
    payload = tuple(
        replace(one, arch=one.arch or _narrowed(packages.get(number))) for number, one in enumerate(recipe.payload, 1)
    )
    version = recipe.version or _patch_version(first.version)
    recipe = replace(recipe, version=version, payload=payload, install=_filled_install(recipe.install, first))
    if isinstance(first, MsiContents) and not recipe.detect and _UNREADABLE not in first.name:
        recipe = replace(recipe, detect=(PackageCheck(name=first.name, at_least=first.version),))
    return recipe


def _filled_install(install: Install | None, first: PackageContents) -> Install | None:
    if isinstance(install, DebInstall | RpmInstall):
        return replace(install, package=install.package or first.name, version=install.version or first.version)
    if isinstance(install, MsiInstall) and isinstance(first, MsiContents):
        return replace(install, product_code=install.product_code or first.product_code)
    return install


def _narrowed(package: PackageContents | None) -> str:
    return "" if package is None or package.arch == _FOREIGN else package.arch


def _patch_version(version: str) -> str:
    """Return a package's version as a patch's, which has no epoch; empty: it cannot be one."""
    plain = _without_epoch(version)
    try:
        return parse_patch_version(plain)
    except InvalidIdentifierError:
        return ""


def content_problems(recipe: Recipe, looked: Looked) -> list[RecipeProblem]:
    """Return where the recipe says otherwise than its files, and what may surprise; ``recipe`` is `filled`."""
    return list(_problems(recipe, looked))


def _problems(recipe: Recipe, looked: Looked) -> Iterator[RecipeProblem]:
    packages = looked.packages
    for number, package in packages.items():
        yield from _of_package(recipe, number, package)
    for first in list(packages.values())[:1]:
        yield from _of_version(recipe, first)
        yield from _of_detection(recipe, first)
    for number, one in enumerate(looked.contents, 1):
        payload = recipe.payload[number - 1]
        if isinstance(one, ArchiveContents):
            yield from archive_problems(recipe, number, payload.file_name, one)
        if isinstance(one, ArchiveContents | ScriptContents):
            for doubt in one.doubts:
                yield RecipeProblem(f"payload {number}", f"{payload.file_name}: {doubt}", level="warning")


def _of_package(recipe: Recipe, number: int, package: PackageContents) -> Iterator[RecipeProblem]:
    payload, install = recipe.payload[number - 1], recipe.install
    if isinstance(install, DebInstall | RpmInstall):
        key = f"install ({install.__struct_config__.tag})"
        if install.package != package.name:
            yield _otherwise(f"{key}, package", install.package, payload, package.name)
        if install.version != package.version and number == 1:
            yield _otherwise(f"{key}, version", install.version, payload, package.version)
        elif install.version != package.version and not recipe.detect:
            yield RecipeProblem(
                f"payload {number}, file",
                f"payload {number}, file: it brings {package.version}, and payload 1 {install.version}: "
                "one of them would not be detected. Make two patches, or write a [[detect]] that holds with both",
            )
    if isinstance(install, MsiInstall) and isinstance(package, MsiContents):  # noqa: SIM102 - mypy follows it so
        if install.product_code.upper() != package.product_code:
            yield _otherwise("install (msi), product_code", install.product_code, payload, package.product_code)
    if payload.arch and package.arch and payload.arch != package.arch and not _runs_too(payload, package):
        yield _otherwise(f"payload {number}, arch", payload.arch, payload, package.arch)


def _runs_too(payload: PayloadFile, package: PackageContents) -> bool:
    return package.arch == _FOREIGN and payload.arch == "amd64"


def _otherwise(where: str, said: str, payload: PayloadFile, found: str) -> RecipeProblem:
    key = where.rsplit(", ", 1)[-1]
    return RecipeProblem(where, f"{where}: the recipe says {said!r}, and in {payload.file_name} {key} is {found}")


def _of_version(recipe: Recipe, package: PackageContents) -> Iterator[RecipeProblem]:
    plain = _without_epoch(package.version)
    if not recipe.version or recipe.version in _labels(plain) or recipe.downgrade:
        return
    text = f"version: the recipe says {recipe.version!r}, and the file brings {package.version}; write {plain!r}"
    if isinstance(package, MsiContents):  # products are often called otherwise than their packages
        yield RecipeProblem("version", text, level="warning")
    else:
        yield RecipeProblem("version", f"{text}; or add downgrade = true where PCs go back to it on purpose")


def _labels(plain: str) -> tuple[str, ...]:
    """Return what a patch that brings a package of this version may be called: with its revision, or without."""
    return plain, plain.rpartition("-")[0] or plain


def _of_detection(recipe: Recipe, package: PackageContents) -> Iterator[RecipeProblem]:
    """Yield checks that never hold after the installation, or hold before it."""
    for number, check in enumerate(recipe.detect, 1):
        if not isinstance(check, PackageCheck) or check.name != package.name:
            continue
        where = f"detect {number}, at_least"
        try:
            wanted, brought = (parse_version(text, package.ecosystem) for text in (check.at_least, package.version))
        except InvalidVersionError as error:
            yield RecipeProblem(where, f"{where}: {error}")
            continue
        if wanted > brought:
            yield RecipeProblem(
                where,
                f"{where}: the file brings {package.version}, so {check.at_least} would never be there",
            )
        elif ":" in package.version and ":" not in check.at_least:
            yield RecipeProblem(
                where,
                f"{where}: the package has an epoch, and every version with one is later than {check.at_least}: "
                f"write {package.version!r}",
            )


def _without_epoch(version: str) -> str:
    epoch, colon, rest = version.partition(":")
    return rest if colon and epoch.isdecimal() else version

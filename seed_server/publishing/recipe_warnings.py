"""Warnings about a recipe that may not do what the operator meant. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from p2pdist.shared.manifest.facts import ARCHES, PLATFORMS
from p2pdist.shared.manifest.places import is_of_users
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    CommandCheck,
    DebInstall,
    ExeInstall,
    FileCheck,
    Install,
    PackageCheck,
    RpmInstall,
    ScriptInstall,
    self_upgrade_of,
)
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version
from seed_server.publishing.recipe import Recipe
from seed_server.publishing.schedule_doubts import schedule_doubts

_SUFFIXES = {
    "deb": (".deb",),
    "rpm": (".rpm",),
    "msi": (".msi",),
    "msu": (".msu",),
    "exe": (".exe",),
    "archive": (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".zip"),
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A warning. ``where`` is the recipe's key."""

    where: str
    text: str


def recipe_doubts(recipe: Recipe, now: float, is_read: Callable[..., bool] = lambda *_path: True) -> list[Doubt]:
    """Return the doubts about a recipe, which may have errors as well. ``now`` is in seconds since 1970.

    ``is_read`` is given the path of a key, and says whether what ``recipe`` has there is what its file says.
    """
    found = [
        *_of_gaps(recipe, is_read),
        *_of_variants(recipe),
        *_of_installation(recipe, is_read),
        *_of_places(recipe),
        *(_of_checks(recipe) if is_read("install") else ()),
        *_of_direction(recipe),
        *schedule_doubts(recipe, now, is_read),
    ]
    return [Doubt(where, f"{where}: {text}") for where, text in found]


def _of_gaps(recipe: Recipe, is_read: Callable[..., bool]) -> Iterator[tuple[str, str]]:
    for key, what in (
        ("patch_id", "it to publish with --patch-id"),
        ("version", "it to publish with --version"),
        ("payload", "the file to publish"),
    ):
        if not getattr(recipe, key) and is_read(key):
            yield key, f"none; give {what}"
    if recipe.install is None and is_read("install"):
        useless = [name for name in ("detect", "applies_to") if getattr(recipe, name)]
        for name in useless:
            yield name, "nothing is installed, the file is only delivered; add install"


def _of_variants(recipe: Recipe) -> Iterator[tuple[str, str]]:
    for number, payload in enumerate(recipe.payload, 1):
        for word, known in ((payload.platform, PLATFORMS), (payload.arch, ARCHES)):
            if word and word not in known:
                yield f"payload {number}", f"few PCs call themselves {word!r}; the usual words are {', '.join(known)}"


def _of_installation(recipe: Recipe, is_read: Callable[..., bool]) -> Iterator[tuple[str, str]]:
    install = recipe.install
    if install is None:
        return
    kind = str(install.__struct_config__.tag)
    for_all = not recipe.applies_to and not all(payload.platform for payload in recipe.payload)
    if for_all and is_read("applies_to"):
        yield "applies_to", f"none: every PC of the fleet would try this {kind}; say which ones"
    if is_read("detect"):
        yield from _of_own_detection(recipe, kind)
    if recipe.health is None and self_upgrade_of(install) is None and is_read("health"):
        yield "health", "none: what this breaks would not be noticed, nor rolled back"
    if is_read("install"):
        yield from _of_way_back(install)
    for number, payload in enumerate(recipe.payload, 1):
        suffixes = _SUFFIXES.get(kind, ()) if is_read("payload", number - 1) else ()
        if suffixes and not payload.file_name.lower().endswith(suffixes):
            yield f"payload {number}", f"{payload.file_name} does not look like {kind}: {', '.join(suffixes)}"


def _of_own_detection(recipe: Recipe, kind: str) -> Iterator[tuple[str, str]]:
    install = recipe.install
    ecosystem = {"deb": Ecosystem.DEB, "rpm": Ecosystem.RPM}.get(kind)
    known = isinstance(install, DebInstall | RpmInstall) and install.version  # the package's own, which is compared
    if ecosystem and not known and not recipe.detect and recipe.version and not _is_version(recipe.version, ecosystem):
        system = "Debian" if ecosystem is Ecosystem.DEB else "RPM"
        yield "detect", f"none, and {recipe.version!r} is no {system} version to be compared; add a package check"


def _of_way_back(install: Install) -> Iterator[tuple[str, str]]:
    if isinstance(install, ScriptInstall) and install.rollback_arguments is None:
        yield "install", "this script cannot be rolled back; add rollback_arguments"
    if isinstance(install, ExeInstall) and install.uninstall is None:
        yield "install", "this program cannot be rolled back; add uninstall"


def _of_places(recipe: Recipe) -> Iterator[tuple[str, str]]:
    install = recipe.install
    places = []
    if isinstance(install, ArchiveInstall):
        places.append(("install", install.directory))
    if isinstance(install, ExeInstall) and install.uninstall:
        places.append(("install", install.uninstall[0]))
    for where, checks in (("detect", recipe.detect), ("health", recipe.health.checks if recipe.health else ())):
        commands = ((number, check) for number, check in enumerate(checks, 1) if isinstance(check, CommandCheck))
        places += ((f"{where} {number}", check.command[0]) for number, check in commands)
    for where, path in places:
        if is_of_users(path):
            yield where, f"{path} is where users have files: a PC refuses what anybody but root could change there"


def _of_checks(recipe: Recipe) -> Iterator[tuple[str, str]]:
    install = recipe.install
    if not isinstance(install, ArchiveInstall):
        yield from _of_commands_without_output(recipe)
        return
    folder = install.directory.rstrip("/\\")
    zipped = any(payload.file_name.lower().endswith(".zip") for payload in recipe.payload)
    for where, checks in (("detect", recipe.detect), ("health", recipe.health.checks if recipe.health else ())):
        for number, check in enumerate(checks, 1):
            path = check.command[0] if isinstance(check, CommandCheck) else getattr(check, "path", "")
            inside = path.replace("\\", "/").startswith(folder.replace("\\", "/") + "/")
            below = path[len(folder) + 1 :].replace("\\", "/")
            if inside and not below.startswith("current/"):
                yield f"{where} {number}", f"{path} is not below {folder}/current, where the new version is found"
            elif inside and zipped and isinstance(check, CommandCheck) and path.startswith("/"):
                yield (
                    f"{where} {number}",
                    "a zip archive that was made on Windows does not say that a file may be run; a tar archive does",
                )


def _of_direction(recipe: Recipe) -> Iterator[tuple[str, str]]:
    for number, check in enumerate(recipe.detect if recipe.downgrade else (), 1):
        if isinstance(check, PackageCheck):
            yield (
                f"detect {number}",
                "a later version is enough for it, so a PC that has one would not go back; compare a file or an output",
            )


def _of_commands_without_output(recipe: Recipe) -> Iterator[tuple[str, str]]:
    if isinstance(recipe.install, DebInstall | RpmInstall) or len(recipe.detect) != 1:
        return
    check = recipe.detect[0]
    if isinstance(check, CommandCheck) and not check.output:
        yield "detect 1", "a command that only has to end well often does so with the old version too; expect an output"
    if isinstance(check, FileCheck) and check.sha256 is None:
        yield "detect 1", "a file of any content is often there with the old version too; add its sha256"


def _is_version(text: str, ecosystem: Ecosystem) -> bool:
    try:
        parse_version(text, ecosystem)
    except InvalidVersionError:
        return False
    return True

"""Compares a recipe with the tree in its archive: what is detected afterwards must be there. Pure."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from p2pdist.shared.archive_members import MAX_FOLLOWED_LINKS
from p2pdist.shared.identifiers import file_name_problem
from p2pdist.shared.manifest.recipe import ArchiveInstall, CommandCheck, FileCheck
from seed_server.publishing.contents import ArchiveContents, ArchivedFile
from seed_server.publishing.recipe import Level, Recipe, RecipeProblem

MAX_STRIPPED = 8  # as the recipe's type has it
MAX_COMPARED = 10_000  # names, to find the nearest

FileOrCommand: TypeAlias = FileCheck | CommandCheck


def wanted_hashes(recipe: Recipe) -> frozenset[str]:
    """Return the paths, in the unpacked tree, of the files whose content a check compares."""
    checked = _checked(recipe)
    return frozenset(path for _, path, check in checked if isinstance(check, FileCheck) and check.sha256)


def archive_problems(recipe: Recipe, number: int, name: str, tree: ArchiveContents) -> Iterator[RecipeProblem]:
    """Yield what is wrong with the archive in payload ``number``, whose file has this ``name``, for this recipe."""
    install = recipe.install
    if not isinstance(install, ArchiveInstall):
        return
    where = f"payload {number}, file"
    windows = install.directory[1:2] == ":"
    unpacked, problem = _unpacked(tree, install.strip_components, windows=windows)
    problem = problem or _unfit_name(tree, windows=windows)
    if problem:
        yield RecipeProblem(where, f"{where}: {name}: {problem}")
        return
    checked = [(place, path, check, unpacked.find(path)) for place, path, check in _checked(recipe)]
    missing = [(place, path) for place, path, _, file in checked if file is None]
    better = _better_strip(tree, [path for _, path in missing], install.strip_components, windows=windows)
    if missing and better is not None:
        strip = "install (archive), strip_components"
        yield RecipeProblem(
            strip, f"{strip}: {missing[0][1]} is in {name} under another path; write strip_components = {better}"
        )
        return
    for place, path in missing:
        nearest = difflib.get_close_matches(path, sorted(unpacked.files)[:MAX_COMPARED], n=1, cutoff=0.5)
        hint = f"; the nearest is {nearest[0]}" if nearest else ""
        # the application may make a file by itself before its health is looked at, but not before it is detected
        level: Level = "warning" if place.startswith("health") else "error"
        yield RecipeProblem(place, f"{place}: there is no {path} in {name}{hint}", level=level)
    for place, path, check, file in checked:
        if file is not None:
            yield from _of_file(place, path, check, file, windows=windows)
    if not checked and not install.strip_components and (top := tree.top()):
        strip = "install (archive), strip_components"
        yield RecipeProblem(
            strip,
            f"{strip}: all of {name} is in its folder {top}, so programs will be in "
            f"{install.directory}/current/{top}; strip_components = 1 leaves that out",
            level="warning",
        )


def _of_file(
    place: str, path: str, check: FileOrCommand, file: ArchivedFile, *, windows: bool
) -> Iterator[RecipeProblem]:
    if isinstance(check, FileCheck):
        if check.sha256 and file.sha256 and check.sha256 != file.sha256:
            yield RecipeProblem(
                place, f"{place}: its sha256 is another than that of {path} in the archive: {file.sha256}"
            )
    elif not file.executable and not windows:
        yield RecipeProblem(
            place,
            f"{place}: {path} may not be run: the archive does not say that it is a program. Zip archives that were "
            "made on Windows never do; make a tar archive on Linux, with chmod +x before",
        )


def _checked(recipe: Recipe) -> Iterator[tuple[str, str, FileOrCommand]]:
    """Yield the checks of files below the installed tree: their place, and the path in it."""
    install = recipe.install
    if not isinstance(install, ArchiveInstall):
        return
    current = _plain(f"{install.directory}/current/")
    for where, checks in (("detect", recipe.detect), ("health", recipe.health.checks if recipe.health else ())):
        for number, check in enumerate(checks, 1):
            if isinstance(check, CommandCheck | FileCheck):
                path = _plain(check.path if isinstance(check, FileCheck) else check.command[0])
                if path.startswith(current):
                    yield f"{where} {number}", path.removeprefix(current), check


def _plain(path: str) -> str:
    """Return a path of a PC with one ``/`` between its parts."""
    return "/".join(part for part in path.replace("\\", "/").split("/") if part != ".").replace("//", "/")


@dataclass(frozen=True)
class _Unpacked:
    """The tree as it will be on a PC."""

    files: Mapping[str, ArchivedFile]
    links: Mapping[str, str]

    def find(self, path: str) -> ArchivedFile | None:
        """Return the file that ``path`` leads to, through links as well."""
        here: list[str] = []
        rest = path.split("/")[::-1]
        followed = 0
        while rest and followed <= MAX_FOLLOWED_LINKS:
            part = rest.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                here = here[:-1]
                continue
            target = self.links.get("/".join((*here, part)))
            if target is None:
                here.append(part)
            else:
                followed += 1
                rest += target.split("/")[::-1]
        return self.files.get("/".join(here))


def _unpacked(tree: ArchiveContents, strip: int, *, windows: bool) -> tuple[_Unpacked, str]:
    """Return the tree without its first ``strip`` folders, and what is wrong with that."""
    files: dict[str, ArchivedFile] = {}
    links: dict[str, str] = {}
    twice = ""
    for path, file in tree.files.items():
        plain = path.replace("\\", "/") if windows else path
        name = "/".join(plain.split("/")[strip:])
        twice = twice or (name if name in files else "")
        if name:
            files[name] = file
    for path, target in tree.links.items():
        if name := "/".join(path.split("/")[strip:]):
            links[name] = target
    unpacked = _Unpacked(files, links)
    if twice:
        return unpacked, f"without its first {strip} folders two members have the name {twice}"
    if not files and not links:
        return unpacked, f"strip_components = {strip} leaves nothing of it"
    return unpacked, ""


def _better_strip(tree: ArchiveContents, missing: list[str], strip: int, *, windows: bool) -> int | None:
    """Return the number of folders to strip with which all that is missing is there; None: none."""
    for other in (number for number in range(MAX_STRIPPED + 1) if number != strip):
        unpacked, problem = _unpacked(tree, other, windows=windows)
        if missing and not problem and all(unpacked.find(path) for path in missing):
            return other
    return None


def _unfit_name(tree: ArchiveContents, *, windows: bool) -> str:
    """Return the first name in the archive that a PC cannot have, or would take for another one."""
    seen: dict[str, str] = {}
    for path in (*tree.files, *tree.links):
        if not windows and tree.is_zip and "\\" in path:
            return (
                f"its members have \\ between their folders, as in {path[:80]!r}; elsewhere than on Windows each "
                "becomes one file of that name: pack it anew, by 7-Zip or as .tar.gz"
            )
        if windows:
            plain = path.replace("\\", "/") if tree.is_zip else path
            for part in plain.split("/"):
                if not part.startswith(".") and (problem := file_name_problem(part)):
                    return f"Windows cannot have the member {path[:80]!r}: {problem}"
            other = seen.setdefault(plain.casefold(), path)
            if other != path:
                return f"{path[:80]!r} and {other[:80]!r} are one file on Windows"
    return ""

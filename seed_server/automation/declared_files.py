"""Reads a directory with the settings of a fleet: few files, of bounded size, and none outside of it. Blocking."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from p2pdist.shared.capped_files import read_given_text
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.site_profile import MAX_PROFILE_BYTES
from p2pdist.shared.manifest.template import MAX_TEMPLATE_BYTES, MAX_TEMPLATES
from p2pdist.shared.printable_text import printable
from seed_server.automation.declared_layout import (
    ENDING,
    FOLDERS,
    PEOPLE_FILE,
    PROFILES_FOLDER,
    SETTINGS_FILE,
    SITES_FILE,
    TEMPLATES_FOLDER,
    is_passed_over,
)
from seed_server.fleet.names import hint_of
from seed_server.line.site_map import MAX_SITES
from seed_server.line.site_map_file import MAX_SITES_BYTES
from seed_server.settings.server_toml import MAX_SETTINGS_BYTES

MAX_PEOPLE_BYTES = 1 << 20  # a thousand accounts with a scope of some sites each
MAX_DECLARED_FILES = MAX_SITES + MAX_TEMPLATES + 100  # a profile for every site, and a few files of a repository
MAX_DECLARED_BYTES = 64 << 20  # profiles of six kilobytes for every site; all are in memory at once
MAX_SHOWN_PATH_CHARS = 80  # of one that is no file's
_BEGINS_FILE = re.compile(r"# file: *(\S[^\r\n]*)")
_CAPS = {SITES_FILE: MAX_SITES_BYTES, PEOPLE_FILE: MAX_PEOPLE_BYTES, SETTINGS_FILE: MAX_SETTINGS_BYTES}
_FOLDER_CAPS = {PROFILES_FOLDER: MAX_PROFILE_BYTES, TEMPLATES_FOLDER: MAX_TEMPLATE_BYTES}


@dataclass
class DeclaredFiles:
    """The texts in a directory, by their paths in it, with ``/`` between folder and name."""

    texts: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    """Those that are there, also when they are empty."""
    problems: list[str] = field(default_factory=list)
    """What is wrong with files, each with its path."""
    chars: int = 0
    """Of all texts."""

    def below(self, folder: str) -> dict[str, str]:
        """Return the texts in one folder, by their paths, sorted."""
        return {path: text for path, text in sorted(self.texts.items()) if path.startswith(f"{folder}/")}


def read_directory(directory: Path) -> DeclaredFiles:
    """Return what stands in ``directory``; what is wrong with single files is in ``problems``.

    A link is followed within the directory alone. Raises `UserError` (BAD_INPUT) for a directory that cannot be read,
    with more than `MAX_DECLARED_FILES` files, or with more than `MAX_DECLARED_BYTES` in them.
    """
    found = DeclaredFiles()
    try:
        root = directory.resolve(strict=True)
        for path, name in _entries(root):
            _take(found, root, path, name)
    except OSError as error:
        where = error.filename or directory
        raise UserError(f"Cannot read {where}: {error.strerror}. Check the path.", FaultKind.BAD_INPUT) from error
    if not found.texts and not found.folders and not found.problems:
        raise UserError(
            f"{directory} has none of the files that say how a fleet is to be: {', '.join(_CAPS)}, "
            f"{'/, '.join(FOLDERS)}/. 'seed-server apply --export' writes them.",
            FaultKind.BAD_INPUT,
        )
    return found


def files_in_text(text: str, name: str) -> DeclaredFiles:
    """Return what stands in one text: the file ``name``, and each that a line ``# file: NAME`` begins.

    What is wrong with single files is in ``problems``. Raises `UserError` (BAD_INPUT) for more than
    `MAX_DECLARED_FILES`.
    """
    found, path, lines = DeclaredFiles(), name.strip(), list[str]()
    for line in text.splitlines(keepends=True):
        if (begins := _BEGINS_FILE.match(line)) is None:
            lines.append(line)
            continue
        _take_text(found, path, "".join(lines))
        path, lines = begins[1].strip(), []
    _take_text(found, path, "".join(lines))
    return found


def _take_text(found: DeclaredFiles, path: str, text: str) -> None:
    if not path and not text.strip():  # what stands above the first file
        return
    folder, _, short = path.rpartition("/")
    shown, cap = printable(path[:MAX_SHOWN_PATH_CHARS]), _cap(folder, short) if folder in {"", *FOLDERS} else None
    if not path:
        found.problems.append("The text does not say of which file it is. Name it, or write '# file: NAME' above it.")
    elif cap is None:
        hint = hint_of(path, _CAPS if not folder else ())
        found.problems.append(f"{shown}: nothing is read from a file of this name.{hint} Rename or remove it.")
    elif path in found.texts:
        found.problems.append(f"{shown} is there twice; remove one.")
    elif len(text.encode()) > cap:
        found.problems.append(f"{shown} is over {cap} bytes: shorten it.")
    elif len(found.texts) >= MAX_DECLARED_FILES:
        raise UserError(f"The text has more than {MAX_DECLARED_FILES} files.", FaultKind.BAD_INPUT)
    else:
        found.texts[path] = text
        found.chars += len(text)
        if folder:
            found.folders.add(folder)


def _entries(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the entries of the directory and its folders, each with its name in it. Raises `OSError`, `UserError`."""
    count = 0
    for folder in ("", *FOLDERS):
        if folder and not (root / folder).is_dir():
            continue
        if folder and not _within(root, root / folder):
            continue  # it was told as an entry of the directory
        with os.scandir(root / folder) as entries:
            for entry in entries:
                count += 1
                if count > MAX_DECLARED_FILES:
                    raise UserError(
                        f"{root} has more than {MAX_DECLARED_FILES} files. Is it the right one?", FaultKind.BAD_INPUT
                    )
                yield Path(entry.path), f"{folder}/{entry.name}" if folder else entry.name


def _take(found: DeclaredFiles, root: Path, path: Path, name: str) -> None:
    folder, _, short = name.rpartition("/")
    if is_passed_over(short):
        return
    shown = printable(name)
    if not _within(root, path):
        found.problems.append(f"{shown}: it is a link that leads out of the directory, or nowhere. Put a file there.")
    elif not folder and name in FOLDERS:
        if path.is_dir():
            found.folders.add(name)
        else:
            found.problems.append(f"{shown}: it is no folder. Make one, with a file for each.")
    elif (cap := _cap(folder, short)) is None:
        hint = hint_of(name, _CAPS if not folder else ())
        found.problems.append(f"{shown}: nothing is read from a file of this name.{hint} Rename or remove it.")
    elif not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
        found.problems.append(f"{shown}: it is no file. Remove it.")
    else:
        _read(found, path, name, cap)


def _cap(folder: str, name: str) -> int | None:
    return _FOLDER_CAPS[folder] if folder and name.endswith(ENDING) else _CAPS.get(name) if not folder else None


def _within(root: Path, path: Path) -> bool:
    try:
        return path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):  # it leads nowhere, or in a circle
        return False


def _read(found: DeclaredFiles, path: Path, name: str, cap: int) -> None:
    try:
        text = read_given_text("settings", path, cap, "shorten it.")
    except UserError as error:
        found.problems.append(error.message)
        return
    found.texts[name] = text
    found.chars += len(text)
    if found.chars > MAX_DECLARED_BYTES:
        raise UserError(f"The files have more than {MAX_DECLARED_BYTES} bytes together.", FaultKind.BAD_INPUT)

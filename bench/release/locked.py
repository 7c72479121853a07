"""What of ``requirements.lock`` an installation with some extras needs, with its hashes."""

import importlib.metadata
import re
import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ENTRY = re.compile(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==\S+(?: \\\n {4}\S+)*$", re.MULTILINE)


def needed_names(pyproject: Path, extras: Collection[str] = ()) -> set[str]:
    """Return the distributions that the project with ``extras`` brings, by the metadata of those installed here."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    listed = [*project["dependencies"], *(text for extra in extras for text in project["optional-dependencies"][extra])]
    return closure(wanted for wanted in map(Requirement, listed) if wanted.marker is None or wanted.marker.evaluate())


def closure(requirements: Iterable[Requirement]) -> set[str]:
    """Return the distributions that these requirements bring, on this system."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = list(requirements)
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in found:
            continue
        found.add(key)
        for text in importlib.metadata.requires(wanted.name) or []:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in [*wanted.extras, ""]):
                waiting.append(needed)
    return {name for name, _ in found}


def locked_subset(lock: Path, names: Collection[str]) -> str:
    """Return the entries of ``lock`` for ``names``. Raises `LookupError` for one that is not locked."""
    entries = {
        str(canonicalize_name(found[1])): found[0] for found in _ENTRY.finditer(lock.read_text(encoding="utf-8"))
    }
    missing = sorted(set(names) - entries.keys())
    if missing:
        raise LookupError(f"{lock.name} does not have {', '.join(missing)}: run make lock.")
    return "".join(f"{entries[name]}\n" for name in sorted(names))

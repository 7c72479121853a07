"""Reads what a path lies on out of Linux's table of mounts."""

from dataclasses import dataclass
from pathlib import PurePosixPath

_ESCAPES = {r"\040": " ", r"\011": "\t", r"\012": "\n", r"\134": "\\"}


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the table."""

    at: PurePosixPath
    kind: str
    options: frozenset[str]


def mounts_in(text: str) -> list[Mount]:
    """Return the mounts in the text of ``/proc/self/mountinfo``, see proc(5); other lines are left out."""
    found = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, kinds = left.split(" "), right.split(" ")
        if len(fields) >= 6 and kinds[0]:
            at = fields[4]
            for escape, sign in _ESCAPES.items():
                at = at.replace(escape, sign)
            options = {*fields[5].split(","), *(kinds[2].split(",") if len(kinds) > 2 else ())}
            found.append(Mount(PurePosixPath(at), kinds[0], frozenset(options)))
    return found


def mount_of(path: PurePosixPath, mounts: list[Mount]) -> Mount | None:
    """Return the mount that ``path``, absolute and without links, lies on: the innermost, and there the last one."""
    holding = [mount for mount in mounts if path.is_relative_to(mount.at)]
    deepest = max((len(mount.at.parts) for mount in holding), default=0)
    return next((mount for mount in reversed(holding) if len(mount.at.parts) == deepest), None)

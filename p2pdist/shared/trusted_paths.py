"""Places that nobody but the superuser (or this process's user) can change, and paths to them of which the same holds.

A process of the superuser's must not write where somebody else can swap a directory for a link, nor run a program
that somebody else can replace. So each component of a path is opened from the one before it, and its owner and mode
are looked at through the descriptor, as sshd does (StrictModes). A link is followed where it is trusted itself.
Blocking.
"""

import os
import re
import stat
from pathlib import Path
from typing import Self

from p2pdist.shared.folder import Folder
from p2pdist.shared.ownership import distrust

WHOLE_SYSTEM = Path("/")
MAX_LINKS = 40  # in one path, as in Linux
MAX_INTERPRETERS = 5  # a script's interpreter may be a script; Linux follows as many
_MAX_FIRST_LINE_BYTES = 256  # Linux reads no more of a script to find its interpreter
_INTERPRETER = re.compile(rb"#![ \t]*([^ \t\n\0]+)")
_PUBLIC = 0o755


class UntrustedPathError(Exception):
    """Somebody else can change what is there. The message is for people, and says how to mend it."""


def open_directory(
    root: Path, path: str, *, create: bool = False, mode: int = _PUBLIC, sticky_is_enough: bool = False
) -> Folder:
    """Open the directory ``path`` below ``root``, after a look at each component, those of ``root`` included.

    ``create`` makes what is missing, with this ``mode``. ``sticky_is_enough``: see `distrust`; for what leads to a
    ``root`` it always is. Raises `UntrustedPathError`, `OSError`.
    """
    with _Walk(root, path, create=create, mode=mode, sticky_is_enough=sticky_is_enough) as walk:
        walk.go(path)
        return walk.here.child(".")


def check_program(root: Path, path: str) -> None:
    """Look at each component of the path to a program, at the program, and at its interpreter if it is a script.

    Raises `UntrustedPathError`, `OSError`.
    """
    for _ in range(MAX_INTERPRETERS):
        with _Walk(root, path) as walk:
            interpreter = walk.program(path)
        if interpreter is None:
            return
        root, path = WHOLE_SYSTEM, interpreter
    raise UntrustedPathError(f"{path} is the interpreter of an interpreter of an interpreter: too many to look at")


class _Walk:
    """Goes to a root, then down a path from there, one component at a time; ``here`` is where it is."""

    def __init__(
        self, root: Path, path: str, *, create: bool = False, mode: int = _PUBLIC, sticky_is_enough: bool = False
    ) -> None:
        self._root = root
        self._create = create
        self._mode = mode
        self._sticky_is_enough = sticky_is_enough
        self._links_left = MAX_LINKS
        # on Windows there is a root of the system for each drive
        self.here = Folder.open(Path(Path(path if root == WHOLE_SYSTEM else root).anchor))

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.here.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.here.close()

    def _begin(self) -> None:
        self._look(self.here)
        if self._root != WHOLE_SYSTEM:
            wanted, self._sticky_is_enough = self._sticky_is_enough, True
            self.go(str(self._root))
            self._sticky_is_enough = wanted
            self._look(self.here)

    def go(self, path: str) -> None:
        """Enter all directories of ``path``."""
        rest = _parts(path)
        while rest:
            name = rest.pop()
            target = self.here.read_link(name)
            if target is not None:
                rest += self._followed(name, target)
                continue
            if self._create and not self.here.has(name):
                self._make(name)
            self._enter(self.here.child(name, to_pass=True))

    def program(self, path: str) -> str | None:
        """Look at the program at ``path``; return its interpreter, if it is a script with one."""
        rest = _parts(path)
        while True:
            if not rest:
                raise IsADirectoryError(f"{path} is a directory")
            name = rest.pop()
            target = self.here.read_link(name)
            if target is not None:
                rest += self._followed(name, target)
            elif rest or self.here.has_directory(name):
                self._enter(self.here.child(name, to_pass=True))
            else:
                return self._look_at_program(name)

    def _followed(self, name: str, target: str) -> list[str]:
        self._require(self.here.path / name, self.here.status(name))
        self._links_left -= 1
        if self._links_left < 0:
            raise UntrustedPathError(f"{self.here.path / name}: more than {MAX_LINKS} links lead there")
        if Path(target).is_absolute():  # to where the system finds it, also when the root is another
            self._enter(Folder.open(Path(Path(target).anchor)))
        return _parts(target)

    def _make(self, name: str) -> None:
        with self.here.child(".") as parent:
            parent.make(name, self._mode).close()
            parent.fsync()

    def _enter(self, folder: Folder) -> None:
        self.here.close()
        self.here = folder
        self._look(folder)

    def _look(self, folder: Folder) -> None:
        self._require(folder.path, folder.status())

    def _look_at_program(self, name: str) -> str | None:
        path, status = self.here.path / name, self.here.status(name)
        self._require(path, status)
        if not stat.S_ISREG(status.st_mode):
            raise UntrustedPathError(f"{path} is no program")
        try:
            descriptor = self.here.open_file(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except PermissionError:  # it may be run, not read: no script is
            return None
        try:
            found = _INTERPRETER.match(os.read(descriptor, _MAX_FIRST_LINE_BYTES))
        finally:
            os.close(descriptor)
        return None if found is None else os.fsdecode(found[1])

    def _require(self, path: Path, status: os.stat_result) -> None:
        problem = distrust(path, status, sticky_is_enough=self._sticky_is_enough)
        if problem is not None:
            raise UntrustedPathError(problem)


def _parts(path: str) -> list[str]:
    """Return the components, the last one first."""
    parts = Path(path).parts
    return [part for part in reversed(parts) if part != Path(path).anchor]

"""An open directory: names in it are relative to what was opened, whatever takes the place of its path meanwhile.

No method follows a link in the last part of a name. Where the system opens directories (all but Windows), a name is
resolved from the descriptor; on Windows it is joined to the path. Blocking; methods raise `OSError`.
"""

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from p2pdist.shared import durable_files

_BY_DESCRIPTOR = os.open in os.supports_dir_fd
_DIRECTORY = sum(getattr(os, name, 0) for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC"))
_PASS = getattr(os, "O_PATH", os.O_RDONLY)  # opens a directory that one may pass through but not list
_JUNCTION = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT: a link to a directory that Windows does not call a link
_FILE = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"))


class Folder:
    """An open directory; a context manager that closes it. ``path`` is where it was found, for messages."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        """Own ``descriptor``; None: resolve names from ``path``."""
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a directory by its path, links followed."""
        if not _BY_DESCRIPTOR:
            return cls(path, None)
        return cls(path, os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    def child(self, name: str, *, to_pass: bool = False) -> Self:
        """Open a directory below this one. ``to_pass``: only names in it are wanted, and it need not be readable."""
        path = self.path if name == "." else self.path.parent if name == ".." else self.path / name
        if self._descriptor is None:
            status = self.status(name)
            if not stat.S_ISDIR(status.st_mode) or getattr(status, "st_reparse_tag", 0) == _JUNCTION:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
            return type(self)(path, None)
        access = _PASS if to_pass else os.O_RDONLY
        return type(self)(path, os.open(name, access | _DIRECTORY, dir_fd=self._descriptor))

    def close(self) -> None:
        """Close it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- looking ---------------------------------------------------------------------------------

    def status(self, name: str = ".") -> os.stat_result:
        """Return what is under ``name``, a link itself included."""
        if name == "." and self._descriptor is not None:
            return os.fstat(self._descriptor)
        return os.stat(self._name(name), dir_fd=self._descriptor, follow_symlinks=False)

    def has(self, name: str) -> bool:
        """Return whether anything has this name, a dangling link included."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self.status(name)
            return True
        return False

    def has_directory(self, name: str) -> bool:
        """Return whether a directory has this name, and not a link to one."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return stat.S_ISDIR(self.status(name).st_mode)
        return False

    def read_link(self, name: str) -> str | None:
        """Return the target of a link; None for anything else, and for nothing."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if stat.S_ISLNK(self.status(name).st_mode):
                return os.readlink(self._name(name), dir_fd=self._descriptor)
        return None

    def names(self) -> list[str]:
        """Return the names in it."""
        return os.listdir(self.path if self._descriptor is None else self._descriptor)  # noqa: PTH208 - a descriptor

    def tree(self) -> Iterator[tuple["Folder", list[str]]]:
        """Yield this directory and all below it, each with the names of its regular files, and close those below."""
        pending = ["."]
        while pending:
            parent = pending.pop()
            with self.child(parent) as folder:
                files = []
                for name in folder.names():
                    mode = folder.status(name).st_mode
                    if stat.S_ISDIR(mode):
                        pending.append(name if parent == "." else f"{parent}/{name}")
                    elif stat.S_ISREG(mode):
                        files.append(name)
                yield folder, files

    def free_bytes(self) -> int:
        """Return the room on its disk."""
        return shutil.disk_usage(self.path if self._descriptor is None else self._descriptor).free

    # --- changing --------------------------------------------------------------------------------

    def make(self, name: str, mode: int) -> Self:
        """Make a directory and open it. Its mode is ``mode`` whatever the umask is."""
        os.mkdir(self._name(name), mode, dir_fd=self._descriptor)
        folder = self.child(name)
        try:
            folder.set_mode(mode)
        except BaseException:
            folder.close()
            raise
        return folder

    def set_mode(self, mode: int) -> None:
        """Change its own mode. Does nothing on Windows."""
        if self._descriptor is not None:
            os.fchmod(self._descriptor, mode)

    def create(self, name: str) -> BinaryIO:
        """Make a new file to write to, for its owner alone as yet."""
        return open(self.open_file(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb")

    def open_file(self, name: str, flags: int) -> int:
        """Return a descriptor of a file."""
        return os.open(self._name(name), flags | _FILE, 0o600, dir_fd=self._descriptor)

    def write_durably(self, name: str, data: bytes, *, mode: int) -> None:
        """Write a file as `durable_files.write_file` does."""
        durable_files.write_file(Path(self._name(name)), data, mode=mode, directory=self._descriptor)

    def link(self, target: str, name: str, *, to_directory: bool = False) -> None:
        """Make a symbolic link; Windows asks whether ``to_directory``."""
        os.symlink(target, self._name(name), to_directory, dir_fd=self._descriptor)

    def link_hard(self, source: str, name: str) -> None:
        """Give the file ``source`` in this directory a second name in it."""
        if self._descriptor is None:
            os.link(self.path / source, self.path / name)
        else:
            here = self._descriptor
            os.link(source, name, src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)

    def rename(self, old: str, new: str) -> None:
        """Rename what is in this directory. A link, a file or an empty directory under the new name is replaced."""
        os.replace(self._name(old), self._name(new), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def unlink(self, name: str) -> None:
        """Remove a file or link, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._name(name), dir_fd=self._descriptor)

    def remove(self, name: str) -> None:
        """Remove a file, a link, or a directory with what is in it; files that cannot be removed stay."""
        if self.has_directory(name):
            shutil.rmtree(self._name(name), ignore_errors=True, dir_fd=self._descriptor)
        else:
            self.unlink(name)

    def fsync(self) -> None:
        """Make the names in it durable. Does nothing on Windows."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)

    def _name(self, name: str) -> str:
        return name if self._descriptor is not None else str(self.path / name)

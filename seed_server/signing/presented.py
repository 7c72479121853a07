"""Signed files that PCs have handed in, on their way into the repository: where they wait. Blocking.

Only what proved itself is put here, so it is no more than what the keys of this repository have signed.
"""

import shutil
from pathlib import Path

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.wire.signed_files import MAX_SIGNED_FILE_BYTES
from seed_server.settings.home import ServerHome

MAX_PRESENTED_ROOTS = 64  # newer ones: years of yearly roots


class PresentedFiles:
    """The files by their path below ``/tuf/``, in a directory of their own. Its methods raise `OSError`."""

    def __init__(self, home: ServerHome) -> None:
        self._directory = home.presented

    def keep(self, path: str, data: bytes) -> None:
        """Keep a file."""
        place = self._place(path)
        durable_files.make_directory(place.parent, mode=0o700)
        durable_files.write_file(place, data, mode=0o600, lasting=False)

    def read(self, path: str) -> bytes | None:
        """Return a file; None: it is not here."""
        try:
            return read_capped(self._place(path), MAX_SIGNED_FILE_BYTES)
        except (FileNotFoundError, FileTooLargeError):
            return None

    def roots(self, after: int) -> list[bytes]:
        """Return the roots that follow version ``after``, in order."""
        found: list[bytes] = []
        while len(found) < MAX_PRESENTED_ROOTS and (data := self.read(f"metadata/{after + 1 + len(found)}.root.json")):
            found.append(data)
        return found

    def roles(self) -> dict[str, bytes]:
        """Return the newest version of each role but root."""
        versions: dict[str, int] = {}
        directory = self._directory / "metadata"
        for path in directory.iterdir() if directory.exists() else ():
            number, _, name = path.name.partition(".")
            role = name.removesuffix(".json")
            if number.isdigit() and role != "root":
                versions[role] = max(versions.get(role, 0), int(number))
        found = {role: self.read(f"metadata/{version}.{role}.json") for role, version in versions.items()}
        return {role: data for role, data in found.items() if data}

    def clear(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def _place(self, path: str) -> Path:
        place = self._directory / path
        if not place.resolve().is_relative_to(self._directory.resolve()):
            raise FileNotFoundError(path)
        return place

"""Finds what a PC lacks in the TUF repository: what has changed since its snapshot, or what it names. Blocking."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from p2pdist.shared.wire.trust_news import (
    MAX_BATCH_TARGETS,
    MAX_NEWS_BYTES,
    MAX_NEWS_FILE_BYTES,
    MAX_NEWS_FILES,
    TrustNews,
    encode_news,
)
from seed_server.store.published_files import find_file

ANSWERS_KEPT = 16  # PCs that have heard of the last publication ask for the same; few are further behind
MAX_CHANGED_FILES = MAX_NEWS_FILES - 2  # besides the next root and the timestamp


class TrustNewsReader:
    """Reads the files that the web port publishes below ``/tuf/``, in any thread. Its methods raise `OSError`."""

    def __init__(self, metadata_directory: Path, targets_directory: Path) -> None:
        self._metadata = metadata_directory
        self._targets = targets_directory
        self._changes = lru_cache(maxsize=ANSWERS_KEPT)(self._changes_between)
        self._encoded = lru_cache(maxsize=ANSWERS_KEPT)(self._encode)
        self._one_at_a_time = Lock()  # after a publication all PCs ask for the same: it is found and compressed once

    def answer(self, root: int, snapshot: int) -> bytes | None:
        """Return the encoded `TrustNews` for a PC that knows these versions; None where nothing is published.

        A ``snapshot`` that is no longer there counts as none.
        """
        if (timestamp := _read(self._metadata / "timestamp.json")) is None:
            return None
        next_root = f"{root + 1}.root.json"
        newer_root = _read(self._metadata / next_root, MAX_NEWS_FILE_BYTES)
        known = snapshot if (self._metadata / f"{snapshot}.snapshot.json").exists() else 0
        with self._one_at_a_time:
            return self._encoded(known, next_root, newer_root, timestamp)

    def several(self, places: Sequence[str]) -> bytes:
        """Return these targets as an encoded `TrustNews`, those that are there, up to the first that does not fit.

        Large ones are left out: each is worth a request of its own.
        """
        files: dict[str, bytes | None] = {}
        room = MAX_NEWS_BYTES
        for place in dict.fromkeys(places[:MAX_BATCH_TARGETS]):
            path = find_file(self._targets, place)
            data = None if path is None else _read(path, MAX_NEWS_FILE_BYTES)
            if data is not None:
                room -= len(data)
                if room < 0:
                    break
                files[f"targets/{place}"] = data
        return encode_news(TrustNews(files))

    def _encode(self, known: int, next_root: str, newer_root: bytes | None, timestamp: bytes) -> bytes:
        files: dict[str, bytes | None] = {f"metadata/{next_root}": newer_root, "metadata/timestamp.json": timestamp}
        newest = _versions(timestamp).get("snapshot", 0)
        if newest != known:
            room = MAX_NEWS_BYTES - sum(len(data or b"") for data in files.values())
            for name, data in self._changes(known, newest).items():
                if len(data) <= room:
                    files[name] = data
                    room -= len(data)
        return encode_news(TrustNews(files))

    def _changes_between(self, known: int, newest: int) -> dict[str, bytes]:
        """Return snapshot and roles that are new since ``known``, then the targets that they have added, as far as fit.

        A file with a number or a hash in its name never changes; so neither does this. Whoever knows nothing yet is
        told of the roles alone, and what is for every PC: most of years of patches is not for it.
        """
        before, after = (_versions(self._metadata_file(version, "snapshot")) for version in (known, newest))
        changed = [role for role in after if after[role] != before.get(role)]
        names = [f"{newest}.snapshot.json", *(f"{after[role]}.{role}.json" for role in changed)]
        files: dict[str, bytes] = {}
        room = MAX_NEWS_BYTES
        for kind, directory, paths in (
            ("metadata", self._metadata, names),
            ("targets", self._targets, self._added_targets(before, after, changed)),
        ):
            for path in paths:
                data = _read(directory / path, min(room, MAX_NEWS_FILE_BYTES))
                if data is not None and len(files) < MAX_CHANGED_FILES:
                    files[f"{kind}/{path}"] = data
                    room -= len(data)
        return files

    def _added_targets(self, before: dict[str, int], after: dict[str, int], roles: list[str]) -> list[str]:
        """Return where the targets that these roles have added lie; those of one site are left to its PCs."""
        had = {path for role in roles for path in _target_files(self._metadata_file(before.get(role, 0), role))}
        added = [path for role in roles for path in _target_files(self._metadata_file(after[role], role))]
        wanted = [path for path in added if path not in had and not path.startswith("profiles/")]
        wanted.sort(key=lambda path: not _is_for_all(path))
        return wanted if before else [path for path in wanted if _is_for_all(path)]

    def _metadata_file(self, version: int, role: str) -> bytes:
        return _read(self._metadata / f"{version}.{role}.json") or b"{}"


def _is_for_all(path: str) -> bool:
    """Whether every PC reads this target: the rollouts, and the order of publications."""
    return path.startswith("rollouts/") or path.endswith(".order")


def _read(path: Path, most: int | None = None) -> bytes | None:
    """Return what a file holds; None: there is none, or it is larger than ``most``. Raises `OSError` otherwise."""
    try:
        return path.read_bytes() if most is None or path.stat().st_size <= most else None
    except FileNotFoundError:
        return None


def _versions(metadata: bytes) -> dict[str, int]:
    """Return the versions that a timestamp or snapshot names, by role."""
    return {name.removesuffix(".json"): file["version"] for name, file in _signed(metadata, "meta").items()}


def _target_files(role: bytes) -> list[str]:
    """Return where the targets of a role lie below the targets' directory, as tuf writes them: HASH.NAME."""
    found = []
    for path, file in _signed(role, "targets").items():
        directory, slash, name = path.rpartition("/")
        found.append(f"{directory}{slash}{file['hashes']['sha256']}.{name}")
    return found


def _signed(metadata: bytes, part: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(metadata).get("signed", {}).get(part, {})
    except msgspec.MsgspecError:  # damaged on this disk: whoever asks for the file itself finds out
        return {}
    return found

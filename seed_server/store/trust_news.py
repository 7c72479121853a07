"""Finds what a PC lacks in the TUF repository: what has changed since its snapshot, or what it names. Blocking."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import msgspec

from p2pdist.shared.manifest.documents import MAX_TARGETS_ROLE_BYTES, ROLLOUTS_TARGET
from p2pdist.shared.manifest.publication_order import ORDER_TARGET, is_order
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.differences import difference
from p2pdist.shared.wire.trust_news import (
    MAX_BATCH_TARGETS,
    MAX_NEWS_BYTES,
    MAX_NEWS_FILE_BYTES,
    MAX_NEWS_FILES,
    ChangedFile,
    TrustNews,
    encode_news,
)
from seed_server.store.published_files import find_file

ANSWERS_KEPT = 16  # PCs that have heard of the last publication ask for the same; few are further behind
MAX_CHANGED_FILES = MAX_NEWS_FILES - 2  # besides the next root and the timestamp


@dataclass(frozen=True)
class _NewFile:
    """A file that is new since a snapshot, and what stood in its place; both by their path below ``/tuf/``."""

    path: str
    older: str | None
    """None: nothing did, or it is gone."""


class TrustNewsReader:
    """Reads the files that the web port publishes below ``/tuf/``, in any thread. Its methods raise `OSError`."""

    def __init__(self, metadata_directory: Path, targets_directory: Path) -> None:
        self._metadata = metadata_directory
        self._directories = {"metadata": metadata_directory, "targets": targets_directory}
        self._changes = lru_cache(maxsize=ANSWERS_KEPT)(self._changes_between)
        self._encoded = lru_cache(maxsize=ANSWERS_KEPT)(self._encode)
        self._one_at_a_time = Lock()  # after a publication all PCs ask for the same: it is found and compressed once

    def answer(self, root: int, snapshot: int, differences: bool = False) -> bytes | None:
        """Return the encoded `TrustNews` for a PC that knows these versions; None where nothing is published.

        A ``snapshot`` that is no longer there counts as none. ``differences``: the PC makes files of those it has.
        """
        if (timestamp := _read(self._metadata / "timestamp.json")) is None:
            return None
        next_root = f"{root + 1}.root.json"
        newer_root = _read(self._metadata / next_root, MAX_NEWS_FILE_BYTES)
        known = snapshot if (self._metadata / f"{snapshot}.snapshot.json").exists() else 0
        with self._one_at_a_time:
            return self._encoded(known, next_root, newer_root, timestamp, differences)

    def several(self, places: Sequence[str]) -> bytes:
        """Return these targets as an encoded `TrustNews`, those that are there, up to the first that does not fit.

        Large ones are left out: each is worth a request of its own.
        """
        files: dict[str, bytes | None] = {}
        room = MAX_NEWS_BYTES
        for place in dict.fromkeys(places[:MAX_BATCH_TARGETS]):
            path = find_file(self._directories["targets"], place)
            data = None if path is None else _read(path, MAX_NEWS_FILE_BYTES)
            if data is not None:
                room -= len(data)
                if room < 0:
                    break
                files[f"targets/{place}"] = data
        return encode_news(TrustNews(files))

    def _encode(
        self, known: int, next_root: str, newer_root: bytes | None, timestamp: bytes, differences: bool
    ) -> bytes:
        files: dict[str, bytes | None] = {f"metadata/{next_root}": newer_root, "metadata/timestamp.json": timestamp}
        changed: dict[str, ChangedFile] = {}
        newest = _versions(timestamp).get("snapshot", 0)
        if newest != known:
            room = MAX_NEWS_BYTES - sum(len(data or b"") for data in files.values())
            for path, told in self._changes(known, newest, differences).items():
                size = _told_bytes(told)
                if size <= room:
                    room -= size
                    if isinstance(told, bytes):
                        files[path] = told
                    else:
                        changed[path] = told
        return encode_news(TrustNews(files, changed))

    def _changes_between(self, known: int, newest: int, differences: bool) -> dict[str, bytes | ChangedFile]:
        """Return snapshot and roles that are new since ``known``, then the targets that they have added, as far as fit.

        A file with a number or a hash in its name never changes; so neither does this. Whoever knows nothing yet is
        told of the roles alone, and what is for every PC: most of years of patches is not for it.
        """
        told: dict[str, bytes | ChangedFile] = {}
        room = MAX_NEWS_BYTES
        for new in self._new_files(known, newest):
            most = min(room, MAX_NEWS_FILE_BYTES)
            found: bytes | ChangedFile | None = self._difference(new) if differences else None
            if found is None or _told_bytes(found) > most:
                found = self._read(new.path, most)
            if found is not None and len(told) < MAX_CHANGED_FILES:
                told[new.path] = found
                room -= _told_bytes(found)
        return told

    def _difference(self, new: _NewFile) -> ChangedFile | None:
        """Return what tells the file by less than its own bytes."""
        older = self._read(new.older, MAX_TARGETS_ROLE_BYTES) if new.older else None
        newer = self._read(new.path, MAX_TARGETS_ROLE_BYTES) if older else None
        if not new.older or older is None or newer is None or (how := difference(older, newer)) is None:
            return None
        changed = ChangedFile(new.older, how)
        return changed if _told_bytes(changed) < len(newer) else None

    def _new_files(self, known: int, newest: int) -> Iterator[_NewFile]:
        before, after = (_versions(self._metadata_file(version, "snapshot")) for version in (known, newest))
        yield _NewFile(f"metadata/{newest}.snapshot.json", f"metadata/{known}.snapshot.json" if before else None)
        changed = [role for role in after if after[role] != before.get(role)]
        for role in changed:
            if role.startswith("torrents-"):  # beside the manifests stands what they are; release 0.2.0 asks for these
                continue
            older = f"metadata/{before[role]}.{role}.json" if role in before else None
            yield _NewFile(f"metadata/{after[role]}.{role}.json", older)
        yield from self._new_targets(before, after, changed)

    def _new_targets(self, before: dict[str, int], after: dict[str, int], roles: list[str]) -> list[_NewFile]:
        """Return the targets that these roles have added; those of one site are left to its PCs."""
        had: dict[str, str] = {}
        has: dict[str, str] = {}
        for role in roles:
            had |= _target_files(self._metadata_file(before.get(role, 0), role))
            has |= _target_files(self._metadata_file(after[role], role))
        if "order" in after:  # then release 0.2.0 alone reads it whole
            has.pop(ORDER_TARGET, None)
        wanted = sorted(has.items(), key=lambda item: not _is_for_all(item[0]))
        return [
            _NewFile(place, had.get(target))
            for target, place in wanted
            if had.get(target) != place and not target.startswith("profiles/") and (before or _is_for_all(target))
        ]

    def _metadata_file(self, version: int, role: str) -> bytes:
        return _read(self._metadata / f"{version}.{role}.json") or b"{}"

    def _read(self, path: str, most: int) -> bytes | None:
        kind, _, place = path.partition("/")
        return _read(self._directories[kind] / place, most)


def _is_for_all(target: str) -> bool:
    """Whether every PC reads this target."""
    return target == ROLLOUTS_TARGET or is_order(target)


def _told_bytes(told: bytes | ChangedFile) -> int:
    return len(told) if isinstance(told, bytes) else len(codec.encode(told))


def _read(path: Path, most: int | None = None) -> bytes | None:
    """Return what a file holds; None: there is none, or it is larger than ``most``. Raises `OSError` otherwise."""
    try:
        return path.read_bytes() if most is None or path.stat().st_size <= most else None
    except FileNotFoundError:
        return None


def _versions(metadata: bytes) -> dict[str, int]:
    """Return the versions that a timestamp or snapshot names, by role."""
    return {name.removesuffix(".json"): file["version"] for name, file in _signed(metadata, "meta").items()}


def _target_files(role: bytes) -> dict[str, str]:
    """Return where the targets of a role lie below ``/tuf/``, by their path, as tuf writes them: HASH.NAME."""
    found = {}
    for path, file in _signed(role, "targets").items():
        directory, slash, name = path.rpartition("/")
        found[path] = f"targets/{directory}{slash}{file['hashes']['sha256']}.{name}"
    return found


def _signed(metadata: bytes, part: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(metadata).get("signed", {}).get(part, {})
    except msgspec.MsgspecError:  # damaged on this disk: whoever asks for the file itself finds out
        return {}
    return found

"""Tells a PC what it lacks of the TUF repository: what has changed since its snapshot, or what it names. Blocking."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from threading import Lock

from p2pdist.shared.manifest.documents import MAX_TARGETS_ROLE_BYTES, MAX_TORRENT_BYTES
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.differences import difference
from p2pdist.shared.wire.news_torrent import MAX_SHARED_NEWS_BYTES
from p2pdist.shared.wire.trust_news import (
    MAX_BATCH_TARGETS,
    MAX_NEWS_BYTES,
    MAX_NEWS_FILE_BYTES,
    MAX_NEWS_FILES,
    MAX_SHARED_NEWS_FILES,
    ChangedFile,
    TrustNews,
    encode_news,
)
from seed_server.store.new_files import NewFile, PublishedTuf, versions
from seed_server.store.published_files import find_file

COMPRESSION_ROOM_BYTES = 16 << 10  # what is random grows when it is compressed, by 5 bytes in 16 kB


@dataclass(frozen=True)
class NewsForm:
    """How much one answer tells, and how."""

    differences: bool
    """The PC makes files of those that it has, and unpacks news by `news_words`."""
    max_bytes: int
    """Of all files together."""
    max_files: int
    max_file_bytes: int
    kept: int
    """Answers that are kept: after a publication, PCs ask for the same; few are further behind."""
    everything: bool = False
    """Also what only those read that keep it for others."""


IN_WHOLE_FILES = NewsForm(False, MAX_NEWS_BYTES, MAX_NEWS_FILES, MAX_NEWS_FILE_BYTES, 16)
"""For release 0.2.0."""
BY_DIFFERENCES = NewsForm(True, MAX_NEWS_BYTES, MAX_NEWS_FILES, MAX_NEWS_FILE_BYTES, 16)
KEPT = NewsForm(True, MAX_NEWS_BYTES, MAX_NEWS_FILES, MAX_NEWS_FILE_BYTES, 2, everything=True)
"""For PCs that keep everything: by whole files, each publication would cost each of them hundreds of kilobytes."""
SWAPPED = NewsForm(True, MAX_SHARED_NEWS_BYTES - COMPRESSION_ROOM_BYTES, MAX_SHARED_NEWS_FILES, MAX_TORRENT_BYTES, 4)
"""For PCs that swap it: it crosses their line once."""


class TrustNewsReader:
    """Reads the files that the web port publishes below ``/tuf/``, in any thread. Its methods raise `OSError`."""

    def __init__(self, metadata_directory: Path, targets_directory: Path) -> None:
        self._published = PublishedTuf(metadata_directory, targets_directory)
        self._targets = targets_directory
        forms = (IN_WHOLE_FILES, BY_DIFFERENCES, KEPT, SWAPPED)
        self._changes = {form: lru_cache(form.kept)(partial(self._changes_between, form)) for form in forms}
        self._encoded = {form: lru_cache(form.kept)(partial(self._encode, form)) for form in forms}
        self._one_at_a_time = Lock()  # after a publication all PCs ask for the same: it is found and compressed once

    def answer(self, root: int, snapshot: int, form: NewsForm = IN_WHOLE_FILES) -> bytes | None:
        """Return the encoded `TrustNews` for a PC that knows these versions; None where nothing is published.

        A ``snapshot`` that is no longer there counts as none. After a ``root`` that never was, none is named: all who
        invent one get the same answer, which is made once.
        """
        if (timestamp := self._published.read("metadata/timestamp.json", MAX_NEWS_FILE_BYTES)) is None:
            return None
        next_root = f"metadata/{root + 1}.root.json"
        newer_root = self._published.read(next_root, MAX_NEWS_FILE_BYTES)
        roots = ((next_root, newer_root),) if newer_root is not None or self._published.has_root(root) else ()
        known = snapshot if self._published.has_snapshot(snapshot) else 0
        with self._one_at_a_time:
            return self._encoded[form](known, roots, timestamp)

    def several(self, places: Sequence[str]) -> bytes:
        """Return these targets as an encoded `TrustNews`, those that are there, up to the first that does not fit.

        Large ones are left out: each is worth a request of its own.
        """
        files: dict[str, bytes | None] = {}
        room = MAX_NEWS_BYTES
        for place in dict.fromkeys(places[:MAX_BATCH_TARGETS]):
            path = f"targets/{place}"
            data = find_file(self._targets, place) and self._published.read(path, MAX_NEWS_FILE_BYTES)
            if isinstance(data, bytes):
                room -= len(data)
                if room < 0:
                    break
                files[path] = data
        return encode_news(TrustNews(files))

    def _encode(
        self, form: NewsForm, known: int, roots: tuple[tuple[str, bytes | None], ...], timestamp: bytes
    ) -> bytes:
        files: dict[str, bytes | None] = {**dict(roots), "metadata/timestamp.json": timestamp}
        changed: dict[str, ChangedFile] = {}
        newest = versions(timestamp).get("snapshot", 0)
        if newest != known:
            room = form.max_bytes - sum(len(data or b"") for data in files.values())
            for path, told in self._changes[form](known, newest).items():
                size = _told_bytes(told)
                if size <= room:
                    room -= size
                    if isinstance(told, bytes):
                        files[path] = told
                    else:
                        changed[path] = told
        return encode_news(TrustNews(files, changed), by_words=form.differences)

    def _changes_between(self, form: NewsForm, known: int, newest: int) -> dict[str, bytes | ChangedFile]:
        """Return what is new since ``known``, as far as it fits.

        A file with a number or a hash in its name never changes; so neither does this.
        """
        told: dict[str, bytes | ChangedFile] = {}
        room = form.max_bytes
        for new in self._published.new_since(known, newest, also_offered=form is SWAPPED, everything=form.everything):
            most = min(room, form.max_file_bytes)
            found: bytes | ChangedFile | None = self._difference(new) if form.differences else None
            if found is None or _told_bytes(found) > most:
                found = self._published.read(new.path, most)
            if found is not None and len(told) < form.max_files - 2:  # besides the next root and the timestamp
                told[new.path] = found
                room -= _told_bytes(found)
        return told

    def _difference(self, new: NewFile) -> ChangedFile | None:
        """Return what tells the file by less than its own bytes."""
        older = self._published.read(new.older, MAX_TARGETS_ROLE_BYTES) if new.older else None
        newer = self._published.read(new.path, MAX_TARGETS_ROLE_BYTES) if older else None
        if not new.older or older is None or newer is None or (how := difference(older, newer)) is None:
            return None
        changed = ChangedFile(new.older, how)
        return changed if _told_bytes(changed) < len(newer) else None


def _told_bytes(told: bytes | ChangedFile) -> int:
    return len(told) if isinstance(told, bytes) else len(codec.encode(told))

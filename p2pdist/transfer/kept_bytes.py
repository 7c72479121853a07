"""Takes a file that is kept for a rollback, where its bytes are offered again: they need not come over the line."""

import hashlib
import math
import os
from pathlib import Path

import trio

from p2pdist.shared.lazy_log import lazy_log
from p2pdist.transfer import files
from p2pdist.transfer.cached_files import LENT_MODE, Writer, seal
from p2pdist.transfer.states import DISK_MARGIN_BYTES
from p2pdist.transfer.transfer import Transfer

LISTED_SECONDS = 1.0  # the directory is listed once for all transfers that begin within this time

log = lazy_log()


class KeptBytes:
    """Looks into the directory of kept payloads, once for each transfer, beside the steps."""

    def __init__(self, kept: Path, cache: Path, nursery: trio.Nursery, writer: Writer | None) -> None:
        """``writer``: the user who fills the files in ``cache``, where it is not the daemon's own."""
        self._kept = kept
        self._cache = cache
        self._nursery = nursery
        self._writer = writer
        self._listed_at = -math.inf
        self._listed: dict[int, list[Path]] = {}
        """The files by their length, as of then."""

    def looking(self, transfer: Transfer) -> bool:
        """Begin to look for the transfer's file, unless that was done; return whether it is still being looked for."""
        if transfer.kept_looked is None:
            candidates = self._candidates(transfer.payload.length_bytes)
            transfer.kept_looked = not candidates or (self._cache / transfer.sha256).exists()
            if not transfer.kept_looked:
                transfer.proving = trio.CancelScope()
                self._nursery.start_soon(self._take, transfer, candidates)
        return not transfer.kept_looked

    def _candidates(self, length_bytes: int) -> list[Path]:
        """Return the kept files of this length: few, for of each patch the last two versions are kept."""
        now = trio.current_time()
        if now - self._listed_at >= LISTED_SECONDS:
            self._listed_at, self._listed = now, self._list()
        return self._listed.get(length_bytes, [])

    def _list(self) -> dict[int, list[Path]]:
        found: dict[int, list[Path]] = {}
        try:
            for path in self._kept.glob("*/*/*"):
                if path.is_file() and not path.is_symlink():
                    found.setdefault(path.stat().st_size, []).append(path)
        except OSError:
            return {}
        return found

    async def _take(self, transfer: Transfer, candidates: list[Path]) -> None:
        place = self._cache / transfer.sha256
        try:
            # dropping a transfer cancels this
            with transfer.proving:
                if await files.lacking_bytes(place, transfer.payload.length_bytes, DISK_MARGIN_BYTES):
                    return
                for candidate in candidates:
                    if await trio.to_thread.run_sync(_copied, candidate, place, transfer.sha256, self._writer):
                        log.info("its file was kept for a rollback", patch=str(transfer.ref))
                        return
        except OSError as error:
            log.warning("a kept file cannot be taken", patch=str(transfer.ref), reason=error.strerror)
        finally:
            transfer.kept_looked = True


def _copied(source: Path, place: Path, sha256: str, writer: Writer | None) -> bool:
    """Copy ``source`` to ``place`` and return whether it has this hash; else ``place`` is gone again.

    A copy, not a link: what is in the cache is lent to the network part, which may write there. Raises `OSError`.
    """
    digest = hashlib.sha256()
    # the directory is the network part's: nothing that lies there already is followed or changed
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), LENT_MODE)
    whole = False
    try:
        with open(descriptor, "wb") as target, source.open("rb") as kept:
            while chunk := kept.read(files.HASH_CHUNK_BYTES):
                trio.from_thread.check_cancelled()
                digest.update(chunk)
                target.write(chunk)
            seal(descriptor, writer)
        whole = digest.hexdigest() == sha256
    finally:
        if not whole:
            place.unlink(missing_ok=True)
    return whole

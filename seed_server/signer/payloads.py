"""Are the files that a signer has those of a bundle? They are hashed whole, their torrents built anew. Blocking.

A file that the server has unpacked (`publish --repack`) is unpacked here as well: it comes to the same bytes.
"""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from bandwidth.core.quantities import bytes_text
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.manifest.documents import Manifest, Payload, torrent_target
from seed_server.publishing.copying import UnpackedFile, unpacked_file
from seed_server.publishing.plan import choose_piece_length
from seed_server.publishing.stored_form import LeftAlone
from seed_server.publishing.torrent_builder import build_torrent
from seed_server.store.content_store import open_source

COMPARE_CHUNK_BYTES = 1 << 20
MIN_FREE_BYTES_AFTER_UNPACKING = 256 << 20  # of the temporary folder, which is often the machine's memory

OnBytes = Callable[[Path, int, int], None]
"""Called with the file, bytes done and bytes in total; each file is read twice."""


def compare_payloads(
    manifests: Sequence[Manifest],
    documents: Mapping[str, bytes],
    files: Sequence[Path],
    on_bytes: OnBytes,
    *,
    min_free_bytes: int = MIN_FREE_BYTES_AFTER_UNPACKING,
) -> list[Payload]:
    """Compare ``files`` with what the manifests and torrents say; return the payloads that no file was given for.

    A file that has to be unpacked needs room for that in the temporary folder, of which ``min_free_bytes`` stay free.
    Raises `UserError`: REFUSED for a file that is not in the manifests and for a torrent that is not that file's,
    BAD_INPUT for a file that cannot be read, STORAGE where that room is missing.
    """
    wanted = {payload.sha256: payload for manifest in manifests for payload in manifest.payloads}
    compared = set()
    for file in files:
        payload, form = _payload_of(file, wanted, on_bytes)
        torrent = documents.get(torrent_target(TorrentHash(payload.torrent_hash)))
        with _named(file, form, payload, min_free_bytes) as named:
            _check_torrent(file, named, payload, torrent, on_bytes)
        compared.add(payload.sha256)
    return [payload for sha256, payload in wanted.items() if sha256 not in compared]


def _payload_of(file: Path, wanted: Mapping[str, Payload], on_bytes: OnBytes) -> tuple[Payload, UnpackedFile | None]:
    """Return which payload a file is, or is when it is unpacked: then with this form of it."""
    digest, done = hashlib.sha256(), 0
    with open_source(file) as source:
        total = os.fstat(source.fileno()).st_size
        while chunk := _read(source, file):
            digest.update(chunk)
            done += len(chunk)
            on_bytes(file, done, max(done, total))
    payload = wanted.get(digest.hexdigest())
    if payload is not None and payload.length_bytes == done:
        return payload, None
    if (found := _unpacked_payload(file, wanted)) is not None:
        return found
    raise UserError(
        f"{file} is no file of this bundle: its SHA-256 is {digest.hexdigest()}. Nothing was signed. Either this "
        "is not the file that was published, or the server prepared another one.",
        FaultKind.REFUSED,
    )


def _unpacked_payload(file: Path, wanted: Mapping[str, Payload]) -> tuple[Payload, UnpackedFile] | None:
    """Return which payload the stored form of a file is, as `publish --repack` makes it; None: none."""
    try:
        form = unpacked_file(file)
        if isinstance(form, LeftAlone) or all(one.length_bytes != form.length_bytes for one in wanted.values()):
            return None
        digest = hashlib.sha256()
        with open_source(file) as source:
            for part in form.parts(source):
                digest.update(part)
    except UserError:
        return None
    payload = wanted.get(digest.hexdigest())
    return None if payload is None else (payload, form)


@contextlib.contextmanager
def _named(file: Path, form: UnpackedFile | None, payload: Payload, min_free_bytes: int) -> Iterator[Path]:
    """Hold the payload by the name that its torrent carries: a link where nothing is unpacked, if there are links."""
    with contextlib.ExitStack() as stack:
        with _storage_errors():
            named = Path(stack.enter_context(tempfile.TemporaryDirectory())) / payload.sha256
            if form is not None:
                _check_room(named.parent, file, payload.length_bytes, min_free_bytes)
                with open_source(file) as source, named.open("xb") as unpacked:
                    unpacked.writelines(form.parts(source))
            else:
                try:
                    named.symlink_to(file.absolute())
                except OSError:  # Windows without the right to
                    _check_room(named.parent, file, payload.length_bytes, min_free_bytes)
                    shutil.copyfile(file, named)
        yield named


def _check_room(folder: Path, file: Path, needed_bytes: int, min_free_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + min_free_bytes:
        raise UserError(
            f"To compare {file} takes {bytes_text(needed_bytes)} in {folder.parent}, which has {bytes_text(free)} "
            f"free, and {bytes_text(min_free_bytes)} must remain. Nothing was signed. Set TMPDIR (on Windows: "
            "TEMP) to a folder on a disk with room, then sign again.",
            FaultKind.STORAGE,
        )


@contextlib.contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot write to the folder for temporary files ({error.strerror}). Nothing was signed. Set TMPDIR (on "
            "Windows: TEMP) to a folder on a disk with room, then sign again.",
            FaultKind.STORAGE,
        ) from error


def _check_torrent(file: Path, named: Path, payload: Payload, torrent: bytes | None, on_bytes: OnBytes) -> None:
    """Build the torrent anew; None: it was signed before, and is named by its hash alone."""
    built = build_torrent(
        named, choose_piece_length(payload.length_bytes), lambda done, total: on_bytes(file, done, total)
    )
    if built.torrent_hash != payload.torrent_hash or torrent not in (None, built.torrent):
        raise UserError(
            f"The torrent in this bundle is not that of {file}. Nothing was signed. Use the release of seed-server "
            "here that the server has; if it has the same, find out what happened there.",
            FaultKind.REFUSED,
        )


def _read(source: BinaryIO, file: Path) -> bytes:
    try:
        return source.read(COMPARE_CHUNK_BYTES)
    except OSError as error:
        raise UserError(f"Cannot read {file}: {error.strerror}. Check the disk.", FaultKind.BAD_INPUT) from error

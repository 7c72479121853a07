"""Are the files that a signer has those of a bundle? They are hashed whole, their torrents built anew. Blocking.

A file that the server has unpacked (`publish --repack`) is unpacked here as well: it comes to the same bytes.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.manifest.documents import Manifest, Payload, torrent_target
from seed_server.publishing.copying import UnpackedFile, unpacked_file
from seed_server.publishing.plan import choose_piece_length
from seed_server.publishing.stored_form import LeftAlone
from seed_server.publishing.torrent_builder import build_torrent
from seed_server.store.content_store import open_source

COMPARE_CHUNK_BYTES = 1 << 20

OnBytes = Callable[[Path, int, int], None]
"""Called with the file, bytes done and bytes in total; each file is read twice."""


def compare_payloads(
    manifests: Sequence[Manifest], documents: Mapping[str, bytes], files: Sequence[Path], on_bytes: OnBytes
) -> list[Payload]:
    """Compare ``files`` with what the manifests and torrents say; return the payloads that no file was given for.

    Raises `UserError`: REFUSED for a file that is not in the manifests and for a torrent that is not that file's,
    BAD_INPUT for a file that cannot be read.
    """
    wanted = {payload.sha256: payload for manifest in manifests for payload in manifest.payloads}
    compared = set()
    for file in files:
        payload, form = _payload_of(file, wanted, on_bytes)
        torrent = documents.get(torrent_target(TorrentHash(payload.torrent_hash)))
        _check_torrent(file, form, payload, torrent, on_bytes)
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


def _check_torrent(
    file: Path, form: UnpackedFile | None, payload: Payload, torrent: bytes | None, on_bytes: OnBytes
) -> None:
    """Build the torrent anew; None: it was signed before, and is named by its hash alone."""
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / payload.sha256  # the name that the torrent carries
        if form is not None:
            with open_source(file) as source, named.open("xb") as unpacked:
                unpacked.writelines(form.parts(source))
        else:
            try:
                named.symlink_to(file.absolute())
            except OSError:  # Windows without the right to
                shutil.copyfile(file, named)
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

"""Cuts a parcel into the files of its payloads, each of which has to be what its manifest says. Blocking."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from p2pdist.shared.identifiers import Sha256Hex
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.transfer.cached_files import LENT_MODE, Writer, read_unproven, seal
from p2pdist.transfer.files import Proof

log = lazy_log()


def cut(
    parcel: Path, length_bytes: int, parts: Sequence[tuple[int, int, Sha256Hex]], writer: Writer | None
) -> list[Proof | None]:
    """Put each of ``parts`` (offset, length, hash) beside ``parcel``, durably and out of reach of ``writer``.

    Return the proof of each; None: it is not that, or cannot be written.
    """
    try:
        data = read_unproven(parcel, length_bytes)
    except OSError as error:
        log.warning("a parcel cannot be read", reason=error.strerror)
        return [None] * len(parts)
    proofs: list[Proof | None] = []
    for offset, length, sha256 in parts:
        part = data[offset : offset + length]
        if len(part) != length or hashlib.sha256(part).hexdigest() != sha256:
            log.warning("what came in a parcel is not the payload", payload=sha256)
            proofs.append(None)
            continue
        try:
            proofs.append(_put(parcel.with_name(sha256), part, sha256, writer))
        except OSError as error:
            log.warning("what came in a parcel cannot be written", payload=sha256, reason=error.strerror)
            proofs.append(None)
    return proofs


def _put(place: Path, data: bytes, sha256: Sha256Hex, writer: Writer | None) -> Proof:
    """Write a file that only the daemon can change, and return its proof. Raises `OSError`."""
    place.unlink(missing_ok=True)
    # the directory is the network part's: nothing that lies there is followed or changed
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), LENT_MODE)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        seal(descriptor, writer)
        os.fsync(descriptor)
        status = os.fstat(descriptor)
    except OSError:
        place.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return Proof(sha256, status.st_size, status.st_mtime_ns, status.st_ino)

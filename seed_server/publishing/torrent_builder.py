"""Builds the v2 torrent of a payload, in a child process. The only libtorrent import of the server.

A child, because libtorrent holds the GIL while it hashes: in this process that
would stop progress, Ctrl-C and everything else. The child writes one JSON
object a line to its standard output: ``{"done": …, "total": …}`` in bytes, and
at the end ``{"torrent": …}`` in base64. Blocking.
"""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from p2pdist.shared import merkle
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.manifest.documents import MAX_TORRENT_BYTES
from p2pdist.shared.own_programs import own_environment, own_program
from seed_server.store.content_store import OnProgress

PROGRESS_SECONDS = 0.1  # between progress lines; also how long the child outlives a killed parent
END_TIMEOUT_SECONDS = 10.0  # for the child to exit after its last line or after being killed
MAX_LINE_BYTES = 2 * MAX_TORRENT_BYTES  # the torrent in base64, with room
MAX_ERROR_CHARS = 300


@dataclass(frozen=True)
class TorrentBuilt:
    """A torrent and what the origin needs to serve it."""

    torrent: bytes
    torrent_hash: TorrentHash
    piece_length: int
    piece_hashes: bytes
    """v2 piece hashes, 32 bytes each."""


class _Line(msgspec.Struct, frozen=True):
    """One line of the child's output."""

    done: int = 0
    total: int = 0
    torrent: bytes = b""
    torrent_hash: str = ""
    piece_hashes: bytes = b""


def build_torrent(payload: Path, piece_length: int, on_progress: OnProgress) -> TorrentBuilt:
    """Hash ``payload`` and return its torrent: v2-only, private, one file that has the payload's own name.

    The child never outlives this call, whatever ends it. Raises `UserError`
    (STORAGE) when the payload cannot be read.
    """
    command = own_program("seed_server.publishing.torrent_builder", os.fspath(payload), str(piece_length))
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=own_environment(),
    )
    try:
        result = _follow(child, on_progress)
        errors = child.communicate(timeout=END_TIMEOUT_SECONDS)[1]
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate(timeout=END_TIMEOUT_SECONDS)
    if result is None or child.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines() or [f"it ended with code {child.returncode}"]
        raise UserError(
            f"Hashing {payload} failed: {lines[-1][:MAX_ERROR_CHARS]}. Check the disk, then publish again.",
            FaultKind.STORAGE,
        )
    return TorrentBuilt(result.torrent, TorrentHash(result.torrent_hash), piece_length, result.piece_hashes)


def _follow(child: "subprocess.Popen[bytes]", on_progress: OnProgress) -> _Line | None:
    if child.stdout is None:
        raise AssertionError("unreachable")
    while line := child.stdout.readline(MAX_LINE_BYTES):
        try:
            message = msgspec.json.decode(line, type=_Line)
        except msgspec.DecodeError:
            return None  # killed within a line
        if message.torrent:
            return message
        on_progress(message.done, message.total)
    return None


# --- in the child ------------------------------------------------------------------------


def _say(**message: Any) -> None:
    try:
        sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # the parent is gone; nobody wants the rest, and libtorrent swallows exceptions of its callback
        os._exit(1)


def make_torrent(payload: Path, piece_length: int, on_piece: Callable[[int, int], None]) -> TorrentBuilt:
    """Return what `build_torrent` does, made in this process; ``on_piece`` is handed how many of how many are hashed.

    Raises OSError, RuntimeError, KeyError or ValueError when the payload cannot be read.
    """
    import libtorrent as lt

    length = payload.stat().st_size
    files = [lt.create_file_entry(payload.name, length)]  # no mode, no times: the same bytes give the same torrent
    creator = lt.create_torrent(files, piece_length, lt.create_torrent.v2_only)
    creator.set_priv(True)
    pieces = creator.num_pieces()
    lt.set_piece_hashes(creator, os.fspath(payload.parent), lambda piece: on_piece(int(piece) + 1, pieces))
    entry: Any = creator.generate()
    entry.pop(b"creation date", None)
    info = entry[b"info"]
    root = info[b"file tree"][payload.name.encode()][b""][b"pieces root"]
    # BEP 52: a file of one piece has no piece layer, its root is the piece's hash
    layer = entry.get(b"piece layers", {}).get(root, root)
    if merkle.pieces_root(merkle.split_hashes(layer), piece_length) != root or payload.stat().st_size != length:
        raise OSError("the file changed while it was read")
    torrent_hash = TorrentHash(hashlib.sha256(lt.bencode(info)).hexdigest())
    return TorrentBuilt(lt.bencode(entry), torrent_hash, piece_length, layer)


def _child(payload: Path, piece_length: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    last = time.monotonic()

    def on_piece(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PROGRESS_SECONDS or done == total:
            last = now
            length = payload.stat().st_size
            _say(done=min(done * piece_length, length), total=length)

    try:
        made = make_torrent(payload, piece_length, on_piece)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    _say(
        torrent=base64.b64encode(made.torrent).decode(),
        torrent_hash=made.torrent_hash,
        piece_hashes=base64.b64encode(made.piece_hashes).decode(),
    )


if __name__ == "__main__":
    _child(Path(sys.argv[1]), int(sys.argv[2]))

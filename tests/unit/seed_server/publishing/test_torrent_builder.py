"""`seed_server.publishing.torrent_builder`: the real child, the real libtorrent, and our merkle trees beside its."""

import hashlib
import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import libtorrent as lt
import psutil
import pytest

from p2pdist.shared import merkle
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.publishing import torrent_builder
from seed_server.publishing.torrent_builder import build_torrent
from tests.helpers.quick_torrents import build_quickly

PIECE = 256 << 10
BLOCK = merkle.BLOCK_BYTES


def payload(directory: Path, length: int) -> Path:
    data = random.Random(length).randbytes(length)
    path = directory / hashlib.sha256(data).hexdigest()
    path.write_bytes(data)
    return path


def quiet(done: int, total: int) -> None:
    pass


@pytest.mark.parametrize("length", [1, BLOCK, 3 * BLOCK + 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 3 * BLOCK + 7])
def test_our_merkle_trees_are_libtorrents(tmp_path: Path, length: int) -> None:
    path = payload(tmp_path, length)
    built = build_torrent(path, PIECE, quiet)
    hashes, data = merkle.split_hashes(built.piece_hashes), path.read_bytes()
    assert len(hashes) == merkle.piece_count(length, PIECE)
    for number, expected in enumerate(hashes):
        assert merkle.piece_hash(data[number * PIECE : (number + 1) * PIECE], PIECE, length) == expected
    decoded: Any = lt.bdecode(built.torrent)
    info = lt.torrent_info(decoded)
    root = decoded[b"info"][b"file tree"][path.name.encode()][b""][b"pieces root"]
    assert merkle.pieces_root(hashes, PIECE) == root
    assert str(info.info_hashes().v2) == built.torrent_hash


def test_the_torrent_is_what_the_design_asks_for(tmp_path: Path) -> None:
    path = payload(tmp_path, PIECE + 1)
    built = build_torrent(path, PIECE, quiet)
    decoded: Any = lt.bdecode(built.torrent)
    assert set(decoded[b"info"]) == {b"file tree", b"meta version", b"name", b"piece length", b"private"}
    assert decoded[b"info"][b"name"] == path.name.encode()
    assert decoded[b"info"][b"private"] == 1
    assert decoded[b"info"][b"piece length"] == PIECE == built.piece_length
    info = lt.torrent_info(decoded)
    assert info.info_hashes().has_v2()
    assert not info.info_hashes().has_v1()
    assert build_torrent(path, PIECE, quiet) == built  # the same bytes, whenever it is made
    assert build_quickly(path, PIECE, quiet) == built  # which is what other tests publish


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    length = 20 * PIECE + 5
    build_torrent(payload(tmp_path, length), PIECE, lambda done, total: progress.append((done, total)))
    assert progress[-1] == (length, length)
    assert progress == sorted(progress)


def test_a_missing_payload_is_an_error_with_its_cause(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file") as caught:
        build_torrent(tmp_path / ("a" * 64), PIECE, quiet)
    assert caught.value.kind is FaultKind.STORAGE


def test_ctrl_c_ends_the_child(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    before = set(psutil.Process().children())  # other tests' may still be there
    with pytest.raises(KeyboardInterrupt):
        build_torrent(payload(tmp_path, PIECE * 8), PIECE, interrupt)
    assert not set(psutil.Process().children()) - before


def test_the_child_ends_when_its_parent_was_killed(tmp_path: Path) -> None:
    large = tmp_path / ("b" * 64)
    with large.open("wb") as file:
        file.truncate(64 << 30)  # sparse; hashing it takes longer than the time-out below
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom seed_server.publishing.torrent_builder import build_torrent\n"
        "build_torrent(Path(sys.argv[1]), 1 << 20, lambda done, total: print(done, flush=True))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(large)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline()  # it is hashing
    (child,) = psutil.Process(parent.pid).children()
    ended = os.pidfd_open(child.pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert select.select([ended], [], [], 10)[0]
    os.close(ended)


def test_child_that_is_killed_within_a_line_has_no_result() -> None:
    command = [sys.executable, "-c", "print('{\"torrent\": \"ZDQ6a', end='')"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert torrent_builder._follow(child, lambda done, total: None) is None

"""`p2pdist.network.decoding`: whatever lies in the cache and whatever is sent, a piece comes of it or one error."""

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from p2pdist.network.decoding import decoded, read_prefix
from p2pdist.shared.coded_pieces import (
    MAX_PREFIX_BYTES,
    CodedPieceError,
    PrefixRange,
    encode_lzma2,
    encode_zstd,
)
from p2pdist.shared.wire.data_messages import CodedPiece
from p2pdist.shared.wire.fields import MAX_PIECE_BYTES

MIB = 1 << 20
OLD = random.Random(1).randbytes(MIB)
NEW = OLD[1_000:500_000] + b"changed" + OLD[500_100:700_000]
BASE = "a" * 64


def coded(data: bytes, **fields: Any) -> CodedPiece:
    return replace(
        CodedPiece(torrent="b" * 64, piece=0, codec="zstd", length_bytes=len(NEW), data=data, base=BASE), **fields
    )


def put_base(directory: Path, data: bytes = OLD) -> Path:
    base = directory / BASE
    base.write_bytes(data)
    return base


def test_a_piece_comes_of_the_stretches_in_their_order(tmp_path: Path) -> None:
    put_base(tmp_path)
    frame = encode_zstd(NEW, OLD[600_000:700_000] + OLD[0:600_000], 3)
    ranges = ((600_000, 100_000), (0, 600_000))
    assert decoded(tmp_path, coded(frame, ranges=ranges), len(NEW)) == NEW
    assert len(frame) < len(NEW) // 100
    whole = coded(encode_zstd(NEW, OLD, 3), ranges=((0, len(OLD)),))
    assert decoded(tmp_path, whole, len(NEW)) == NEW


@pytest.mark.parametrize("codec", ["zstd", "lzma2_x86"])
def test_a_piece_without_a_base_comes_of_itself(tmp_path: Path, codec: Any) -> None:
    text = b"the same words " * 10_000
    data = encode_zstd(text, b"", 3) if codec == "zstd" else encode_lzma2(text)
    message = coded(data, codec=codec, base="", length_bytes=len(text))
    assert decoded(tmp_path, message, len(text)) == text


def test_what_its_sender_says_of_lengths_and_ranges_is_not_believed(tmp_path: Path) -> None:
    put_base(tmp_path)
    frame = encode_zstd(NEW, OLD, 3)
    good = coded(frame, ranges=((0, len(OLD)),))
    wrong = [
        (replace(good, length_bytes=len(NEW) - 1), len(NEW), "said to be"),
        (good, len(NEW) - 1, "said to be"),
        (replace(good, length_bytes=len(NEW) - 1), len(NEW) - 1, "and not"),
        (replace(good, ranges=()), len(NEW), "names a base and no bytes"),
        (replace(good, base=""), len(NEW), "bytes of no base"),
        (replace(good, ranges=((1, len(OLD)),)), len(NEW), "shorter"),
        (replace(good, ranges=((1 << 50, 1),)), len(NEW), "shorter"),
        (replace(good, data=frame[:-1]), len(NEW), "end"),
        (replace(good, data=frame + b"x"), len(NEW), "end"),
        (replace(good, data=b"nothing"), len(NEW), "[Zz]std|frame"),
        (replace(good, codec="lzma2_x86"), len(NEW), "."),
    ]
    for message, length, words in wrong:
        with pytest.raises(CodedPieceError, match=words):
            decoded(tmp_path, message, length)
    assert decoded(tmp_path, good, len(NEW)) == NEW


def test_a_prefix_has_at_most_so_many_bytes(tmp_path: Path) -> None:
    base = tmp_path / BASE
    with base.open("wb") as file:
        file.truncate(MAX_PREFIX_BYTES + 1)
    most = [PrefixRange(0, MAX_PREFIX_BYTES - 1), PrefixRange(5, 1)]
    assert len(read_prefix(base, most)) == MAX_PREFIX_BYTES
    with pytest.raises(CodedPieceError, match="over the cap"):
        read_prefix(base, [*most, PrefixRange(0, 1)])


@pytest.mark.parametrize("lies_there", ["nothing", "link", "directory", "pipe", "socket", "device", "empty", "others"])
def test_what_is_no_file_with_these_bytes_is_no_base(tmp_path: Path, lies_there: str) -> None:
    base, elsewhere = tmp_path / BASE, tmp_path / "elsewhere"
    elsewhere.write_bytes(OLD)
    if lies_there == "link":
        base.symlink_to(elsewhere)
    elif lies_there == "directory":
        base.mkdir()
    elif lies_there == "pipe":
        os.mkfifo(base)
    elif lies_there == "socket":
        subprocess.run(
            [sys.executable, "-c", "import socket; socket.socket(socket.AF_UNIX).bind('s')"], cwd=tmp_path, check=True
        )
        (tmp_path / "s").rename(base)
    elif lies_there == "device":
        base = Path("/dev/zero")
    elif lies_there == "empty":
        base.touch()
    elif lies_there == "others":
        if os.geteuid() == 0:
            pytest.skip("root reads every file")
        put_base(tmp_path).chmod(0o000)
    words = "its base is not a file" if lies_there in ("directory", "pipe", "device") else "its base"
    began = time.monotonic()
    with pytest.raises(CodedPieceError, match=words):
        read_prefix(base, [PrefixRange(0, 10)])
    assert time.monotonic() - began < 5, "it waits for nobody"


def test_one_that_another_user_keeps_to_himself_is_no_base(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    tmp_path.chmod(0o755)
    put_base(tmp_path).chmod(0o600)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    reader = os.fork()
    if reader == 0:  # as the network part: without rights, in a directory that it reaches as its own
        os.fchdir(descriptor)
        os.setresuid(65_534, 65_534, 65_534)
        try:
            read_prefix(Path("/proc/self/cwd") / BASE, [PrefixRange(0, 10)])
        except CodedPieceError:
            os._exit(0)
        os._exit(1)
    os.close(descriptor)
    assert os.waitpid(reader, 0)[1] == 0


def test_one_that_gets_shorter_while_it_is_read_is_no_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = put_base(tmp_path)
    real, ended = os.fstat, threading.Event()

    def shortened(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        if not ended.is_set() and status.st_size == len(OLD):
            ended.set()
            os.truncate(base, 10)
        return status

    monkeypatch.setattr(os, "fstat", shortened)
    with pytest.raises(CodedPieceError, match="shorter"):
        read_prefix(base, [PrefixRange(0, len(OLD))])
    assert ended.is_set()


def test_a_bomb_and_the_largest_piece_take_thirty_megabytes_at_most(tmp_path: Path) -> None:
    """In a process of its own, whose peak says what was taken."""
    prefix = random.Random(2).randbytes(MAX_PREFIX_BYTES)
    (tmp_path / BASE).write_bytes(prefix)
    piece = prefix[MIB : MIB + MAX_PIECE_BYTES]
    ranges = ((0, MAX_PREFIX_BYTES),)
    (tmp_path / "piece").write_bytes(encode_zstd(piece, prefix, 3))
    # it says that it is a piece, and would be 32 times as much
    bomb = encode_zstd(bytes(8 * MAX_PIECE_BYTES), b"", 3)
    (tmp_path / "bomb").write_bytes(bomb)
    (tmp_path / "lzma").write_bytes(encode_lzma2(bytes(8 * MAX_PIECE_BYTES)))
    program = f"""
from pathlib import Path
from p2pdist.network.decoding import decoded
from p2pdist.shared.coded_pieces import CodedPieceError
from p2pdist.shared.wire.data_messages import CodedPiece
here = Path({str(tmp_path)!r})
def coded(name, codec="zstd", **fields):
    data = (here / name).read_bytes()
    return CodedPiece(torrent="b" * 64, piece=0, codec=codec, length_bytes={MAX_PIECE_BYTES}, data=data, **fields)
messages = [coded("piece", base="{BASE}", ranges={ranges!r}), coded("bomb"), coded("lzma", codec="lzma2_x86")]
def peak(): return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])
before = peak()
outcomes = []
for message in messages:
    try:
        outcomes.append(len(decoded(here, message, {MAX_PIECE_BYTES})))
    except CodedPieceError:
        outcomes.append(0)
print(outcomes, peak() - before)
"""
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells of a process's peak")
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    outcomes, _, kilobytes = said.strip().rpartition(" ")
    assert outcomes == f"[{MAX_PIECE_BYTES}, 0, 0]"
    assert int(kilobytes) <= 30_000, said


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    if os.name != "posix":
        pytest.skip("counts descriptors")
    put_base(tmp_path)
    lowest = os.dup(0)
    os.close(lowest)
    for _ in range(20):
        read_prefix(tmp_path / BASE, [PrefixRange(0, 10)])
        with pytest.raises(CodedPieceError):
            read_prefix(tmp_path / BASE, [PrefixRange(len(OLD), 10)])
    again = os.dup(0)
    os.close(again)
    assert again == lowest

"""Checked against torrents that libtorrent itself makes."""

import hashlib
import os

import libtorrent as lt
import pytest

from p2pdist.transfer.torrent_file import TorrentFileError, read_torrent_file


def metainfo_of(directory, data: bytes, piece_bytes: int) -> dict:
    name = hashlib.sha256(data).hexdigest()
    (directory / name).write_bytes(data)
    creator = lt.create_torrent(lt.list_files(str(directory / name)), piece_bytes, lt.create_torrent.v2_only)
    creator.set_priv(True)
    lt.set_piece_hashes(creator, str(directory))
    metainfo = lt.bdecode(lt.bencode(creator.generate()))
    assert isinstance(metainfo, dict)
    return metainfo


@pytest.mark.parametrize("piece_bytes", [16_384, 65_536])
@pytest.mark.parametrize("size", [1, 16_383, 16_384, 16_385, 50_000, 65_536, 65_537, 200_000, 5 * 65_536])
def test_proves_exactly_the_right_pieces(tmp_path, size, piece_bytes):
    data = os.urandom(size)
    file = read_torrent_file(metainfo_of(tmp_path, data, piece_bytes))
    assert (file.length_bytes, file.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert file.piece_count == -(-size // piece_bytes)
    for index in range(file.piece_count):
        piece = data[index * piece_bytes : (index + 1) * piece_bytes]
        assert len(piece) == file.piece_length(index)
        assert file.proves(index, piece)
        assert not file.proves(index, piece[:-1] + bytes([piece[-1] ^ 1]))
        assert not file.proves(index, piece + b"\0")
        assert not file.proves(index, piece[:-1])
    assert not file.proves(-1, data[:piece_bytes])
    assert not file.proves(file.piece_count, data[:piece_bytes])


def set_file(metainfo: dict, **properties: object) -> None:
    (entry,) = metainfo[b"info"][b"file tree"].values()
    entry[b""].update({key.replace("_", " ").encode(): value for key, value in properties.items()})


MIB = 1 << 20
CHANGES = {
    "tracker": lambda m: m.update({b"announce": b"http://x"}),
    "web seed": lambda m: m.update({b"url-list": b"http://x"}),
    "certificate": lambda m: m[b"info"].update({b"ssl-cert": b"x"}),
    "public": lambda m: m[b"info"].pop(b"private"),
    "v1 too": lambda m: m[b"info"].update({b"pieces": b"x" * 20, b"length": 1}),
    "version 3": lambda m: m[b"info"].update({b"meta version": 3}),
    "symlink": lambda m: set_file(m, attr=b"l", symlink_path=[b"etc"]),
    "two files": lambda m: m[b"info"][b"file tree"].update({b"b" * 64: {b"": {b"length": 0}}}),
    "no file": lambda m: m[b"info"].update({b"file tree": {}}),
    "directory": lambda m: m[b"info"].update({b"file tree": {b"d": m[b"info"][b"file tree"]}}),
    "other name": lambda m: m[b"info"].update({b"name": b"f" * 64}),
    "path": lambda m: m[b"info"].update({b"name": b"../x", b"file tree": {b"../x": {b"": {}}}}),
    "empty": lambda m: set_file(m, length=0),
    "negative": lambda m: set_file(m, length=-1),
    "too long": lambda m: set_file(m, length=1 << 41),
    "too many pieces": lambda m: set_file(m, length=16_384 * 65_537),
    "longer than its hashes": lambda m: set_file(m, length=10 * MIB),
    "no root": lambda m: set_file(m, pieces_root=b"x"),
    "other root": lambda m: set_file(m, pieces_root=b"x" * 32),
    "pieces too large": lambda m: m[b"info"].update({b"piece length": 8 * MIB}),
    "pieces too small": lambda m: m[b"info"].update({b"piece length": 8_192}),
    "odd pieces": lambda m: m[b"info"].update({b"piece length": 16_384 * 3}),
    "no layers": lambda m: m.pop(b"piece layers"),
    "layers cut": lambda m: m[b"piece layers"].update({k: v[:-32] for k, v in m[b"piece layers"].items()}),
    "layers wrong": lambda m: m[b"piece layers"].update({k: bytes(len(v)) for k, v in m[b"piece layers"].items()}),
    "layers a list": lambda m: m.update({b"piece layers": []}),
    "info a list": lambda m: m.update({b"info": []}),
    "text for a number": lambda m: set_file(m, length=b"1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_refuses_all_that_is_not_ours(tmp_path, change):
    metainfo = metainfo_of(tmp_path, os.urandom(200_000), 16_384)
    read_torrent_file(metainfo)
    CHANGES[change](metainfo)
    with pytest.raises(TorrentFileError):
        read_torrent_file(metainfo)


@pytest.mark.parametrize("metainfo", [None, b"", 1, [], {}, {b"info": None}, {"info": {}}])
def test_refuses_other_shapes(metainfo):
    with pytest.raises(TorrentFileError):
        read_torrent_file(metainfo)

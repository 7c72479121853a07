"""`seed_server.store.content_store`: real files, and a real disk that is full."""

import contextlib
import hashlib
import os
from pathlib import Path

import pytest

from p2pdist.shared import merkle
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PieceIndex, Sha256Hex
from seed_server.store.content_store import ContentStore, DamagedPayloadError, read_piece_of, verify_piece
from tests.helpers.small_disk import small_disk

PIECE = 256 << 10
DATA = bytes(range(256)) * 3_000  # three pieces
SHA = Sha256Hex(hashlib.sha256(DATA).hexdigest())


def quiet(done: int, total: int) -> None:
    pass


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    (tmp_path / "content").mkdir()
    return ContentStore(tmp_path / "content")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "patch.bin"
    path.write_bytes(DATA)
    return path


def put(store: ContentStore, source: Path) -> None:
    with store.incoming(source, quiet) as incoming:
        store.keep(incoming)
    hashes = [merkle.piece_hash(DATA[at : at + PIECE], PIECE, len(DATA)) for at in range(0, len(DATA), PIECE)]
    store.write_piece_hashes(SHA, b"".join(hashes))


def test_a_kept_copy_stays_and_reports_its_progress(store: ContentStore, source: Path, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    with store.incoming(source, lambda done, total: progress.append((done, total))) as incoming:
        assert (incoming.sha256, incoming.length_bytes, incoming.path.name) == (SHA, len(DATA), SHA)
        assert not store.path(SHA).exists()
        store.keep(incoming)
    assert store.path(SHA).read_bytes() == DATA
    assert [path.name for path in (tmp_path / "content").iterdir()] == [SHA]
    assert progress[-1] == (len(DATA), len(DATA))


def test_a_copy_that_is_not_kept_vanishes(store: ContentStore, source: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with store.incoming(source, quiet):
        pass
    with pytest.raises(KeyboardInterrupt), store.incoming(source, interrupt):
        pass
    assert not list((tmp_path / "content").iterdir())


def test_leftovers_of_a_killed_copy_are_removed(store: ContentStore, source: Path, tmp_path: Path) -> None:
    put(store, source)
    leftover = tmp_path / "content" / ".incoming.0011"
    leftover.mkdir()
    (leftover / "payload").write_bytes(b"half")
    for name in ("ab" * 32, f"{'ab' * 32}.pieces", f".{SHA}.pieces.0123456789ab.tmp", "notes.txt"):
        (tmp_path / "content" / name).write_bytes(b"complete, but never announced; a temporary file; not ours")
    store.remove_leftovers({SHA})
    assert {path.name for path in (tmp_path / "content").iterdir()} == {SHA, f"{SHA}.pieces", "notes.txt"}


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "There is no file"),
        (Path.touch, "is empty"),
        (Path.mkdir, "is a directory"),
        (make_pipe, "not a regular file"),
        (lambda path: path.symlink_to(path), "Cannot read"),  # unreadable for root as well
    ],
)
def test_sources_that_are_refused(store: ContentStore, tmp_path: Path, make: object, words: str) -> None:
    path = tmp_path / "source"
    assert callable(make)
    make(path)
    with pytest.raises(UserError, match=words) as caught, store.incoming(path, quiet):
        pass
    assert caught.value.kind is FaultKind.BAD_INPUT
    assert not list((tmp_path / "content").iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file, whatever its mode")
def test_a_file_without_read_permission(store: ContentStore, source: Path) -> None:
    source.chmod(0)
    with pytest.raises(UserError, match="Permission denied"), store.incoming(source, quiet):
        pass


def test_a_source_that_changes_meanwhile(store: ContentStore, source: Path, tmp_path: Path) -> None:
    def grow(done: int, total: int) -> None:
        with source.open("ab") as file:
            file.write(b"x")

    with pytest.raises(UserError, match="changed while it was read"), store.incoming(source, grow):
        pass
    assert not list((tmp_path / "content").iterdir())


def test_pieces_are_read_and_verified(store: ContentStore, source: Path) -> None:
    put(store, source)
    hashes = store.piece_hashes(SHA)
    with store.open_payload(SHA) as file:
        for number, expected in enumerate(hashes):
            piece = store.read_piece(SHA, PieceIndex(number), PIECE)
            assert piece == DATA[number * PIECE : (number + 1) * PIECE]
            assert piece == read_piece_of(file, PieceIndex(number), PIECE)
            assert verify_piece(piece, expected, piece_length=PIECE, file_length=len(DATA))
    assert len(hashes) == 3


def test_a_payload_that_was_tampered_with_is_noticed(store: ContentStore, source: Path) -> None:
    put(store, source)
    path = store.path(SHA)
    path.write_bytes(DATA[:PIECE] + b"X" + DATA[PIECE + 1 :])
    good = [
        verify_piece(store.read_piece(SHA, PieceIndex(n), PIECE), expected, piece_length=PIECE, file_length=len(DATA))
        for n, expected in enumerate(store.piece_hashes(SHA))
    ]
    assert good == [True, False, True]
    path.write_bytes(DATA[: PIECE + 1])
    short = store.read_piece(SHA, PieceIndex(1), PIECE)
    assert not verify_piece(short, store.piece_hashes(SHA)[1], piece_length=PIECE, file_length=len(DATA))
    with pytest.raises(DamagedPayloadError, match="ends before piece 2"):
        store.read_piece(SHA, PieceIndex(2), PIECE)


def test_missing_and_damaged_files_are_named(store: ContentStore, source: Path, tmp_path: Path) -> None:
    for read in (lambda: store.read_piece(SHA, PieceIndex(0), PIECE), lambda: store.piece_hashes(SHA)):
        with pytest.raises(DamagedPayloadError, match=SHA):
            read()
    (tmp_path / "content" / f"{SHA}.pieces").write_bytes(b"short")
    with pytest.raises(DamagedPayloadError, match="is damaged"):
        store.piece_hashes(SHA)
    store.discard(SHA)
    store.discard(SHA)


def test_a_disk_that_is_too_small_is_refused_before_the_copy(tmp_path: Path, source: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk:
        with (
            pytest.raises(UserError, match="16.8 MB must") as caught,
            ContentStore(disk).incoming(source, quiet),
        ):
            pass
        assert caught.value.kind is FaultKind.STORAGE
        assert not list(disk.iterdir())


def test_a_disk_that_fills_up_during_the_copy(tmp_path: Path, source: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:

        def fill(done: int, total: int) -> None:
            with contextlib.suppress(OSError), (disk / "other").open("ab") as other:
                other.write(bytes(1 << 20))

        store = ContentStore(disk, copy_chunk_bytes=64 << 10, min_free_bytes_after_copy=0)
        full = pytest.raises(UserError, match=r"is full\. Free some space")
        with full as caught, store.incoming(source, fill):
            pass
        assert caught.value.kind is FaultKind.STORAGE
        assert [path.name for path in disk.iterdir()] == ["other"]


def test_a_store_that_cannot_be_looked_through_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "content").write_bytes(b"a file where the directory should be")
    store = ContentStore(tmp_path / "content")
    for remove in (lambda: store.remove_leftovers(set()), lambda: store.discard(SHA)):
        with pytest.raises(UserError, match="Check the directory and its permissions") as caught:
            remove()
        assert caught.value.kind is FaultKind.STORAGE

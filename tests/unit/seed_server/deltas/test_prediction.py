"""`seed_server.deltas.prediction`: real files, real frames; beside what all pieces take that are sent."""

import hashlib
import random
from pathlib import Path

import pytest

from p2pdist.shared.identifiers import PieceIndex, Sha256Hex
from seed_server.deltas.alignment import align
from seed_server.deltas.anchor_files import AnchorFiles
from seed_server.deltas.coder import code_by_base
from seed_server.deltas.prediction import (
    LEAST_DRAWN,
    MAX_DRAWN,
    MAX_PREDICTED_BASES,
    MAX_PREDICTION_BYTES,
    PREDICTION_LEVEL,
    FormerPayload,
    Predictions,
    kept_prediction,
)
from seed_server.store.content_store import ContentStore
from tests.helpers.fake_clock import FakeClock

PIECE = 256 << 10


class Store:
    def __init__(self, folder: Path) -> None:
        self.content, self.coded = ContentStore(folder), folder / "coded"
        self.folder, self.clock = folder, FakeClock(1_900_000_000.0)
        self.predictions = Predictions(self.content, self.coded, self.clock)

    def put(self, data: bytes) -> Sha256Hex:
        sha256 = hashlib.sha256(data).hexdigest()
        (self.folder / sha256).write_bytes(data)
        return Sha256Hex(sha256)

    def whole(self, base: Sha256Hex, new: Sha256Hex, length: int) -> int:
        anchors, total = AnchorFiles(self.content, self.coded), 0
        alignment = align(anchors.anchors(base), anchors.anchors(new))
        for index in range(-(-length // PIECE)):
            piece = self.content.read_piece(new, PieceIndex(index), PIECE)
            ranges = alignment.ranges(index * PIECE, len(piece))
            coded = code_by_base(self.content, base, ranges, piece, PREDICTION_LEVEL)
            total += len(piece) if coded is None else coded.line_bytes
        return total


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def version(seed: int, changed_parts: int, *, size: int = 12_000_000) -> bytes:
    """Return 12 MB, of which some parts of 100 kB are others than in the file of seed 0 and no change."""
    data, chance = bytearray(random.Random(7).randbytes(size)), random.Random(seed)
    for _ in range(changed_parts):
        place = chance.randrange(size - 100_000)
        data[place : place + 100_000] = chance.randbytes(100_000)
    return bytes(data)


def test_it_is_what_all_pieces_take(store: Store) -> None:
    base, data = store.put(version(0, 0)), version(1, 12)
    new = store.put(data)
    found = store.predictions.predict(new, len(data), PIECE, [FormerPayload("app@1", base)])
    assert found is not None
    (predicted,) = found.bases
    assert (predicted.patch, predicted.sha256) == ("app@1", base)
    assert predicted.expected.least <= store.whole(base, new, len(data)) <= predicted.expected.most
    assert found.alone.likely == len(data)  # it is random, and so it is sent whole
    assert kept_prediction(store.coded, new) == found


def test_the_former_version_that_is_most_alike_comes_first_and_no_more_than_three_are_looked_at(store: Store) -> None:
    formers = [FormerPayload(f"app@{n}", store.put(version(n, n * 5, size=3_000_000))) for n in (4, 3, 2, 1)]
    for one in formers:
        AnchorFiles(store.content, store.coded).anchors(Sha256Hex(one.sha256))
    formers.insert(0, FormerPayload("app@gone", "0" * 64))
    data = version(0, 0, size=3_000_000)
    new = store.put(data)
    found = store.predictions.predict(new, len(data), PIECE, [FormerPayload("app@same", new), *formers])
    assert found is not None
    assert [base.patch for base in found.bases] == ["app@2", "app@3", "app@4"]
    assert len(found.bases) == MAX_PREDICTED_BASES


def test_the_newest_is_read_and_others_only_up_to_a_bound_where_no_anchors_are_kept(store: Store) -> None:
    formers = [FormerPayload(f"app@{n}", store.put(version(n, 2, size=1_000_000))) for n in (3, 2, 1)]
    data = version(0, 0, size=1_000_000)
    new = store.put(data)
    fresh = Predictions(store.content, store.folder / "other", store.clock, most_read_bytes=1_999_999)
    found = fresh.predict(new, len(data), PIECE, formers)
    assert found is not None
    assert {base.patch for base in found.bases} == {"app@3"}
    fresh = Predictions(store.content, store.folder / "others", store.clock, most_read_bytes=3_000_000)
    found = fresh.predict(new, len(data), PIECE, formers)
    assert found is not None
    assert {base.patch for base in found.bases} == {"app@3", "app@2", "app@1"}


class SlowMachine(FakeClock):
    """Whenever one looks, more than half a second has gone by."""

    def monotonic(self) -> float:
        self.wall += 0.6
        return self.wall


def test_a_slow_machine_looks_at_fewer_pieces_and_is_less_sure(store: Store) -> None:
    chance, length = random.Random(3), 16 << 10
    data = b"".join(chance.choice([bytes(length), chance.randbytes(length)]) for _ in range(200))
    new, spreads = store.put(data), []
    for clock in (store.clock, SlowMachine()):
        found = Predictions(store.content, store.coded, clock).predict(new, len(data), length, [])
        assert found is not None
        spreads.append(found.alone.most / found.alone.least)
    assert LEAST_DRAWN < MAX_DRAWN
    assert spreads[1] > spreads[0]


def test_a_file_that_has_gone_is_not_predicted(store: Store) -> None:
    assert store.predictions.predict(Sha256Hex("1" * 64), 10, PIECE, []) is None
    assert kept_prediction(store.coded, "1" * 64) is None


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff" * 99, b"[" * (MAX_PREDICTION_BYTES + 1)])
def test_what_cannot_be_read_is_none(store: Store, text: bytes) -> None:
    store.coded.mkdir()
    (store.coded / f"{'1' * 64}.predicted").write_bytes(text)
    assert kept_prediction(store.coded, "1" * 64) is None


def test_what_is_kept_of_files_that_have_gone_goes(store: Store) -> None:
    gone, here = (store.put(bytes([n]) * 1_000) for n in range(2))
    for sha256 in (gone, here):
        assert store.predictions.predict(sha256, 1_000, PIECE, []) is not None
        AnchorFiles(store.content, store.coded).anchors(sha256)
    (store.coded / "another").touch()
    store.content.path(gone).unlink()
    store.predictions.predict(here, 1_000, PIECE, [])
    assert {path.name for path in store.coded.iterdir()} == {f"{here}.predicted", f"{here}.anchors", "another"}


def test_what_is_kept_is_within_its_cap(store: Store) -> None:
    patch = f"{'i' * 64}@{'v' * 64}"
    formers = [FormerPayload(patch, store.put(bytes([n]) * 1_000)) for n in range(MAX_PREDICTED_BASES)]
    new = store.put(b"x" * 1_000)
    found = store.predictions.predict(new, 1_000, PIECE, formers)
    assert found is not None
    assert len(found.bases) == MAX_PREDICTED_BASES
    assert kept_prediction(store.coded, new) == found

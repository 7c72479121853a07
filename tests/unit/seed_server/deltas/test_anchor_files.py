import hashlib
import random

import pytest

from p2pdist.shared.identifiers import Sha256Hex
from seed_server.deltas.anchor_files import MAX_ANCHOR_FILE_BYTES, AnchorFiles
from seed_server.deltas.anchors import SEARCHED_BYTES, anchors_of
from seed_server.deltas.beside import ANCHORS
from seed_server.store.content_store import ContentStore, DamagedPayloadError

DATA = random.Random(1).randbytes(3 * SEARCHED_BYTES)
SHA256 = Sha256Hex(hashlib.sha256(DATA).hexdigest())


@pytest.fixture
def files(tmp_path):
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / SHA256).write_bytes(DATA)
    return AnchorFiles(ContentStore(tmp_path / "content"), tmp_path / "coded")


def test_they_are_found_once_and_kept(files, tmp_path):
    assert files.anchors(SHA256) == anchors_of([DATA])
    (tmp_path / "content" / SHA256).unlink()  # the base of a later version may have gone by then
    assert files.anchors(SHA256) == anchors_of([DATA])


@pytest.mark.parametrize(
    "damage", [lambda d: d[:-1], lambda d: d[:30] + b"x" + d[31:], lambda _: b"", lambda d: b"x" + d]
)
def test_damaged_ones_are_found_anew(files, tmp_path, damage):
    files.anchors(SHA256)
    kept = tmp_path / "coded" / f"{SHA256}{ANCHORS}"
    kept.write_bytes(damage(kept.read_bytes()))
    assert files.anchors(SHA256) == anchors_of([DATA])
    assert files.anchors(SHA256) == anchors_of([DATA])


def test_a_file_that_is_too_long_is_not_read(files, tmp_path):
    files.anchors(SHA256)
    kept = tmp_path / "coded" / f"{SHA256}{ANCHORS}"
    kept.write_bytes(bytes(MAX_ANCHOR_FILE_BYTES + 1))
    assert files.anchors(SHA256) == anchors_of([DATA])


def test_where_they_cannot_be_kept_they_are_told_all_the_same(files, tmp_path):
    (tmp_path / "coded").write_bytes(b"")
    assert files.anchors(SHA256) == anchors_of([DATA])


def test_a_missing_payload_is_an_error(files):
    with pytest.raises(DamagedPayloadError, match="cannot open"):
        files.anchors(Sha256Hex("0" * 64))


def test_they_are_not_kept_where_the_disk_has_little_room(files, tmp_path):
    careful = AnchorFiles(ContentStore(tmp_path / "content"), tmp_path / "coded", min_free_bytes=1 << 60)
    assert careful.anchors(SHA256) == anchors_of([DATA])
    assert not (tmp_path / "coded").exists()

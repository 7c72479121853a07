"""`seed_server.deltas.beside`: what is kept of payloads has a bound, and leaves the disk some room."""

import os
from pathlib import Path

import pytest

from seed_server.deltas.anchor_files import MAX_ANCHOR_FILE_BYTES
from seed_server.deltas.beside import ANCHORS, MAX_BESIDE_BYTES, PREDICTED, Beside, beside, beside_path, keep_beside

A, B, C = ("abc"[n] * 64 for n in range(3))


@pytest.fixture
def coded(tmp_path: Path) -> Path:
    return tmp_path / "coded"


def kept(coded: Path) -> set[str]:
    return {f"{one.sha256[0]}{one.path.suffix}" for one in beside(coded)}


def test_what_was_written_longest_ago_goes_and_anchors_first(coded: Path) -> None:
    assert kept(coded) == set()
    for at, (sha256, suffix) in enumerate([(A, PREDICTED), (A, ANCHORS), (B, ANCHORS)]):
        keep_beside(coded, sha256, suffix, bytes(100), max_bytes=300)
        os.utime(beside_path(coded, sha256, suffix), (at, at))
    assert kept(coded) == {"a.predicted", "a.anchors", "b.anchors"}
    keep_beside(coded, C, ANCHORS, bytes(101), max_bytes=300)
    assert kept(coded) == {"a.predicted", "c.anchors"}
    keep_beside(coded, C, PREDICTED, bytes(250), max_bytes=300)
    assert kept(coded) == {"c.predicted"}


def test_it_is_not_written_where_the_disk_has_little_room(coded: Path) -> None:
    keep_beside(coded, A, ANCHORS, b"x", min_free_bytes=1 << 60)
    assert not coded.exists()


def test_a_folder_that_cannot_be_written_is_no_error(coded: Path) -> None:
    coded.write_bytes(b"")
    keep_beside(coded, A, ANCHORS, b"x")


def test_other_files_are_none_of_it(coded: Path) -> None:
    keep_beside(coded, A, PREDICTED, b"abc")
    (coded / "another").write_bytes(b"")
    (coded / B / "alone").mkdir(parents=True)
    (found,) = beside(coded)
    assert found == Beside(coded / f"{A}.predicted", found.sha256, 3, found.changed_at)


def test_a_payload_s_anchors_take_a_small_share_of_the_bound() -> None:
    assert MAX_ANCHOR_FILE_BYTES * 50 < MAX_BESIDE_BYTES

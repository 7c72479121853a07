"""`p2pdist.transfer.parcel_cut`: what becomes a file, and what is left of what does not."""

import hashlib
import os
from pathlib import Path

import pytest

from p2pdist.shared.identifiers import Sha256Hex
from p2pdist.transfer.parcel_cut import cut

PARTS = [b"first", b"second part", b"third"]
DATA = b"".join(PARTS)


def sha256(data: bytes) -> Sha256Hex:
    return Sha256Hex(hashlib.sha256(data).hexdigest())


def spans() -> list[tuple[int, int, Sha256Hex]]:
    at = [0, 5, 16]
    return [(offset, len(part), sha256(part)) for offset, part in zip(at, PARTS, strict=True)]


@pytest.fixture
def parcel(tmp_path: Path) -> Path:
    path = tmp_path / "parcel"
    path.write_bytes(DATA)
    return path


def test_each_part_is_a_file_whose_proof_holds(parcel: Path) -> None:
    proofs = cut(parcel, len(DATA), spans(), None)
    for part, proof in zip(PARTS, proofs, strict=True):
        assert proof is not None
        path = parcel.with_name(sha256(part))
        assert path.read_bytes() == part
        status = path.stat()
        assert (proof.length_bytes, proof.mtime_ns, proof.inode) == (
            len(part),
            status.st_mtime_ns,
            status.st_ino,
        )


def test_what_is_not_the_payload_becomes_no_file_and_the_others_do(parcel: Path) -> None:
    parcel.write_bytes(DATA.replace(b"second", b"hostil"))
    first, second, third = cut(parcel, len(DATA), spans(), None)
    assert all((first, third))
    assert second is None
    assert sorted(path.name for path in parcel.parent.iterdir()) == sorted(
        ["parcel", sha256(PARTS[0]), sha256(PARTS[2])]
    )


def test_a_parcel_that_is_shorter_or_gone_gives_what_it_has(parcel: Path) -> None:
    parcel.write_bytes(DATA[:12])
    assert [proof is not None for proof in cut(parcel, len(DATA), spans(), None)] == [True, False, False]
    parcel.unlink()
    assert cut(parcel, len(DATA), spans(), None) == [None, None, None]


def test_what_lies_under_a_payload_s_name_is_neither_followed_nor_changed(parcel: Path) -> None:
    victim, other = parcel.with_name("victim"), parcel.with_name("other")
    victim.write_bytes(b"mine")
    other.write_bytes(b"named twice")
    parcel.with_name(sha256(PARTS[0])).symlink_to(victim)
    os.link(other, parcel.with_name(sha256(PARTS[1])))
    assert all(cut(parcel, len(DATA), spans(), None))
    assert (victim.read_bytes(), other.read_bytes()) == (b"mine", b"named twice")
    assert parcel.with_name(sha256(PARTS[0])).read_bytes() == PARTS[0]


def test_a_full_disk_leaves_no_part_of_a_file(parcel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert cut(parcel, len(DATA), spans(), None) == [None, None, None]
    assert [path.name for path in parcel.parent.iterdir()] == ["parcel"]

"""`seed_server.deltas.aligning`, with its real child."""

import hashlib
import os
import random
from pathlib import Path

import pytest
import trio

from p2pdist.shared.identifiers import Sha256Hex
from seed_server.deltas import aligning
from seed_server.deltas.aligning import Aligner, AligningError
from seed_server.deltas.alignment import align
from seed_server.deltas.anchors import anchors_of
from seed_server.store.content_store import DamagedPayloadError

OLD = random.Random(1).randbytes(1 << 20)
NEW = OLD[:70_000] + b"something new" + OLD[70_000:]
OLD_SHA256, NEW_SHA256 = (Sha256Hex(hashlib.sha256(data).hexdigest()) for data in (OLD, NEW))


@pytest.fixture
def aligner(tmp_path: Path) -> Aligner:
    (tmp_path / "content").mkdir()
    for data in (OLD, NEW):
        (tmp_path / "content" / hashlib.sha256(data).hexdigest()).write_bytes(data)
    return Aligner(tmp_path / "content", tmp_path / "coded")


async def test_a_child_finds_the_same_and_keeps_the_anchors(aligner: Aligner) -> None:
    assert await aligner(OLD_SHA256, NEW_SHA256) == align(anchors_of([OLD]), anchors_of([NEW]))
    assert sorted(path.name for path in aligner.coded.iterdir()) == sorted(
        f"{sha256}.anchors" for sha256 in (OLD_SHA256, NEW_SHA256)
    )


async def test_a_missing_payload_is_named(aligner: Aligner) -> None:
    (aligner.content / OLD_SHA256).unlink()
    with pytest.raises(DamagedPayloadError, match=f"cannot open .*{OLD_SHA256}"):
        await aligner(OLD_SHA256, NEW_SHA256)


async def test_a_child_that_fails_says_why(aligner: Aligner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aligning, "__name__", "seed_server.no_such_module")
    with pytest.raises(AligningError, match="No module named seed_server.no_such_module"):
        await aligner(OLD_SHA256, NEW_SHA256)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
async def test_a_child_ends_with_who_waits_for_it(aligner: Aligner) -> None:
    (aligner.content / OLD_SHA256).unlink()
    os.mkfifo(aligner.content / OLD_SHA256)  # it is never opened at the other end: a disk that hangs
    with trio.move_on_after(1.0) as scope:
        await aligner(OLD_SHA256, NEW_SHA256)
    assert scope.cancelled_caught

"""`seed_server.origin.aligner`, with its real child."""

import contextlib
import hashlib
import os
import random
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest
import trio

from p2pdist.shared.identifiers import Sha256Hex
from p2pdist.shared.priority import OF_SESSION
from seed_server.deltas import aligning
from seed_server.deltas.alignment import align
from seed_server.deltas.anchors import anchors_of
from seed_server.origin.aligner import Aligner, AligningError
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


def children(aligner: Aligner) -> list[psutil.Process]:
    """Return the processes that align with this home."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            if os.fspath(aligner.coded) in process.cmdline() and aligning.__name__ in process.cmdline():
                found.append(process)
    return found


async def until(condition: Callable[[], object]) -> None:
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - another process
            await trio.sleep(0.02)


async def a_child_of(aligner: Aligner) -> psutil.Process:
    await until(lambda: children(aligner))
    return children(aligner)[0]


@pytest.fixture
def hanging(aligner: Aligner) -> Aligner:
    """Return one whose disk never answers: a pipe that nobody opens at the other end."""
    (aligner.content / OLD_SHA256).unlink()
    os.mkfifo(aligner.content / OLD_SHA256)
    return aligner


@pytest.mark.skipif(sys.platform != "linux", reason="signals and niceness as on Linux")
async def test_a_child_goes_with_other_programs_whatever_its_parent_does(hanging: Aligner) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    if os.geteuid() == 0:
        os.setpriority(os.PRIO_PROCESS, 0, before - 10)  # as the origin part
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hanging, OLD_SHA256, NEW_SHA256)
            child = await a_child_of(hanging)
            await until(lambda: 0 <= child.nice() <= max(0, before))
            if OF_SESSION.exists():
                session = Path(f"/proc/{child.pid}/autogroup")
                await until(lambda: 0 <= int(session.read_text().split()[-1]) <= max(0, before))
            nursery.cancel_scope.cancel()
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


@pytest.mark.skipif(sys.platform != "linux", reason="signals as on Linux")
async def test_a_child_ends_with_who_waits_for_it_though_it_hears_no_signal(hanging: Aligner) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as in the origin part
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hanging, OLD_SHA256, NEW_SHA256)
            await a_child_of(hanging)
            began = trio.current_time()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began < 2
        assert not children(hanging)
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.skipif(sys.platform != "linux", reason="signals as on Linux")
async def test_a_child_ends_with_a_server_that_is_killed(hanging: Aligner) -> None:
    lines = f"""
import trio
from pathlib import PosixPath
from seed_server.origin.aligner import Aligner
trio.run({hanging!r}, {OLD_SHA256!r}, {NEW_SHA256!r})
"""
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(trio.run_process, [sys.executable, "-c", lines], check=False))
        child = await a_child_of(hanging)
        server.kill()
    await until(lambda: not child.is_running())

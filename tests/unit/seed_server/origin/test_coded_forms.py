"""`seed_server.origin.coded_forms`, with the real cache and coder; at the port: tests/faults/origin_port."""

import hashlib
import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId, PieceIndex, Sha256Hex, TorrentHash
from p2pdist.shared.wire.fields import HELD_BYTES
from seed_server.deltas.alignment import Alignment
from seed_server.deltas.coded_cache import NO_BASE, CodedCache
from seed_server.deltas.piece_coding import PieceCoding
from seed_server.leasing.builders import Builders
from seed_server.origin.aligner import AligningError
from seed_server.origin.alignments import LEAST_ALIGN_SECONDS, MOST_ALIGNED_AHEAD
from seed_server.origin.coded_forms import (
    CODING_THREADS,
    LEAST_PATIENCE_SECONDS,
    MAX_MAKING,
    RATED_AT_ONCE,
    CodedForms,
)
from seed_server.origin.decoding import Decoding
from seed_server.origin.outside_log import OutsideLog
from seed_server.store.content_store import ContentStore
from seed_server.store.piece_source import PieceSource
from seed_server.store.rows import ServedPayload
from tests.helpers.aligning import aligned_here
from tests.helpers.stored_payloads import PIECE_LENGTH, TEXT, store_payload

OLD = random.Random(1).randbytes(12 * PIECE_LENGTH)
NEW = OLD[: 5 * PIECE_LENGTH] + b"something new" + OLD[5 * PIECE_LENGTH :]
OTHER = random.Random(2).randbytes(12 * PIECE_LENGTH)


@dataclass
class Site:
    """A site, as far as is asked here; ``woken`` counts."""

    sessions: dict[EndpointId, Any] = field(default_factory=dict)
    woken: int = 0

    def __post_init__(self) -> None:
        self.ledger = SimpleNamespace(builders=Builders())

    def wake_all(self) -> None:
        self.woken += 1


class SlowCoding(PieceCoding):
    """Aligns nothing, and looks at nothing, while it is held up."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.may_align, self.may_look = trio.Event(), threading.Event()
        self.may_align.set()
        self.may_look.set()

    async def align(self, *pair: Any) -> None:
        await self.may_align.wait()
        await super().align(*pair)

    def look(self, *piece: Any, ahead: int) -> Any:
        self.may_look.wait(20)
        return super().look(*piece, ahead=ahead)


class Server:
    def __init__(self, root: Path) -> None:
        (root / "content").mkdir()
        self.content = ContentStore(root / "content")
        self.cache = CodedCache(root / "coded", min_free_bytes=0)
        coding = SlowCoding(self.content, aligned_here(self.content, root / "coded"), self.cache)
        self.coding = coding
        self.forms = CodedForms(coding, PieceSource(self.content), OutsideLog())
        self.site = Site()
        self.forms.sessions = lambda: [(session, cast("Any", self.site)) for session in self.site.sessions.values()]

    def publish(self, data: bytes, sequence: int, patch_id: str = "app") -> ServedPayload:
        return store_payload(self.content, data, sequence, patch_id)

    def pcs(self, count: int, *has: bytes) -> None:
        """Connect so many PCs that have told of these payloads."""
        told = b"".join(hashlib.sha256(data).digest()[:HELD_BYTES] for data in has)
        for _ in range(count):
            endpoint = EndpointId(f"{len(self.site.sessions):026}")
            decoding = Decoding()
            decoding.told(told)
            self.site.sessions[endpoint] = SimpleNamespace(endpoint=endpoint, decoding=decoding)

    def builders(self, payload: ServedPayload) -> int:
        return len(self.site.ledger.builders.of_torrent.get(TorrentHash(payload.torrent_hash), ()))


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


async def test_who_has_a_former_version_builds_and_its_site_is_woken_once(server: Server) -> None:
    old, new = server.publish(OLD, 1), server.publish(NEW, 2)
    server.pcs(3, OLD)
    server.pcs(2, OTHER)
    await server.forms.learn([old, new], [new])
    assert (server.builders(new), server.site.woken) == (3, 1)
    await server.forms.learn([new], [new])
    assert (server.builders(new), server.site.woken) == (0, 2)


async def test_at_a_reload_for_something_else_nobody_is_rated(server: Server) -> None:
    rows = [server.publish(OLD, 1), server.publish(NEW, 2)]
    server.pcs(3, OLD)
    await server.forms.learn(rows, rows)

    def nobody() -> Any:
        raise AssertionError("rated")

    server.forms.sessions = nobody
    await server.forms.learn(rows, rows)


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[trio.Nursery]:
    """Code pieces as long as this block lasts; what is started beside ends with it."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.forms.run)
        await server.forms.started.wait()
        yield nursery
        nursery.cancel_scope.cancel()


async def test_the_event_loop_goes_on_while_many_are_rated(server: Server) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    rows = [server.publish(OLD, 1), server.publish(NEW, 2)]
    server.pcs(40 * RATED_AT_ONCE, OLD)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await server.forms.learn(rows[:1], rows[:1])
        before = turns
        await server.forms.learn(rows, rows)
        assert turns - before >= 30
        nursery.cancel_scope.cancel()
    assert server.builders(rows[1]) == 40 * RATED_AT_ONCE


async def test_who_reloaded_may_leave_in_the_midst_of_it_and_all_are_rated_next_time(server: Server) -> None:
    rows = [server.publish(OLD, 1), server.publish(NEW, 2)]
    server.pcs(4 * RATED_AT_ONCE, OLD)
    with trio.CancelScope() as scope:
        sessions = server.forms.sessions

        def leave() -> Any:
            scope.cancel()
            return sessions()

        server.forms.sessions = leave
        await server.forms.learn(rows, rows)
    assert server.builders(rows[1]) < 4 * RATED_AT_ONCE
    server.forms.sessions = sessions
    await server.forms.learn(rows, rows)
    assert server.builders(rows[1]) == 4 * RATED_AT_ONCE


async def test_who_has_left_meanwhile_builds_nothing(server: Server) -> None:
    rows = [server.publish(OLD, 1), server.publish(NEW, 2)]
    server.pcs(2, OLD)
    everybody = list(server.site.sessions.values())
    server.site.sessions.popitem()
    server.forms.sessions = lambda: [(session, cast("Any", server.site)) for session in everybody]
    await server.forms.learn(rows, rows)
    assert server.builders(rows[1]) == 1


async def test_what_has_nothing_in_common_is_remembered_over_reloads_and_what_cannot_be_read_is_not(
    server: Server,
) -> None:
    old, new, other = server.publish(OLD, 1), server.publish(NEW, 3), server.publish(OTHER, 2)
    await server.forms.learn([old, other, new], [new])
    await server.forms._lose(new, other.sha256, "")
    await server.forms._lose(new, old.sha256, "a bad sector")
    bases = [Sha256Hex(old.sha256), Sha256Hex(other.sha256)]
    assert server.forms.base(new, bases) == "alone"
    await server.forms.learn([old, other, new], [new])
    assert server.forms.base(new, bases[1:]) == "alone"
    assert server.forms.base(new, bases) == old.sha256


FAST = BytesPerSecond(1_000_000_000)


async def test_an_alignment_is_waited_for_once_and_keeps_nobody_else_waiting(server: Server) -> None:
    old, new, text = server.publish(OLD, 1), server.publish(NEW, 2), server.publish(TEXT, 3, "text")
    await server.forms.learn([old, new, text], [new, text])
    server.coding.may_align = trio.Event()
    async with running(server):
        began = trio.current_time()
        for turn in range(3 * MAX_MAKING):
            piece = PieceIndex(turn % new.piece_count)
            assert await server.forms.form(new, piece, old.sha256, FAST) is None
        assert LEAST_ALIGN_SECONDS <= trio.current_time() - began < 2 * LEAST_ALIGN_SECONDS
        assert await server.forms.form(text, PieceIndex(0), NO_BASE, FAST) is not None
        server.coding.may_align.set()
        with trio.fail_after(10):
            await server.forms.alignments.begin(new, old.sha256).done.wait()
        coded = await server.forms.form(new, PieceIndex(0), old.sha256, FAST)
        assert coded is not None
        assert coded.base == old.sha256


NEW_TEXT = TEXT[: 3 * PIECE_LENGTH] + b"a line that is new\n" + TEXT[3 * PIECE_LENGTH :]


async def test_what_is_not_aligned_yet_is_coded_alone_and_not_sent_whole(server: Server) -> None:
    old, new = server.publish(TEXT, 1), server.publish(NEW_TEXT, 2)
    await server.forms.learn([old, new], [new])
    server.coding.may_align = trio.Event()
    async with running(server):
        coded = await server.forms.form(new, PieceIndex(0), old.sha256, FAST)
        assert coded is not None
        assert coded.base == ""
        assert await server.forms.form(new, PieceIndex(0), old.sha256, FAST, or_alone=False) is None
        server.coding.may_align.set()
        with trio.fail_after(10):
            await server.forms.alignments.begin(new, old.sha256).done.wait()
            # on a busy machine its thread may not come to it in time, and what is kept alone goes
            while (coded := await server.forms.form(new, PieceIndex(0), old.sha256, FAST)) is None or not coded.base:
                pass
        assert coded.base == old.sha256


async def test_what_is_not_coded_by_a_base_in_time_goes_as_it_is_kept_alone(server: Server) -> None:
    old, new = server.publish(TEXT, 1), server.publish(NEW_TEXT, 2)
    await server.forms.learn([old, new], [new])
    async with running(server) as nursery:
        await server.forms.alignments.begin(new, old.sha256).done.wait()
        assert await server.forms.form(new, PieceIndex(0), NO_BASE, FAST) is not None
        may_code = threading.Event()
        for _ in range(CODING_THREADS):
            nursery.start_soon(server.forms.threads.run, may_code.wait)
        try:
            began = trio.current_time()
            coded = await server.forms.form(new, PieceIndex(0), old.sha256, FAST)
            assert coded is not None
            assert coded.base == ""
            assert await server.forms.form(new, PieceIndex(new.piece_count - 1), old.sha256, FAST) is None
            assert await server.forms.form(new, PieceIndex(0), old.sha256, FAST, or_alone=False) is None
            assert trio.current_time() - began < 6 * LEAST_PATIENCE_SECONDS
        finally:
            may_code.set()


async def test_what_is_published_is_aligned_before_anybody_asks_but_not_all_that_there_is(server: Server) -> None:
    versions = [server.publish(OLD + bytes([at]), at) for at in range(MOST_ALIGNED_AHEAD + 3)]
    others = [server.publish(OTHER + bytes([at]), 100 + at, f"app{at}") for at in range(MOST_ALIGNED_AHEAD)]
    async with running(server):
        await server.forms.learn(versions[:2], versions[:2])
        assert not server.forms.alignments.under_way, "a server that has just started"
        server.coding.may_align = trio.Event()
        await server.forms.learn([*versions, *others], [*versions, *others])
        assert {new for _, new in server.forms.alignments.under_way} == {
            row.sha256 for row in versions[-MOST_ALIGNED_AHEAD:]
        }
        server.coding.may_align.set()
        with trio.fail_after(10):
            for aligning in list(server.forms.alignments.under_way.values()):
                await aligning.done.wait()
        assert server.coding.is_aligned(Sha256Hex(versions[-2].sha256), Sha256Hex(versions[-1].sha256))


async def test_what_cannot_be_aligned_is_no_base_and_the_others_are_coded_on(server: Server) -> None:
    old, new = server.publish(OLD, 1), server.publish(NEW, 2)
    await server.forms.learn([old, new], [new])
    server.content.path(Sha256Hex(old.sha256)).unlink()
    async with running(server):
        assert await server.forms.form(new, PieceIndex(0), old.sha256, FAST) is None
        assert server.forms.base(new, [Sha256Hex(old.sha256)]) == NO_BASE


async def test_what_could_not_be_aligned_for_another_reason_is_tried_again_later(server: Server) -> None:
    server.forms = CodedForms(server.coding, PieceSource(server.content), OutsideLog(), align_again_seconds=0.5)
    old, new = server.publish(OLD, 1), server.publish(NEW, 2)
    await server.forms.learn([old, new], [new])
    find, asked = server.coding.find_alignment, list[str]()

    async def fails_once(base: Sha256Hex, payload: Sha256Hex) -> Alignment:
        asked.append(base)
        if len(asked) == 1:
            raise AligningError("killed")
        return await find(base, payload)

    server.coding.find_alignment = fails_once
    async with running(server):
        for _ in range(3):
            assert await server.forms.form(new, PieceIndex(0), old.sha256, FAST) is None
        assert len(asked) == 1
        assert server.forms.base(new, [Sha256Hex(old.sha256)]) == old.sha256
        await trio.sleep(0.5)
        coded = await server.forms.form(new, PieceIndex(0), old.sha256, FAST)
        assert coded is not None
        assert coded.base == old.sha256


async def test_a_slow_disk_is_not_waited_for_longer_than_the_line(server: Server) -> None:
    text = server.publish(TEXT, 1)
    await server.forms.learn([text], [text])
    server.coding.may_look.clear()
    async with running(server):
        began = trio.current_time()
        assert await server.forms.form(text, PieceIndex(0), NO_BASE, FAST) is None
        assert trio.current_time() - began < 2 * LEAST_PATIENCE_SECONDS
        server.coding.may_look.set()

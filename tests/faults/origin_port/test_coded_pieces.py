"""Pieces coded by what an endpoint has of a former version: what it is sent, and what may go wrong about it."""

import hashlib
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from pytest_trio import trio_fixture

from bandwidth.profiles.parse import parse_profile
from p2pdist.shared.coded_pieces import decode_piece
from p2pdist.shared.identifiers import Sha256Hex, SiteName
from p2pdist.shared.wire.data_messages import CodedPiece, Piece
from p2pdist.shared.wire.features import CODED_PIECES
from p2pdist.shared.wire.fields import HELD_BYTES
from p2pdist.shared.wire.messages import Bases, PieceRejected, PieceStored, PieceUndecoded
from seed_server.deltas.coded_cache import CodedCache
from seed_server.deltas.piece_coding import PieceCoding
from seed_server.leasing.standing import SENT_SHARE, SENT_SPARE_PIECES
from seed_server.origin.sender import MAX_HELD_BYTES
from seed_server.store.content_store import ContentStore
from seed_server.store.database import ServedPayload
from tests.helpers.aligning import aligned_here
from tests.helpers.origin_endpoint import Closed, Connection, Endpoint
from tests.helpers.origin_harness import PIECE_BYTES, Lab, running_lab

OLD = random.Random(1).randbytes(12 * PIECE_BYTES)
NEW = OLD[: 3 * PIECE_BYTES] + b"what is new" * 30 + OLD[3 * PIECE_BYTES : -200]
TEXT = b"".join(b"line %d: words, words and words\n" % (i * 7919) for i in range(20_000))


def coding(content: ContentStore, directory: Path, min_free_bytes: int = 0) -> PieceCoding:
    cache = CodedCache(directory, min_free_bytes=min_free_bytes)
    return PieceCoding(content, aligned_here(content, directory), cache)


@trio_fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running_lab(tmp_path, coding=coding, deadline_seconds=30.0) as running:
        yield running


def told(*payloads: bytes) -> Bases:
    return Bases(payloads=b"".join(hashlib.sha256(data).digest()[:HELD_BYTES] for data in payloads))


async def a_pc(lab: Lab, **changes: Any) -> Endpoint:
    return await lab.endpoint(features=(CODED_PIECES,), **changes)


async def versions(lab: Lab, old: bytes = OLD, new: bytes = NEW) -> tuple[ServedPayload, ServedPayload]:
    return (
        await lab.publish(data=old, sequence=1, patch_id="app"),
        await lab.publish(data=new, sequence=2, patch_id="app"),
    )


async def any_piece(connection: Connection) -> Piece | CodedPiece:
    message = await connection.expect(Piece | CodedPiece)  # type: ignore[arg-type]
    assert isinstance(message, Piece | CodedPiece)
    return message


def made_of(piece: Piece | CodedPiece, bases: dict[str, bytes]) -> bytes:
    if isinstance(piece, Piece):
        return piece.data
    base = bases[piece.base] if piece.base else b""
    prefix = b"".join(base[offset : offset + length] for offset, length in piece.ranges)
    return decode_piece(piece.codec, piece.data, prefix, length_bytes=piece.length_bytes)


async def fetched(lab: Lab, pc: Endpoint, patch: ServedPayload, *bases: bytes) -> list[Piece | CodedPiece]:
    """Receive all of a patch, and see that it is right."""
    known = {hashlib.sha256(data).hexdigest(): data for data in bases}
    got = []
    for _ in range(patch.piece_count):
        piece = await any_piece(pc.data)
        assert made_of(piece, known) == lab.piece(patch, piece.piece)
        await pc.control.send(PieceStored(torrent=piece.torrent, piece=piece.piece))
        got.append(piece)
    return got


async def sent_to_site(lab: Lab, patch: ServedPayload) -> int:
    await lab.server._records.flush()
    return sum(count for (_, torrent), count in lab.database.wan_bytes().items() if torrent == patch.torrent_hash)


class TestWhoHasTheFormerVersion:
    async def test_is_sent_what_has_changed(self, lab: Lab) -> None:
        _, new = await versions(lab)
        pc = await a_pc(lab)
        await pc.control.send(told(OLD))
        await pc.want(new)
        got = await fetched(lab, pc, new, OLD)
        coded = [piece for piece in got if isinstance(piece, CodedPiece)]
        assert len(coded) >= new.piece_count - 1  # the first may have been wanted before anything was known
        assert all(piece.base == hashlib.sha256(OLD).hexdigest() for piece in coded)
        line = sum(len(piece.data) for piece in got)
        assert await sent_to_site(lab, new) == line
        assert sum(len(piece.data) for piece in coded) < 5_000

    async def test_goes_before_a_better_one_that_has_not(self, lab: Lab) -> None:
        _, new = await versions(lab)
        other, pc = await a_pc(lab, uptime_seconds=10_000), await a_pc(lab, wired=False)
        await pc.control.send(told(OLD))
        await pc.want(new)
        await other.want(new)
        await fetched(lab, pc, new, OLD)
        with trio.move_on_after(0.3):
            raise AssertionError(await any_piece(other.data))

    async def test_is_waited_for_when_others_ask_first(self, lab: Lab) -> None:
        _, new = await versions(lab)
        other, pc = await a_pc(lab), await a_pc(lab, wired=False)
        await other.want(new)
        await trio.sleep(0.5)
        await pc.control.send(told(OLD))
        await pc.want(new)
        got = await fetched(lab, pc, new, OLD)
        assert all(isinstance(piece, CodedPiece) and piece.base for piece in got)
        with trio.move_on_after(0.3):
            raise AssertionError(await any_piece(other.data))

    async def test_is_sent_the_better_of_two(self, lab: Lab) -> None:
        oldest = OLD[: len(OLD) // 2]
        await lab.publish(data=oldest, sequence=1, patch_id="app")
        await lab.publish(data=OLD, sequence=2, patch_id="app")
        new = await lab.publish(data=NEW, sequence=3, patch_id="app")
        pc = await a_pc(lab)
        await pc.control.send(told(oldest, OLD))
        await pc.want(new)
        got = await fetched(lab, pc, new, OLD, oldest)
        assert {piece.base for piece in got[2:] if isinstance(piece, CodedPiece)} == {hashlib.sha256(OLD).hexdigest()}

    async def test_frames_are_made_once_for_all(self, lab: Lab) -> None:
        _, new = await versions(lab)
        first = await a_pc(lab)
        await first.control.send(told(OLD))
        await first.want(new)
        await fetched(lab, first, new, OLD)
        await first.aclose()
        lab.payload(new).rename(lab.root / "gone")  # nothing of it is read again
        second = await a_pc(lab)
        await second.control.send(told(OLD))
        await second.want(new)
        piece = await any_piece(second.data)
        assert isinstance(piece, CodedPiece)


class TestWhoHasNone:
    async def test_gets_text_compressed(self, lab: Lab) -> None:
        patch = await lab.publish(data=TEXT)
        pc = await a_pc(lab)
        await pc.want(patch)
        got = await fetched(lab, pc, patch)
        assert sum(isinstance(piece, CodedPiece) for piece in got) >= patch.piece_count - 1
        assert await sent_to_site(lab, patch) == sum(len(piece.data) for piece in got) < len(TEXT)

    async def test_gets_random_bytes_as_they_are_and_nothing_is_kept(self, lab: Lab) -> None:
        patch = await lab.publish(5)
        pc = await a_pc(lab)
        await pc.want(patch)
        assert all(isinstance(piece, Piece) for piece in await fetched(lab, pc, patch))
        assert not list((lab.root / "coded").rglob("*-*"))

    async def test_an_older_release_gets_pieces_as_ever(self, lab: Lab) -> None:
        _, new = await versions(lab)
        text = await lab.publish(data=TEXT, sequence=3)
        pc = await lab.endpoint()
        for patch in (new, text):
            await pc.want(patch)
            assert all(isinstance(piece, Piece) for piece in await fetched(lab, pc, patch))

    async def test_an_older_release_that_tells_of_bases_is_none(self, lab: Lab) -> None:
        pc = await lab.endpoint()
        await pc.control.send(told(OLD))
        assert "takes no coded pieces" in await pc.control.closed()

    @pytest.mark.parametrize("said", [Bases(payloads=os.urandom(256 * HELD_BYTES)), Bases(payloads=b"")])
    async def test_bases_that_nobody_knows_are_none(self, lab: Lab, said: Bases) -> None:
        _, new = await versions(lab)
        pc = await a_pc(lab)
        await pc.control.send(said)
        await pc.want(new)
        got = await fetched(lab, pc, new)
        assert not any(isinstance(piece, CodedPiece) and piece.base for piece in got)

    async def test_a_part_of_a_hash_is_refused(self, lab: Lab) -> None:
        pc = await a_pc(lab)
        await pc.control.send(Bases(payloads=b"x" * 9))
        assert "a part of a hash" in await pc.control.closed()


class TestWhatGoesWrong:
    async def test_a_base_that_has_left_the_server_is_of_no_use(self, lab: Lab) -> None:
        old, new = await versions(lab)
        lab.payload(old).unlink()
        pc = await a_pc(lab)
        await pc.control.send(told(OLD))
        await pc.want(new)
        got = await fetched(lab, pc, new)
        assert not any(isinstance(piece, CodedPiece) and piece.base for piece in got)
        await lab.still_serves()

    async def test_a_base_that_is_cut_off_on_the_server_is_of_no_use(self, lab: Lab) -> None:
        old, new = await versions(lab)
        pc = await a_pc(lab)
        await pc.control.send(told(OLD))
        await lab.server._forms.coding.align(Sha256Hex(old.sha256), Sha256Hex(new.sha256))
        lab.payload(old).write_bytes(b"")
        await pc.want(new)
        assert all(isinstance(piece, Piece) for piece in await fetched(lab, pc, new))

    async def test_a_coder_that_fails_ends_nothing_and_the_pieces_go_whole(self, lab: Lab) -> None:
        def no_memory(*_: object) -> None:
            raise MemoryError

        lab.server._forms.coding.make = no_memory  # type: ignore[method-assign,assignment]
        _, new = await versions(lab)
        pc = await a_pc(lab)
        await pc.control.send(told(OLD))
        await pc.want(new)
        assert all(isinstance(piece, Piece) for piece in await fetched(lab, pc, new))
        await lab.still_serves()

    async def test_a_base_that_has_a_bad_sector_on_the_server_spoils_no_frame(self, lab: Lab) -> None:
        at, wrong = 7 * PIECE_BYTES, os.urandom(4096)
        old, new = await versions(lab, new=OLD[: at + 8192] + wrong + OLD[at + 8192 :])
        lab.payload(old).write_bytes(OLD[:at] + wrong + OLD[at + 4096 :])
        pc = await a_pc(lab)
        await pc.control.send(told(OLD))
        await pc.want(new)
        await fetched(lab, pc, new, OLD)  # each is right, and none by what is damaged

    async def test_damaged_frames_are_made_anew(self, lab: Lab) -> None:
        _, new = await versions(lab)
        for turn in range(2):
            pc = await a_pc(lab)
            await pc.control.send(told(OLD))
            await pc.want(new)
            got = await fetched(lab, pc, new, OLD)
            assert turn == 0 or all(isinstance(piece, CodedPiece) for piece in got[1:])
            await pc.aclose()
            for path in (lab.root / "coded").rglob("*-*"):
                path.write_bytes(os.urandom(path.stat().st_size))

    async def test_what_was_not_decoded_goes_whole_and_that_base_is_used_no_more(self, lab: Lab) -> None:
        _, new = await versions(lab)
        pc = await a_pc(lab)
        await pc.control.send(told(OLD))
        await pc.want(new)
        undecoded, stored = set[int](), set[int]()
        while len(stored) < new.piece_count:
            piece = await any_piece(pc.data)
            if isinstance(piece, CodedPiece):
                assert piece.piece not in undecoded
                undecoded.add(piece.piece)
                await pc.control.send(PieceUndecoded(torrent=piece.torrent, piece=piece.piece, base=piece.base))
            else:
                assert piece.data == lab.piece(new, piece.piece)
                stored.add(piece.piece)
                await pc.control.send(PieceStored(torrent=piece.torrent, piece=piece.piece))
        assert undecoded
        await lab.still_serves()

    async def test_who_never_decodes_anything_costs_a_bounded_number_of_bytes(self, lab: Lab) -> None:
        _, new = await versions(lab)
        lost, identity = 0, lab.identity()
        for _ in range(8):
            pc = await a_pc(lab, identity=identity)
            await pc.control.send(told(OLD))
            await pc.want(new)
            with trio.move_on_after(0.3):
                while True:
                    piece = await any_piece(pc.data)
                    lost += 1
                    await pc.control.send(PieceUndecoded(torrent=piece.torrent, piece=piece.piece, base=OLD_SHA))
            await pc.aclose()
        assert new.piece_count < lost <= new.piece_count * SENT_SHARE + SENT_SPARE_PIECES + 1
        await lab.still_serves()

    async def test_who_decodes_nothing_that_goes_whole_pauses_and_others_are_sent_it(self, lab: Lab) -> None:
        _, new = await versions(lab)
        liar, honest = await a_pc(lab, uptime_seconds=10_000), await a_pc(lab)
        await liar.control.send(told(OLD))
        await liar.want(new)
        whole = list[int]()
        async with trio.open_nursery() as nursery:

            async def lie() -> None:
                while True:
                    piece = await any_piece(liar.data)
                    if isinstance(piece, Piece):
                        whole.append(piece.piece)
                    told_base = PieceUndecoded(torrent=piece.torrent, piece=piece.piece, base="f" * 64)
                    await liar.control.send(told_base)

            nursery.start_soon(lie)
            await trio.sleep(0.2)
            await honest.want(new)
            await fetched(lab, honest, new)
            nursery.cancel_scope.cancel()
        assert len(whole) <= 2

    async def test_answers_beyond_the_pieces_end_the_connection(self, lab: Lab) -> None:
        pc = await a_pc(lab)
        for _ in range(600):
            await pc.control.send(PieceUndecoded(torrent="ab" * 32, piece=0, base=""))
        assert "more answers than pieces were sent" in await pc.control.closed()

    async def test_a_rejected_piece_is_blamed_as_ever(self, lab: Lab) -> None:
        _, new = await versions(lab)
        pc = await a_pc(lab)
        await pc.control.send(told(OLD))
        await pc.want(new)
        piece = await any_piece(pc.data)
        await pc.control.send(PieceRejected(torrent=piece.torrent, piece=piece.piece))
        await trio.testing.wait_all_tasks_blocked(0.05)
        await pc.aclose()
        again = await a_pc(lab, identity=pc.identity)
        await again.control.send(told(OLD))
        await again.want(new)
        with trio.move_on_after(0.3):
            raise AssertionError(await any_piece(again.data))  # it pauses
        other = await a_pc(lab)
        await other.want(new)
        await fetched(lab, other, new)


HALF = b"".join(bytes([one, 0]) for one in random.Random(2).randbytes(4 * PIECE_BYTES))
BLACKOUT = parse_profile('name = "stop"\ntime_zone = "UTC"\n[[blackout]]\nname = "all day"\n', source="stop")
SLOW = '[[site]]\nname = "a"\nnetworks = ["127.0.8.0/24"]\nline_mbit = 0.6\n'


@pytest.mark.parametrize("held_bytes", [None, 0])
async def test_a_line_that_stops_in_the_midst_of_a_form_goes_on_with_it_though_it_was_not_kept(
    tmp_path: Path, held_bytes: int | None
) -> None:
    def no_room(content: ContentStore, directory: Path) -> PieceCoding:
        return coding(content, directory, min_free_bytes=1 << 62)

    async with (
        running_lab(tmp_path, coding=no_room, sites=SLOW, deadline_seconds=30.0) as lab,
        trio.open_nursery() as nursery,
    ):
        sender = lab.server._sender
        if held_bytes is not None:
            sender._held_bytes = MAX_HELD_BYTES  # others hold as much as may be
        patch = await lab.publish(data=HALF)
        pc = await a_pc(lab)
        got, ended = list[Piece | CodedPiece](), list[str]()

        async def receive() -> None:
            while len(got) < patch.piece_count:
                try:
                    piece = await any_piece(pc.data)
                except Closed as closed:
                    ended.append(str(closed))
                    return
                assert made_of(piece, {}) == lab.piece(patch, piece.piece)
                got.append(piece)
                await pc.control.send(PieceStored(torrent=piece.torrent, piece=piece.piece))

        await pc.want(patch)
        nursery.start_soon(receive)
        while len(got) < 2:  # noqa: ASYNC110 - its progress
            await trio.sleep(0.01)
        live = lab.server._fleet._live[SiteName("a")]
        lab.server.replace_profiles({SiteName("a"): BLACKOUT})
        while live.link_rate != 0:  # noqa: ASYNC110 - the site's next decision
            await trio.sleep(0.01)
        await trio.sleep(0.5)
        stopped_at = len(got)
        assert (0 < sender._held_bytes < PIECE_BYTES) or held_bytes is not None
        lab.server.replace_profiles({})
        while len(got) < patch.piece_count and not ended:  # noqa: ASYNC110 - its progress
            await trio.sleep(0.01)
        assert stopped_at < patch.piece_count
        assert bool(ended) == (held_bytes is not None), "then it connects again"
        if ended:
            return
        assert sum(isinstance(piece, CodedPiece) for piece in got) >= patch.piece_count - 2
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert sender._held_bytes == 0


OLD_SHA = hashlib.sha256(OLD).hexdigest()


async def test_without_room_for_frames_they_are_sent_all_the_same(tmp_path: Path) -> None:
    def no_room(content: ContentStore, directory: Path) -> PieceCoding:
        return coding(content, directory, min_free_bytes=1 << 62)

    async with running_lab(tmp_path, coding=no_room, deadline_seconds=30.0) as lab:
        _, new = await versions(lab)
        pc = await a_pc(lab)
        await pc.control.send(told(OLD))
        await pc.want(new)
        got = await fetched(lab, pc, new, OLD)
        assert sum(isinstance(piece, CodedPiece) for piece in got) >= new.piece_count - 1
        assert not list((tmp_path / "coded").rglob("*-*"))

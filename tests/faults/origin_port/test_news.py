"""News of the signed files at the origin port: each in the form that a PC reads, and large ones once for a site."""

import random
import threading
from pathlib import Path

import trio
import trio.testing

from bandwidth.profiles.parse import parse_profile
from p2pdist.shared.identifiers import SiteName, TorrentHash
from p2pdist.shared.wire import bitfield
from p2pdist.shared.wire.data_messages import Piece
from p2pdist.shared.wire.messages import (
    News,
    NewsWanted,
    PieceRejected,
    PieceStored,
    RepositoryChanged,
    Unavailable,
    Want,
)
from p2pdist.shared.wire.news_torrent import NEWS_PIECE_BYTES, describe_news, make_torrent
from p2pdist.shared.wire.signed_files import VERSIONS_DIGEST_BYTES, TrustTold
from p2pdist.shared.wire.trust_news import TrustNews, encode_news
from p2pdist.transfer.states import giving_up
from seed_server.origin.paced_news import SWAPPED_NEWS_BYTES
from seed_server.signing.metadata import NewestTimestamp
from seed_server.store.trust_news import BY_DIFFERENCES, NewsForm
from tests.helpers.origin_endpoint import Endpoint
from tests.helpers.origin_harness import running_lab

FEATURES = ("changed_news", "shared_news")
SITES = '[[site]]\nname = "a"\nnetworks = ["127.0.8.0/24"]\n'
LARGE = random.Random(1).randbytes(2 * NEWS_PIECE_BYTES + 1)
TOLD = describe_news(LARGE)
TORRENT = make_torrent(TOLD).torrent_hash


def forms(_root: int, _snapshot: int, form: NewsForm) -> bytes:
    if form.max_bytes > len(LARGE):
        return LARGE
    return b"differences" if form.differences else b"whole"


async def news_of(endpoint: Endpoint) -> News:
    await endpoint.control.send(NewsWanted(root=1, snapshot=1))
    return await endpoint.control.expect(News)


def leading_on(snapshot: int) -> dict[str, bytes | None]:
    """Return a timestamp, by its place, that names the snapshot four versions later."""
    return {"metadata/timestamp.json": b'{"signed":{"meta":{"snapshot.json":{"version":%d}}}}' % (snapshot + 4)}


async def tell_trust(*endpoints: Endpoint) -> None:
    """Let these tell of root 1 and snapshot 3, and the server hear it."""
    for endpoint in endpoints:
        told = TrustTold(root=1, timestamp=7, snapshot=3, digest=bytes(VERSIONS_DIGEST_BYTES))
        await endpoint.control.send(told)
    await trio.testing.wait_all_tasks_blocked(0.05)


async def want(endpoint: Endpoint, have: int = 0, lan_have: int = 0) -> None:
    here, near = bitfield.pack(have, 3), bitfield.pack(lan_have, 3)
    await endpoint.control.send(Want(torrent=TORRENT, have=here, lan_have=near, lan_stalled=False, can_fetch=True))


async def take(endpoint: Endpoint) -> int:
    """Store a piece, and return which one it was."""
    piece = await endpoint.data.expect(Piece)
    begin = piece.piece * NEWS_PIECE_BYTES
    assert (piece.torrent, piece.data) == (TORRENT, LARGE[begin : begin + NEWS_PIECE_BYTES])
    await endpoint.control.send(PieceStored(torrent=TORRENT, piece=piece.piece))
    return piece.piece


class TestNews:
    async def test_each_is_told_in_the_form_that_it_reads(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, find_news=forms) as lab:
            old = await lab.endpoint()
            first = await lab.endpoint(features=FEATURES)
            assert await news_of(old) == News(files=b"whole")
            assert await news_of(first) == News(files=b"differences"), "alone, it has nobody to swap with"
            second = await lab.endpoint(features=FEATURES)
            assert [await news_of(each) for each in (first, second)] == 2 * [News(files=b"", torrent=TOLD)]
            assert await news_of(old) == News(files=b"whole")

    async def test_a_publication_is_told_with_what_its_pcs_would_ask_for(self, tmp_path: Path) -> None:
        asked = list[tuple[int, int]]()

        def find(root: int, snapshot: int, form: NewsForm) -> bytes:
            asked.append((root, snapshot))
            return encode_news(TrustNews(leading_on(snapshot)), by_words=form.differences)

        async with running_lab(tmp_path, find_news=find) as lab:
            told, silent = [
                await lab.endpoint(features=("changed_news", "unasked_news", "timestamp")) for _ in range(2)
            ]
            older = await lab.endpoint(features=("changed_news",))
            await tell_trust(told, older)
            await lab.server.repository_changed(8)
            news = await told.control.expect(News)
            assert (news.root, news.snapshot, news.timestamp_version) == (1, 3, 8)
            assert news.files == find(1, 3, BY_DIFFERENCES)
            for endpoint in (silent, older):
                assert await endpoint.control.expect(RepositoryChanged) == RepositoryChanged(timestamp_version=8)
            await lab.server.repository_changed(9)
            assert (await told.control.expect(News)).snapshot == 7, "by what it was told before"
            renewed = NewestTimestamp(data=b"{}", version=10, issued_at=0.0, life_seconds=0.1, root=1, snapshot=11)
            await lab.server.repository_changed(10, renewed)
            assert (await told.control.expect(RepositoryChanged)).timestamp_version == 10
            assert asked == [(1, 3), (1, 3), (1, 7)]

    async def test_who_swaps_is_told_of_a_publication_in_that_form_however_large_it_is(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, find_news=forms) as lab:
            both = [await lab.endpoint(features=(*FEATURES, "unasked_news")) for _ in range(2)]
            await tell_trust(*both)
            await lab.server.repository_changed(8)
            since = {"root": 1, "snapshot": 3, "timestamp_version": 8}
            for endpoint in both:
                assert await endpoint.control.expect(News) == News(files=b"", torrent=TOLD, **since)
            await want(both[0])
            assert await take(both[0]) in range(3)

    async def test_after_news_that_were_swapped_the_next_publication_is_told_so_too(self, tmp_path: Path) -> None:
        def find(_root: int, snapshot: int, _form: NewsForm) -> bytes:
            return encode_news(TrustNews(leading_on(snapshot) | {"targets/large": LARGE}))

        async with running_lab(tmp_path, find_news=find) as lab:
            both = [await lab.endpoint(features=(*FEATURES, "unasked_news")) for _ in range(2)]
            await tell_trust(*both)
            for version, snapshot in ((8, 3), (9, 7)):
                await lab.server.repository_changed(version)
                for endpoint in both:
                    news = await endpoint.control.expect(News)
                    assert (news.snapshot, news.timestamp_version) == (snapshot, version)
                    assert news.torrent is not None

    async def test_while_a_question_is_answered_the_newest_one_waits(self, tmp_path: Path) -> None:
        may_answer, asked = threading.Event(), list[int]()

        def find(_root: int, snapshot: int, _form: NewsForm) -> bytes:
            asked.append(snapshot)
            assert may_answer.wait(5.0)
            return b"%d" % snapshot

        async with running_lab(tmp_path, find_news=find) as lab:
            endpoint = await lab.endpoint()
            for snapshot in (1, 2, 3):
                await endpoint.control.send(NewsWanted(root=1, snapshot=snapshot))
            while not asked:  # noqa: ASYNC110 - another thread asks
                await trio.sleep(0.01)
            await trio.testing.wait_all_tasks_blocked(0.05)
            may_answer.set()
            assert [(await endpoint.control.expect(News)).files for _ in range(2)] == [b"1", b"3"]
            assert asked == [1, 3]

    async def test_where_no_pieces_may_be_sent_now_nobody_is_told_to_wait_for_them(self, tmp_path: Path) -> None:
        stop = parse_profile('name = "x"\ntime_zone = "UTC"\n[[blackout]]\nname = "all day"\n', source="stop")
        async with running_lab(tmp_path, find_news=forms, sites=SITES) as lab:
            lab.server.replace_profiles({SiteName("a"): stop})
            first, _ = await lab.endpoint(features=FEATURES), await lab.endpoint(features=FEATURES)
            assert await news_of(first) == News(files=b"differences")

    async def test_small_news_are_sent_by_themselves(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, find_news=lambda *_: bytes(SWAPPED_NEWS_BYTES)) as lab:
            first, _ = await lab.endpoint(features=FEATURES), await lab.endpoint(features=FEATURES)
            assert await news_of(first) == News(files=bytes(SWAPPED_NEWS_BYTES))

    async def test_large_news_cross_the_line_once_before_any_patch(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, find_news=forms) as lab:
            patch = await lab.publish(1)
            first, second = await lab.endpoint(features=FEATURES), await lab.endpoint(features=FEATURES)
            for each in (first, second):
                await news_of(each)
            await second.want(patch, can_fetch=False)
            await want(first)
            await want(second)
            came = [await take(first) for _ in range(3)]
            await want(first, have=0b111)
            await want(second, lan_have=0b111)
            assert sorted(came) == [0, 1, 2]
            with trio.move_on_after(1) as waited:
                await second.data.expect(Piece)
            assert waited.cancelled_caught
            assert lab.database.wan_bytes() == {}, "news are no patch"
            assert [row.patch_id for row in lab.database.payloads()] == [patch.patch_id]

    async def test_a_publication_does_not_end_what_is_under_way(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, find_news=forms) as lab:
            first, _ = await lab.endpoint(features=FEATURES), await lab.endpoint(features=FEATURES)
            await news_of(first)
            await lab.publish(1)
            await want(first)
            assert await take(first) in (0, 1, 2)

    async def test_a_piece_that_was_damaged_goes_to_another(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, find_news=forms) as lab:
            first, second = await lab.endpoint(features=FEATURES), await lab.endpoint(features=FEATURES)
            for each in (first, second):
                await news_of(each)
            await want(first)
            piece = await first.data.expect(Piece)
            await first.control.send(PieceRejected(torrent=TORRENT, piece=piece.piece))
            await want(second)
            assert await take(second) in (0, 1, 2)

    async def test_who_gives_up_gets_no_more_of_it_and_is_answered_nothing(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, find_news=forms) as lab:
            first, second = await lab.endpoint(features=FEATURES), await lab.endpoint(features=FEATURES)
            for each in (first, second):
                await news_of(each)
            await want(first)
            await first.data.expect(Piece)
            for torrent in (TORRENT, "f" * 64):  # the other one is nowhere
                await first.control.send(giving_up(TorrentHash(torrent)))
            await want(second)
            assert sorted([await take(second) for _ in range(3)]) == [0, 1, 2]
            assert await news_of(first) == News(files=b"", torrent=TOLD), "the next that it hears"

    async def test_a_server_that_was_restarted_does_not_know_it_until_somebody_asks(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, find_news=forms) as lab:
            first, _ = await lab.endpoint(features=FEATURES), await lab.endpoint(features=FEATURES)
            await want(first)
            assert (await first.control.expect(Unavailable)).torrent == TORRENT
            await news_of(first)
            await want(first)
            assert await take(first) in (0, 1, 2)

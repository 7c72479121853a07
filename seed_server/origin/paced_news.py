"""Answers endpoints that ask what is new among the signed files, in the order and at the pace of the web port."""

import enum
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import trio

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.fields import MAX_NEWS_MESSAGE_BYTES
from p2pdist.shared.wire.messages import News, NewsWanted
from p2pdist.shared.wire.news_torrent import MAX_SHARED_NEWS_BYTES, NewsTorrent, describe_news
from p2pdist.shared.wire.trust_news import MAX_UNPACKED_SHARED_NEWS_BYTES, decode_news
from seed_server.line.byte_budget import REQUEST_COST_BYTES, ByteBudgets
from seed_server.line.metadata_line import MetadataLine
from seed_server.origin.outside_log import OutsideLog
from seed_server.store.new_files import versions
from seed_server.store.trust_news import BY_DIFFERENCES, IN_WHOLE_FILES, KEPT, SWAPPED, NewsForm

NEWS_TURN_SECONDS = 12.0  # an endpoint that waits longer asks the web port (`ServerNews`): it is not answered twice
SWAPPED_NEWS_BYTES = MAX_NEWS_MESSAGE_BYTES  # more goes into no message: to swap it takes seconds and some words
DESCRIBED_KEPT = 4  # all PCs ask for the same, and to hash a megabyte takes some milliseconds
NEWS_THREADS = 4  # after a publication all PCs ask at once: most threads are left to database and disk

FindNews: TypeAlias = Callable[[int, int, NewsForm], bytes | None]
"""Returns what is new since a root and a snapshot, as `TrustNewsReader.answer`. Blocking. Raises `OSError`."""
ShareNews: TypeAlias = Callable[[bytes, NewsTorrent, EndpointId, float], bool]
"""Serves news to sites, once to each, because an endpoint asked; False: there is no room. `NewsTorrents.offer`."""


class Reader(enum.Enum):
    """Who asks."""

    OF_WHOLE_FILES = IN_WHOLE_FILES
    """Release 0.2.0."""
    ALONE = BY_DIFFERENCES
    """Nobody else of its site is here."""
    KEEPER = KEPT
    """It keeps everything for others."""
    WITH_NEIGHBOURS = SWAPPED
    """It swaps with others of its site."""


class PacedNews:
    """Finds the answers, and waits until each one's turn on its site's line has come."""

    def __init__(
        self, find: FindNews, share: ShareNews, line: MetadataLine, budgets: ByteBudgets, log: OutsideLog
    ) -> None:
        """``budgets``: what each endpoint may fetch, here and from the web port."""
        self._find = find
        self._share = share
        self._line = line
        self._budgets = budgets
        self._log = log
        self._threads = trio.CapacityLimiter(NEWS_THREADS)
        self._described = lru_cache(maxsize=DESCRIBED_KEPT)(describe_news)
        self._leads_to = lru_cache(maxsize=DESCRIBED_KEPT)(_leads_to)
        self._swapped: deque[tuple[NewsTorrent, bytes]] = deque(maxlen=DESCRIBED_KEPT)
        """What has been described last."""

    async def answer(self, wanted: NewsWanted, address: str, endpoint: EndpointId, reader: Reader) -> News:
        """Return the answer when it may be sent at once: it counts as sent.

        All that is found for an endpoint is taken from its budget, also where it is swapped, or was found before.
        """
        now = trio.current_time()
        if not self._budgets.spend(endpoint, REQUEST_COST_BYTES, now):
            return News(files=b"")
        if reader is Reader.WITH_NEIGHBOURS and not self._budgets.has(endpoint, MAX_SHARED_NEWS_BYTES, now):
            reader = Reader.ALONE
        files, torrent = None, None
        try:
            files, torrent = await trio.to_thread.run_sync(self._found, wanted, reader, limiter=self._threads)
        except OSError as error:
            self._log.warning("news cannot be read", endpoint, reason=str(error))
        now = trio.current_time()
        paced = self._line.answer(address, endpoint, rank=self._budgets.rank(endpoint, now))
        if files is None or not self._budgets.spend(endpoint, len(files), now):
            return News(files=b"")
        if torrent is not None:
            news, left = News(files=b"", torrent=torrent), len(torrent.piece_hashes)
        elif len(files) > min(MAX_NEWS_MESSAGE_BYTES, paced.lump_bytes):
            return News(files=b"")
        else:
            news, left = News(files=files), len(files)
        with trio.move_on_after(NEWS_TURN_SECONDS):
            while left:
                left -= await paced.may_send(left)
        if left or (torrent is not None and not self._share(files, torrent, endpoint, trio.current_time())):
            return News(files=b"")
        return news

    def leads_to(self, root: int, news: News) -> tuple[int, int] | None:
        """Return which versions of root and snapshot an endpoint with this root has after the news; None: not known."""
        files = news.files or next((files for torrent, files in tuple(self._swapped) if torrent == news.torrent), b"")
        return self._leads_to(root, files) if files else None

    def _found(self, wanted: NewsWanted, reader: Reader) -> tuple[bytes | None, NewsTorrent | None]:
        """Return the news, and what is said of them if they are to be swapped. Blocking. Raises `OSError`."""
        files = self._find(wanted.root, wanted.snapshot, reader.value)
        if files is None or reader is not Reader.WITH_NEIGHBOURS or len(files) <= SWAPPED_NEWS_BYTES:
            return files, None
        torrent = self._described(files)
        self._swapped.append((torrent, files))
        return files, torrent


def _leads_to(root: int, files: bytes) -> tuple[int, int] | None:
    try:
        news = decode_news(files, max_bytes=MAX_UNPACKED_SHARED_NEWS_BYTES)
    except DecodeError:
        return None
    timestamp = news.files.get("metadata/timestamp.json")
    newer_root = any(data is not None for name, data in news.files.items() if name.endswith(".root.json"))
    snapshot = 0 if timestamp is None else versions(timestamp).get("snapshot", 0)
    return (root, snapshot) if snapshot and not newer_root else None

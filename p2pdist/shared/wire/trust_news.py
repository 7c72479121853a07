"""Several signed files in one answer: what is new, or what a PC asks for by name. Pure.

``GET /tuf/news/ROOT/SNAPSHOT``: an endpoint that is told of a publication would ask nine times, each time for what the
answer before names. Over a satellite that is five seconds, and on any line it is time in which no piece moves. So the
seed server says in one answer what has changed since the endpoint's root and snapshot.

``GET /tuf/batch?target=…&target=…``: an endpoint that is new, or was away for a month, lacks hundreds of small
documents. It names as many as go into one request, and gets those that fit into one answer.

Both are a saving and nothing else: whatever is missing is asked for by its own path, and everything is verified as if
it had been.

An endpoint that can (``?differences=1``, or the feature of its hello) is told of lists that have grown by what is new
in them (`differences`), and all of it by what news do not always have (`news_words`).
"""

import zlib
from typing import Annotated

import msgspec

from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Extensible, Record
from p2pdist.shared.wire.differences import Difference
from p2pdist.shared.wire.news_words import NEWS_WORDS

NEWS_PATH = "/tuf/news/{root}/{snapshot}"
DIFFERENCES_QUERY = "differences=1"
BATCH_PATH = "/tuf/batch"
BATCH_FIELD = "target"
MAX_BATCH_QUERY_CHARS = 6 << 10  # with room below the 16 KiB that the web port reads of a request's head
MAX_BATCH_TARGETS = 48  # some hundred bytes of each name, and some kilobytes of each file
MAX_NEWS_FILES = 64
MAX_SHARED_NEWS_FILES = 4_096  # of news that a site fetches once: manifests and torrents of hundreds of patches
MAX_NEWS_FILE_BYTES = 32 << 10  # a larger file is worth a request of its own
MAX_NEWS_BYTES = 64 << 10  # of all files together: a site's PCs get theirs one after the other, on slow lines too
MAX_NEWS_ANSWER_BYTES = 96 << 10  # with their names, before and after compression
MAX_UNPACKED_SHARED_NEWS_BYTES = 6 << 20  # MAX_SHARED_NEWS_BYTES of files, and so many names

FileName = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class ChangedFile(Record, frozen=True, array_like=True):
    """How to make a file of one that the endpoint has: of a role of its snapshot, or of a target that this signed."""

    older: FileName
    difference: Difference


class TrustNews(Extensible, frozen=True):
    """The signed files by their path below ``/tuf/``. None: there is no such file, as of the root after the newest."""

    files: Annotated[dict[FileName, bytes | None], msgspec.Meta(max_length=MAX_SHARED_NEWS_FILES)]
    changed: Annotated[dict[FileName, ChangedFile], msgspec.Meta(max_length=MAX_SHARED_NEWS_FILES)] = msgspec.field(
        default_factory=dict
    )
    """More of them, for endpoints that can make them; release 0.2.0 refuses news with this field."""


def encode_news(news: TrustNews, *, by_words: bool = False) -> bytes:
    """Return the answer: msgpack, compressed (RFC 1950), which takes half to two thirds away from signed JSON.

    ``by_words``: with `NEWS_WORDS` as the preset dictionary, which takes a third of what is left of a publication away.
    """
    packing = zlib.compressobj(zdict=NEWS_WORDS) if by_words else zlib.compressobj()
    return packing.compress(codec.encode(news)) + packing.flush()


def decode_news(data: bytes, *, max_bytes: int = MAX_NEWS_ANSWER_BYTES) -> TrustNews:
    """Return what `encode_news` made of the news, either way. Raises `DecodeError`.

    More than the cap is never unpacked.
    """
    unpacking = zlib.decompressobj(zdict=NEWS_WORDS)
    try:
        encoded = unpacking.decompress(data, max_bytes)
    except zlib.error as error:
        raise DecodeError(f"no compressed news: {error}") from error
    if not unpacking.eof or unpacking.unused_data:
        raise DecodeError("compressed news that are larger than they may be, cut off, or followed by something else")
    return codec.decode(encoded, TrustNews, max_bytes=max_bytes)

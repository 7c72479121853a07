"""`p2pdist.shared.wire.news_words`: PCs and servers of all releases have the same bytes."""

import hashlib
import zlib

import pytest

from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.news_words import NEWS_WORDS
from p2pdist.shared.wire.trust_news import MAX_NEWS_ANSWER_BYTES, TrustNews, decode_news, encode_news

NEWS = TrustNews({"metadata/2.root.json": None, "metadata/timestamp.json": b'{"signatures":[{"keyid":""}]}'})


def test_the_words_never_change() -> None:
    said = "dd2c8050d701f77b753004e0a23baf1bdbe3a3ad3a65bb2fb6c9228e1a412c64"
    assert hashlib.sha256(NEWS_WORDS).hexdigest() == said, "other words are for a new feature: PCs have these"


def test_news_are_read_with_and_without_them() -> None:
    assert decode_news(encode_news(NEWS, by_words=True)) == NEWS
    assert decode_news(encode_news(NEWS)) == NEWS
    assert len(encode_news(NEWS, by_words=True)) < len(encode_news(NEWS)) - 40


def test_who_does_not_know_them_can_read_what_is_packed_without() -> None:
    assert codec.decode(zlib.decompress(encode_news(NEWS)), TrustNews, max_bytes=MAX_NEWS_ANSWER_BYTES) == NEWS


def test_other_words_are_refused() -> None:
    packing = zlib.compressobj(zdict=b"other words")
    with pytest.raises(DecodeError, match="no compressed news"):
        decode_news(packing.compress(codec.encode(NEWS)) + packing.flush())

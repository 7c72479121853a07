"""`p2pdist.shared.wire.trust_news`: what a hostile server may say, it may say in bounds."""

import tracemalloc
import zlib

import pytest

from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.trust_news import (
    MAX_NEWS_ANSWER_BYTES,
    MAX_SHARED_NEWS_FILES,
    TrustNews,
    decode_news,
    encode_news,
)


def test_what_is_encoded_is_decoded() -> None:
    news = TrustNews({"metadata/2.root.json": None, "metadata/timestamp.json": b"{}", "targets/order": b""})
    assert decode_news(encode_news(news)) == news


def test_what_a_newer_release_says_besides_is_ignored() -> None:
    newer = zlib.compress(codec.encode({"files": {"targets/order": b""}, "newer": [1]}))
    assert decode_news(newer) == TrustNews({"targets/order": b""})


@pytest.mark.parametrize(
    "files",
    [
        {str(n): None for n in range(MAX_SHARED_NEWS_FILES + 1)},
        {"x" * 513: b""},
        {"": b""},
        {"metadata/timestamp.json": "text"},
        {"metadata/timestamp.json": bytes(MAX_NEWS_ANSWER_BYTES)},
        [],
    ],
    ids=["too many", "long name", "no name", "text", "too large", "a list"],
)
def test_anything_else_is_refused(files: object) -> None:
    with pytest.raises(DecodeError):
        decode_news(zlib.compress(codec.encode({"files": files})))


def test_what_is_not_compressed_is_cut_off_goes_on_or_would_be_large_is_refused() -> None:
    whole = encode_news(TrustNews({"metadata/timestamp.json": b"{}"}))
    bomb = zlib.compress(bytes(100 << 20))
    for data in (b"", codec.encode({"files": {}}), whole[:-1], whole + b"x", whole + whole, bomb):
        tracemalloc.start()
        with pytest.raises(DecodeError):
            decode_news(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()

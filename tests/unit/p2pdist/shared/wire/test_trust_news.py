"""`p2pdist.shared.wire.trust_news`: what a hostile server may say, it may say in bounds."""

import pytest

from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.trust_news import MAX_NEWS_ANSWER_BYTES, MAX_NEWS_FILES, TrustNews, decode_news


def test_what_is_encoded_is_decoded() -> None:
    news = TrustNews({"metadata/2.root.json": None, "metadata/timestamp.json": b"{}", "targets/order": b""})
    assert decode_news(codec.encode(news)) == news


@pytest.mark.parametrize(
    "files",
    [
        {f"metadata/{n}.json": b"" for n in range(MAX_NEWS_FILES + 1)},
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
        decode_news(codec.encode({"files": files}))

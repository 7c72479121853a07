"""Signs that an encoding lacks: readable, and no traceback."""

import io

import pytest

from bandwidth.pictures.plain_signs import IN_ASCII, make_readable


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("ascii", "÷ file – 3 × 4 …", b"/ file - 3 x 4 ..."),
        ("ascii", "日本 \udcff", rb"\u65e5\u672c \udcff"),
        ("cp932", "日本 × ÷ – ü", "日本 × ÷ - ".encode("cp932") + rb"\xfc"),
        ("utf-8", "ü…\udc80", "ü…".encode() + rb"\udc80"),
    ],
)
def test_every_text_can_be_written(encoding: str, text: str, shown: bytes) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    make_readable(stream)
    stream.write(text)
    stream.flush()
    assert raw.getvalue() == shown


def test_what_stands_in_for_a_sign_is_ascii() -> None:
    assert all(plain.isascii() for plain in IN_ASCII.values())


def test_a_stream_that_is_no_file_is_left_alone() -> None:
    make_readable(io.StringIO())

"""`bandwidth.profiles.text_encoding`: UTF-8 with or without a mark; anything else says what it is and what to do."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.profiles.text_encoding import TextEncodingError, decode_text, without_mark


@given(st.text().filter(lambda text: not text.startswith("\ufeff")))
def test_text_comes_back_with_a_mark_and_without(text: str) -> None:
    for data in (text.encode(), codecs.BOM_UTF8 + text.encode()):
        assert decode_text(data) == text


def test_a_mark_is_one_only_at_the_beginning_and_once() -> None:
    assert decode_text(b"a" + codecs.BOM_UTF8) == "a\ufeff"
    assert decode_text(2 * codecs.BOM_UTF8 + b"a") == "\ufeffa"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_an_encoding_with_a_mark_is_named(encoding: str) -> None:
    with pytest.raises(TextEncodingError, match=f"this is {encoding.upper()} text, not UTF-8.*Notepad") as caught:
        without_mark("ä".encode(encoding))
    assert caught.value.line is None


@pytest.mark.parametrize(("data", "line"), [(b"\xe4", 1), (b"a\nb\n\xe4", 3), (codecs.BOM_UTF8 + b"\n\xff\n", 2)])
def test_other_bytes_have_their_line(data: bytes, line: int) -> None:
    with pytest.raises(TextEncodingError, match=r"not UTF-8 text\. Save it as UTF-8") as caught:
        decode_text(data)
    assert caught.value.line == line


@given(st.binary(max_size=40))
def test_any_bytes_are_text_or_an_error(data: bytes) -> None:
    line: int | None = None
    try:
        decode_text(data)
    except TextEncodingError as error:
        line = error.line
    assert line is None or 1 <= line <= data.count(b"\n") + 1

"""`seed_server.web.api.conditional`: ETags."""

import pytest

from seed_server.web.api.conditional import MAX_TAGS_CHARS, etag_of, is_named

TAG = etag_of(b"{}")


def test_another_byte_is_another_etag() -> None:
    assert etag_of(b"{}") == TAG
    assert etag_of(b"{ }") != TAG
    assert TAG.startswith('"')
    assert TAG.endswith('"')


@pytest.mark.parametrize(
    ("header", "weak", "named"),
    [
        (TAG, True, True),
        (f'"a", {TAG}', True, True),
        (f"W/{TAG}", True, True),
        (f"W/{TAG}", False, False),
        ("*", False, True),
        ('"a"', True, False),
        ("", True, False),
        (TAG.strip('"'), True, False),
    ],
)
def test_a_header_names_an_etag(header: str, weak: bool, named: bool) -> None:
    assert is_named(header, TAG, weak=weak) is named


def test_a_header_of_any_length_is_not_searched() -> None:
    blanks = " " * (MAX_TAGS_CHARS - len(TAG) - 3)
    assert is_named(f'"a"{blanks}{TAG}', TAG, weak=True)
    assert not is_named(f'"a"{blanks} {TAG}', TAG, weak=True)

"""`p2pdist.shared.wire.beginnings`: names of eight bytes, one after the other."""

import pytest

from p2pdist.shared.wire.beginnings import beginning, beginnings
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.fields import HELD_BYTES

DIGESTS = [f"{number:02x}" * 32 for number in range(3)]


def test_what_is_joined_comes_apart_again() -> None:
    names = [beginning(digest) for digest in DIGESTS]
    assert {len(name) for name in names} == {HELD_BYTES}
    assert beginnings(b"".join(names)) == names
    assert beginnings(b"") == []


@pytest.mark.parametrize("length", [1, HELD_BYTES - 1, HELD_BYTES + 1])
def test_a_part_of_a_name_is_refused(length: int) -> None:
    with pytest.raises(DecodeError, match="a part of"):
        beginnings(bytes(length))

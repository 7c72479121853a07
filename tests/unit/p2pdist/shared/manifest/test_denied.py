"""`p2pdist.shared.manifest.denied`: the signed list of denied PCs."""

import pytest

from p2pdist.shared.manifest.denied import (
    MAX_DENIED,
    MAX_DENIED_BYTES,
    NOBODY_DENIED,
    decode_denied,
    denied_pcs,
    encode_denied,
)
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError


def test_a_list_as_long_as_may_be_is_read_again() -> None:
    ids = [f"{'a' * 22}{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676 % 26)}b" for n in range(5_000)]
    denied = denied_pcs(ids)
    assert denied.endpoints == tuple(ids[-MAX_DENIED:])
    data = encode_denied(denied)
    assert len(data) <= MAX_DENIED_BYTES
    assert decode_denied(data) == denied
    assert denied_pcs(["no id"]) == NOBODY_DENIED


@pytest.mark.parametrize("ids", [["short"], ["A" * 26], ["a" * 26] * (MAX_DENIED + 1)])
def test_what_names_no_pcs_is_refused(ids: list[str]) -> None:
    with pytest.raises(DecodeError):
        decode_denied(codec.encode({"format": 1, "endpoints": ids}))

"""`p2pdist.shared.log_anchor`: by which key the audit log is known."""

import pytest
from msgspec.structs import replace

from p2pdist.shared.log_anchor import (
    MAX_ANCHOR_BYTES,
    MAX_EARLIER_KEYS,
    LogAnchor,
    LogBeginning,
    decode_anchor,
    encode_anchor,
)
from p2pdist.shared.manifest.documents import MAX_REASON_CHARS
from p2pdist.shared.wire.codec import DecodeError
from tests.unit.p2pdist.shared.test_audit_checkpoint import NOTE

ANCHOR = LogAnchor(1, 7, NOTE, 1_700_000_000, "the key was stolen", (b"k" * 32,), LogBeginning(4, 1, "a disk was lost"))


def test_what_is_signed_is_read() -> None:
    found = decode_anchor(encode_anchor(ANCHOR))
    assert found == ANCHOR
    assert found.known.size == 1_234
    assert [found.begins_after(number) for number in (0, 3, 4, 7)] == [True, True, False, False]
    assert not replace(ANCHOR, beginning=None).begins_after(0)


@pytest.mark.parametrize(
    "anchor",
    [
        replace(ANCHOR, checkpoint=NOTE[:-2] + b"A\n"),
        replace(ANCHOR, reason="a\x1b[31m"),
        replace(ANCHOR, reason=""),
        replace(ANCHOR, number=0),
        replace(ANCHOR, beginning=LogBeginning(8, 1, "a disk was lost")),
        replace(ANCHOR, beginning=LogBeginning(4, 1, "a\nb")),
        replace(ANCHOR, earlier=(b"k",)),
        replace(ANCHOR, format=2),
    ],
)
def test_what_cannot_be_is_refused(anchor: LogAnchor) -> None:
    with pytest.raises(DecodeError):
        decode_anchor(encode_anchor(anchor))


def test_the_largest_fits() -> None:
    words = "\N{CJK UNIFIED IDEOGRAPH-6F22}" * MAX_REASON_CHARS
    most = replace(ANCHOR, reason=words, beginning=LogBeginning(4, 1, words), earlier=(b"k" * 32,) * MAX_EARLIER_KEYS)
    assert len(encode_anchor(most)) < MAX_ANCHOR_BYTES
    assert decode_anchor(encode_anchor(most)) == most

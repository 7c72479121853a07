"""`p2pdist.shared.manifest.recalls`."""

import pytest

from p2pdist.shared.manifest.recalls import Recall, Recalls, decode_recalls, encode_recalls
from p2pdist.shared.wire.codec import DecodeError


def test_recalls_come_back_as_they_were_signed() -> None:
    recalls = Recalls(format=1, recalls=(Recall("acme", 3, 'site == "hq"', "it loses data", 5),))
    assert decode_recalls(encode_recalls(recalls)) == recalls


@pytest.mark.parametrize(
    "recall", [Recall("a b", 3, "", "why", 5), Recall("acme", 3, "site", "why", 5), Recall("acme", 3, "", "a\nb", 5)]
)
def test_what_cannot_be_obeyed_or_shown_is_refused(recall: Recall) -> None:
    with pytest.raises(DecodeError):
        decode_recalls(encode_recalls(Recalls(format=1, recalls=(recall,))))

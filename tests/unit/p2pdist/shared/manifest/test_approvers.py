"""`p2pdist.shared.manifest.approvers`."""

import pytest

from p2pdist.shared.manifest.approvers import Approvers, decode_approvers, encode_approvers
from p2pdist.shared.wire.codec import DecodeError

TWO = {"ito": bytes(32), "mori": b"\1" * 32}


def test_the_list_comes_back_as_it_was_signed() -> None:
    approvers = Approvers(format=1, keys=TWO, required=2, required_in_emergency=1, since=5)
    assert decode_approvers(encode_approvers(approvers)) == approvers


@pytest.mark.parametrize(
    ("keys", "required", "in_emergency"),
    [
        (TWO, 3, 1),
        (TWO, 1, 3),
        ({"ito": bytes(32), "also ito": bytes(32)}, 2, 1),  # one key is one person
        ({"ito\n": bytes(32)}, 1, 1),
        ({"ito": bytes(31)}, 1, 1),
        ({}, 1, 1),
    ],
)
def test_a_list_by_which_nothing_could_be_approved_is_refused(
    keys: dict[str, bytes], required: int, in_emergency: int
) -> None:
    approvers = Approvers(format=1, keys=keys, required=required, required_in_emergency=in_emergency, since=5)
    with pytest.raises(DecodeError):
        decode_approvers(encode_approvers(approvers))

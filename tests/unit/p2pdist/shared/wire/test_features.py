"""Which protocols are spoken, and what is said to whom speaks another."""

import pytest

from p2pdist.shared.wire import features
from p2pdist.shared.wire.messages import OLDEST_PROTOCOL, PROTOCOL_VERSION


def test_this_protocol_and_the_one_before_are_spoken() -> None:
    assert OLDEST_PROTOCOL == PROTOCOL_VERSION - 1
    for protocol in (OLDEST_PROTOCOL, PROTOCOL_VERSION):
        assert features.no_common_protocol(protocol) == ""


@pytest.mark.parametrize(
    ("protocol", "cure"),
    [
        (OLDEST_PROTOCOL - 1, "upgrade p2pdist"),
        (-1, "upgrade p2pdist"),
        (PROTOCOL_VERSION + 1, "upgrade the server"),
    ],
)
def test_any_other_is_refused_with_what_to_upgrade(protocol: int, cure: str) -> None:
    words = features.no_common_protocol(protocol)
    assert words.endswith(cure)
    assert f"{OLDEST_PROTOCOL} to {PROTOCOL_VERSION}, not {protocol}" in words


def test_release_0_2_0_ignores_nothing() -> None:
    assert not features.ignores_additions(OLDEST_PROTOCOL)
    assert features.ignores_additions(PROTOCOL_VERSION)


def test_names_that_are_not_known_mean_nothing() -> None:
    assert features.understood(("c", "b", "a"), ("a", "b")) == ("a", "b")
    assert features.understood((), ("a",)) == ()

"""Kinds of messages that a release does not know, and hellos of long ago."""

from typing import Any

import pytest

from p2pdist.shared.wire import channels, codec
from p2pdist.shared.wire.channels import UnknownKind

CONTROL = [channels.decode_from_endpoint, channels.decode_from_server]


@pytest.mark.parametrize("decode", CONTROL)
def test_a_kind_that_nobody_sends_yet_is_told_from_a_malformed_message(decode: Any) -> None:
    assert decode(codec.encode({"t": "launch", "x": [1, {"y": 2}]})) == UnknownKind("launch")
    others = ({"t": "want", "protocol": 4}, {"t": "hello"}, {"t": "hello", "protocol": "4"}, {"protocol": True}, 4)
    for raw in others:
        assert channels.protocol_of_hello(codec.encode(raw)) is None
    assert channels.protocol_of_hello(b"GET / HTTP/1.1\r\n\r\n") is None

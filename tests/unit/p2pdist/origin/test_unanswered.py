"""`p2pdist.origin.unanswered`: the kernel's waits in vain, on real sockets."""

import sys

import pytest
import trio

from p2pdist.origin.unanswered import timeouts_in_a_row
from tests.helpers.deaf_socket import deafen, hear_again
from tests.helpers.stream_pair import stream_pair

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


async def test_waits_in_vain_are_counted_until_something_is_acknowledged() -> None:
    async with stream_pair("127.0.34.1", seconds=20) as (near, far):
        await near.send_all(b"heard")
        assert timeouts_in_a_row(near.socket) == 0
        deafen(far.socket)
        await near.send_all(b"not heard")
        await reach(near.socket, 2)
        hear_again(far.socket)
        await reach(near.socket, 0)
        near.socket.close()
        assert timeouts_in_a_row(near.socket) == 0, "a closed socket is not silent, it is closed"


async def reach(sock: trio.socket.SocketType, timeouts: int) -> None:
    while timeouts_in_a_row(sock) != timeouts:  # noqa: ASYNC110 - the kernel tells no event
        await trio.sleep(0.02)

"""`p2pdist.origin.stamped_stream`: when bytes reached this PC, on real sockets."""

import sys
import time

import pytest
import trio

from p2pdist.origin.stamped_stream import StampedStream
from p2pdist.shared.clock import SystemClock
from tests.helpers.stream_pair import stream_pair

CLOCK = SystemClock()
ADDRESS = "127.0.34.2"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
async def test_what_waited_in_the_kernel_is_told() -> None:
    async with stream_pair(ADDRESS) as (near, far):
        stamped = StampedStream(near)
        stamped.stamp_arrivals()
        assert stamped.waited_seconds(CLOCK) is None
        await far.send_all(b"first")
        await trio.sleep(0.06)
        assert await stamped.receive_some() == b"first"
        waited = stamped.waited_seconds(CLOCK)
        assert waited is not None
        assert 0.055 <= waited < 1.0
        time.sleep(0.02)  # noqa: ASYNC251 - nothing else runs
        later = stamped.waited_seconds(CLOCK)
        assert later is not None
        assert later >= waited + 0.02


async def test_it_is_a_stream_as_any_other() -> None:
    async with stream_pair(ADDRESS) as (near, far):
        stamped = StampedStream(near)
        stamped.stamp_arrivals()
        await stamped.send_all(b"out")
        assert await far.receive_some() == b"out"
        await far.send_all(b"in")
        assert await stamped.receive_some(1) == b"i"
        assert await stamped.receive_some() == b"n"
        await stamped.send_eof()
        assert await far.receive_some() == b""
        await far.aclose()
        assert await stamped.receive_some() == b""
        await stamped.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await stamped.receive_some()


async def test_a_reset_is_a_broken_stream() -> None:
    async with stream_pair(ADDRESS) as (near, far):
        stamped = StampedStream(near)
        stamped.stamp_arrivals()
        await stamped.send_all(b"never read")
        await trio.sleep(0.01)
        await far.aclose()  # with unread bytes: the kernel resets
        with pytest.raises(trio.BrokenResourceError):
            await stamped.receive_some()


async def test_cancelled_while_it_waits_it_goes_on() -> None:
    async with stream_pair(ADDRESS) as (near, far):
        stamped = StampedStream(near)
        stamped.stamp_arrivals()
        with trio.move_on_after(0.02) as scope:
            await stamped.receive_some()
        assert scope.cancelled_caught
        await far.send_all(b"later")
        assert await stamped.receive_some() == b"later"


async def test_when_something_was_sent_is_known() -> None:
    async with stream_pair(ADDRESS) as (near, _far):
        stamped = StampedStream(near)
        stamped.stamp_arrivals()
        await trio.sleep(0.03)
        before = trio.current_time()
        await stamped.send_all(b"out")
        assert before <= stamped.sent_at <= trio.current_time()

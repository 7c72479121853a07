"""`p2pdist.shared.time_limits`: work that may hang."""

import threading

import pytest

from p2pdist.shared.time_limits import in_time


async def test_what_ends_in_time_is_returned_and_its_error_raised() -> None:
    assert await in_time(60.0, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await in_time(60.0, lambda: 1 // 0)


async def test_what_hangs_is_left_alone() -> None:
    end = threading.Event()
    try:
        assert await in_time(0.01, end.wait) is None
    finally:
        end.set()

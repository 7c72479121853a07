"""`p2pdist.daemon.restarts`: all parts end, and start again, but not in the middle of an installation."""

import trio
import trio.testing

from p2pdist.daemon.restarts import Restarts


async def test_parts_end_when_nothing_is_installed_and_start_again(autojump_clock: trio.testing.MockClock) -> None:
    restarts, lives = Restarts(), list[str]()

    async def parts() -> None:
        lives.append("began")
        try:
            await trio.sleep_forever()
        finally:
            lives.append("ended")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(restarts.keep_running, parts)
        await trio.sleep(1)
        async with restarts.at_work:
            nursery.start_soon(restarts.start_anew)
            await trio.sleep(1)
            assert lives == ["began"]
        await trio.sleep(1)
        assert lives == ["began", "ended", "began"]
        nursery.cancel_scope.cancel()

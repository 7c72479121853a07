"""`p2pdist.daemon.link_reports`: what a slow connection is sent of ten measurements a second."""

from typing import Any, cast

import trio
import trio.testing

from p2pdist.daemon.link_reports import LinkReports
from p2pdist.limiter.link_report import BusinessUsage
from p2pdist.shared.wire.line_messages import LinkReport, LinkWatch
from tests.helpers.daemon_states import made_up_state


async def test_looks_are_gathered_and_wait_for_no_queue(autojump_clock: trio.testing.MockClock) -> None:
    sent = list[LinkReport]()

    class Origin:
        async def send(self, message: LinkReport) -> None:
            sent.append(message)
            await trio.sleep(0.5)

    state = made_up_state()
    state.link_watch = LinkWatch(interval_seconds=0.1)
    reports = LinkReports(state)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reports.run, cast("Any", Origin()))
        for _ in range(100):
            reports.offer(BusinessUsage(0.1, 100, (), None))
            await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    assert 15 <= len(sent) <= 25
    assert sent[0].business_bytes >= 100

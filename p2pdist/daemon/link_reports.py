"""Tells the server how much of this PC's network others use, as often as it asks for that."""

import contextlib

import trio

from p2pdist.daemon.state import DaemonState
from p2pdist.limiter.link_report import BusinessUsage, ReportGatherer
from p2pdist.origin.connection import ServerConnection
from p2pdist.shared.wire.fields import MAX_REPORT_SECONDS
from p2pdist.shared.wire.line_messages import LinkReport


class LinkReports:
    """Gathers the limiter's measurements, ten a second, into reports for a connection that may be slow."""

    def __init__(self, state: DaemonState) -> None:
        self._state = state
        self._offered, self._taken = trio.open_memory_channel[BusinessUsage](1)

    def offer(self, usage: BusinessUsage) -> None:
        """Accept one measurement; it is dropped while the one before is not sent yet."""
        # on a slow connection, old measurements are not worth a queue: the next comes in a tenth of a second
        with contextlib.suppress(trio.WouldBlock):
            self._offered.send_nowait(usage)

    async def run(self, origin: ServerConnection) -> None:
        """Gather and send, until cancelled."""
        gatherer = ReportGatherer()
        async for usage in self._taken:
            gathered = gatherer.gather(usage, self._state.link_watch.interval_seconds)
            if gathered is not None:
                await origin.send(
                    LinkReport(
                        interval_seconds=min(gathered.interval_seconds, MAX_REPORT_SECONDS),
                        business_bytes=gathered.business_bytes,
                        flows=gathered.flows,
                        harm_seconds=gathered.harm_seconds,
                        card_rate=gathered.card_rate,
                        from_neighbours_bytes=gathered.from_neighbours_bytes,
                        to_neighbours_bytes=gathered.to_neighbours_bytes,
                    )
                )

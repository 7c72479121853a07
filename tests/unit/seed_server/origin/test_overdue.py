"""`seed_server.origin.overdue`: who loses a lease, and when it is the line that is to blame."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from bandwidth.core.states import State
from bandwidth.core.units import BytesPerSecond
from p2pdist.shared.identifiers import EndpointId, SiteName, TorrentHash
from seed_server.leasing.standing import Fault, Standings
from seed_server.leasing.turns import FetcherRank
from seed_server.line.site_map import Site
from seed_server.line.site_rate import Line, SiteRate
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.overdue import end_overdue, log_alarms
from seed_server.origin.site import LiveSite

TORRENT = TorrentHash("b" * 64)
PC, OTHER = EndpointId("a" * 26), EndpointId("c" * 26)


class SilentLink:
    """A data connection that takes nothing, as far as the regular work asks."""

    rate, rests, writing = None, False, None

    def wake(self) -> None:
        pass


@pytest.fixture
def live() -> LiveSite:
    rate = SiteRate(Line(BytesPerSecond(1_000_000)), 0.0)
    live = LiveSite(Site(SiteName("branch"), rate._line, None), rate, fetchers=1, lease_seconds=30.0)
    live.ledger.add_torrent(TORRENT, sequence=1, piece_count=1, piece_length_bytes=1 << 18)
    session: Any = SimpleNamespace(endpoint=PC, link=SilentLink(), heard_at=0.0, set_aside=False)
    live.sessions[PC] = session
    live.ledger.data_connected(FetcherRank(PC, wired=True, on_mains=True, uptime_seconds=1))
    live.ledger.want(PC, TORRENT, have=0, lan_have=0, lan_stalled=False, can_fetch=True, now=0.0)
    assert live.ledger.next_piece(PC, 0.0) is not None
    live.sending.add(cast("Any", session.link))
    return live


async def test_while_nobody_of_a_site_answers_no_lease_expires(live: LiveSite) -> None:
    live.rate.decision = replace(live.rate.decision, state=State.STALL)
    for now in range(3, 120):
        end_overdue(live, float(now), OutsideLog())
    ledger = live.ledger.ledger(TORRENT)
    assert ledger is not None
    assert ledger.leases, "nobody else would do better"
    live.rate.decision = replace(live.rate.decision, state=State.RAMP)
    for now in range(120, 200):
        end_overdue(live, float(now), OutsideLog())
    assert not ledger.leases


async def test_the_operator_is_told_once_of_a_fault_and_not_again_of_an_expired_lease() -> None:
    standings, told = Standings(), OutsideLog()
    standings.fault(PC, TORRENT, Fault.UNSHARED, 0.0)
    standings.fault(OTHER, TORRENT, Fault.EXPIRED, 0.0)
    with capture_logs() as logs:
        log_alarms(standings, told)
        log_alarms(standings, told)
    assert [(line["source"], line["reason"]) for line in logs] == [(PC, Fault.UNSHARED.value)]

"""Leasing pauses at a site where business suffers: what is under way ends, control and emergencies go on."""

from pathlib import Path

import trio
from msgspec.structs import replace

from bandwidth.core.states import Reason
from p2pdist.shared.identifiers import SiteName, TorrentHash
from p2pdist.shared.wire.data_messages import Piece
from p2pdist.shared.wire.line_messages import SiteLimit
from seed_server.line.harm_bound import HarmPause
from seed_server.line.harm_evidence import HarmReason
from seed_server.origin.limits import OriginLimits
from seed_server.origin.sender import RESTING
from seed_server.origin.site import LiveSite
from tests.helpers.origin_harness import Lab, fetch, running_lab

LINE = '[[site]]\nname = "branch"\nnetworks = ["127.0.8.0/24"]\nline_mbit = {}\nfetchers = 1\n'
QUICK = OriginLimits(reload_seconds=0.01, site_limit_seconds=0.2, quiet_seconds=0.3)


def pause(live: LiveSite, seconds: float = 900.0) -> None:
    now = trio.current_time()
    live.rate.harm.bound.restore(HarmPause(HarmReason.SLOWED, now, now + seconds, 1), 1)


def branch(lab: Lab) -> LiveSite:
    return lab.server._fleet._live[SiteName("branch")]


async def quiet(live: LiveSite) -> None:
    while live.sending or live.steered:  # noqa: ASYNC110 - nothing tells
        await trio.sleep(0.02)


async def test_pieces_stop_control_goes_on_and_pieces_come_again_when_it_is_over(tmp_path: Path) -> None:
    async with running_lab(tmp_path, sites=LINE.format(8.0), limits=QUICK) as lab:
        patch = await lab.publish(200)
        endpoint = await lab.endpoint()
        await endpoint.want(patch)
        await fetch(lab, endpoint, patch, 3)
        live = branch(lab)
        pause(live, seconds=4.0)  # on a busy machine, what is under way drains for two
        await quiet(live)
        ledger = live.ledger.ledger(TorrentHash(patch.torrent_hash))
        assert ledger is not None
        sent = ledger.counters.granted
        assert live.is_stopped
        row = live.limit_row(trio.current_time(), 1_000.0)
        assert (row.active, row.fetchers) == (True, 0)
        assert row.rate <= 4_000
        assert row.reason.startswith(Reason.HARM_PAUSE.value)
        await trio.sleep(0.3)
        assert ledger.counters.granted == sent
        told = await endpoint.control.expect(SiteLimit)
        while not told.reason.startswith(Reason.HARM_PAUSE.value):
            told = await endpoint.control.expect(SiteLimit)
        # its connection was ended in the middle of a piece, or it waits on it
        endpoint.data = await lab.data(endpoint.identity)
        await endpoint.data.expect(Piece)
        assert live.limit_row(trio.current_time(), 1_000.0).fetchers == 1


async def test_the_rest_of_a_piece_is_not_sent(tmp_path: Path) -> None:
    async with running_lab(tmp_path, sites=LINE.format(0.2)) as lab:  # a piece takes two seconds
        patch = await lab.publish(3)
        endpoint = await lab.endpoint()
        await endpoint.want(patch)
        session = lab.server._fleet.session(endpoint.identity.endpoint)
        assert session is not None
        while (link := session[0].link) is None or not link.written_bytes > 0:  # noqa: ASYNC110
            await trio.sleep(0.01)
        pause(branch(lab))
        while link.ending.reason is None:  # noqa: ASYNC110
            await trio.sleep(0.01)
        assert link.ending.reason == RESTING
        ledger = branch(lab).ledger.ledger(TorrentHash(patch.torrent_hash))
        assert ledger is not None
        assert ledger.leases == {}
        assert ledger.counters.expired == 0


async def test_an_emergency_goes_on_slowly_and_nothing_else_does(tmp_path: Path) -> None:
    async with running_lab(tmp_path, sites=LINE.format(8.0), limits=QUICK) as lab:
        usual = await lab.publish(20)
        urgent = await lab.publish(2, sequence=2, announce=False)
        lab.server._fleet.serve(replace(urgent, emergency=True))
        endpoint = await lab.endpoint()
        pause(branch(lab))
        await endpoint.want(usual)
        await trio.sleep(0.3)
        assert endpoint.data.received_bytes == 0
        await endpoint.want(urgent)
        live = branch(lab)
        while not live.sending:  # noqa: ASYNC110
            await trio.sleep(0.01)
        await trio.sleep(0.5)
        assert 0 < live.rate.decision.allowance <= 4_000
        assert live.rate.decision.cause == Reason.HARM_PAUSE.value
        leased = live.ledger.ledger(TorrentHash(urgent.torrent_hash))
        assert leased is not None
        assert leased.leases
        assert live.watch._asked.interval_seconds is None, "the PCs' reports would weigh more than what is sent"

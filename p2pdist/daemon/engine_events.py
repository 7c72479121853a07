"""Passes on what the torrent engine reports: connections and damage."""

from p2pdist.daemon.wakeups import WakeUps
from p2pdist.limiter.lan_limiter import LanLimiter
from p2pdist.neighbours.service import Neighbours
from p2pdist.transfer.engine import Engine
from p2pdist.transfer.made_torrents import MadeTorrents
from p2pdist.transfer.manager import Transfers
from p2pdist.transfer.torrent_engine import PeerConnected, TorrentDamaged


async def follow_engine(
    engine: Engine,
    transfers: Transfers,
    made: MadeTorrents,
    neighbours: Neighbours,
    limiter: LanLimiter,
    wakeups: WakeUps,
) -> None:
    """Act on each event, until cancelled."""
    async for event in engine.events:
        if isinstance(event, TorrentDamaged):
            await transfers.damaged(event.torrent_hash)
        neighbours.engine_event(event)
        made.wake()
        if isinstance(event, PeerConnected):
            limiter.wake()
        wakeups.transfers.ring()

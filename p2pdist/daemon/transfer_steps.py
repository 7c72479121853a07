"""Moves the transfers on: counts pieces from the server, steps each transfer, and reports news to the server."""

import math
from collections.abc import AsyncIterator, Sequence

import trio

from p2pdist.daemon.custody_news import CustodyNews
from p2pdist.daemon.fact_news import FactNews
from p2pdist.daemon.finding_news import FindingNews
from p2pdist.daemon.help_news import HelpNews
from p2pdist.daemon.neighbour_news import NeighbourNews
from p2pdist.daemon.wakeups import WakeUps
from p2pdist.install.service import InstallService
from p2pdist.neighbours.service import Neighbours
from p2pdist.network.messages import PieceArrived
from p2pdist.origin.connection import ServerConnection
from p2pdist.pc import process_memory
from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.status.patches import Patches
from p2pdist.status.reports import Reports
from p2pdist.transfer.made_torrents import MadeTorrents
from p2pdist.transfer.manager import SHORTEST_STEP_SECONDS, Transfers
from p2pdist.transfer.transfer import ACTIVE_STEP_SECONDS


async def count_pieces(
    pieces: AsyncIterator[PieceArrived], transfers: Transfers, made: MadeTorrents, wakeups: WakeUps
) -> None:
    """Count the pieces that have come from the server, and tell it of each, until cancelled."""
    async for piece in pieces:
        torrent, index = TorrentHash(piece.torrent), PieceIndex(piece.piece)
        await transfers.piece_arrived(
            torrent,
            index,
            piece.size_bytes,
            piece.outcome,
            built=piece.built_bytes,
            base=piece.base,
            problem=piece.problem,
        )
        transfers.parcels.piece_arrived(torrent, index, piece.size_bytes, piece.outcome, piece.built_bytes)
        await made.piece_arrived(torrent, index, piece.outcome, piece.base)
        wakeups.transfers.ring()


def pause_seconds(took_seconds: float) -> float:
    """Return how long to wait after a step, whatever happens: where many patches move on a busy PC, steps take long.

    As long again: else the processor would go through all of them all the time, each time for less news.
    """
    return min(max(SHORTEST_STEP_SECONDS, took_seconds), ACTIVE_STEP_SECONDS)


async def step_transfers(
    transfers: Transfers,
    patching: InstallService,
    patches: Patches,
    reports: Reports,
    said: Sequence[HelpNews | FactNews | FindingNews | NeighbourNews | CustodyNews],
    origin: ServerConnection,
    neighbours: Neighbours,
    wakeups: WakeUps,
) -> None:
    """Step the transfers regularly, and at once when something happened, until cancelled."""
    was_busy = False
    while True:
        begun = trio.current_time()
        for news in (one for each in said for one in each.news()):  # before what it has: the server counts by that
            await origin.send(news)
        await transfers.step()
        neighbours.look_for(transfers.snapshots())
        wait = reports.wait_seconds(trio.current_time())
        if not wait:
            for report in reports.news(patches.views(), trio.current_time()):
                await origin.send(report)
        if was_busy and not transfers.busy:
            await trio.to_thread.run_sync(process_memory.give_back)
        was_busy = transfers.busy
        await trio.sleep(pause_seconds(trio.current_time() - begun))
        patching.refresh_files()
        now = trio.current_time()
        untold = max(reports.pending_seconds(now), reports.wait_seconds(now))
        await wakeups.transfers.wait(min(transfers.step_seconds, wait or math.inf, untold))

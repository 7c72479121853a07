"""Why each patch is not here yet, and for how long for which reason."""

import math
from collections.abc import Callable

import trio

from bandwidth.core.reason_seconds import ReasonSeconds
from p2pdist.limiter.lan_limiter import LanLimiter
from p2pdist.local_api.socket import Answer
from p2pdist.origin.client import OriginClient
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.bitfield import all_pieces
from p2pdist.status.reasons import WHOLE_ANSWERS, WhyInputs, WhyReason, why
from p2pdist.transfer.transfer import Transfer
from p2pdist.trust.catalogue import RefusedPatch

NOTE_SECONDS = 1.0
IDLE_NOTE_SECONDS = 10.0  # when every patch is here


class Explainer:
    """Runs in the daemon's trio thread."""

    def __init__(
        self,
        transfers: Callable[[], list[Transfer]],
        origin: OriginClient,
        limiter: LanLimiter,
        *,
        fetches: bool,
        refused: Callable[[], list[RefusedPatch]],
        line_yields: Callable[[], bool],
    ) -> None:
        """``line_yields``: whether the server says that the site's line yields to business."""
        self._transfers = transfers
        self._origin = origin
        self._limiter = limiter
        self._fetches = fetches
        self._refused = refused
        self._seconds: dict[TorrentHash, ReasonSeconds[WhyReason]] = {}
        self._line_yields = line_yields

    async def run(self) -> None:
        """Count, until cancelled."""
        while True:
            waiting = self.note(trio.current_time())
            await trio.sleep(NOTE_SECONDS if waiting else IDLE_NOTE_SECONDS)

    def note(self, now: float) -> bool:
        """Take in what holds up each patch now; return whether anything is still under way."""
        transfers = self._transfers()
        known = {transfer.torrent_hash for transfer in transfers}
        self._seconds = {torrent_hash: kept for torrent_hash, kept in self._seconds.items() if torrent_hash in known}
        waiting = False
        for transfer in transfers:
            reason = self.reason(transfer, now)
            waiting |= reason not in WHOLE_ANSWERS
            self._seconds.setdefault(transfer.torrent_hash, ReasonSeconds()).note(reason, now)
        return waiting

    def reason(self, transfer: Transfer, now: float) -> WhyReason:
        """Return why ``transfer`` is not here yet."""
        snapshot = transfer.snapshot
        since_neighbour = now - transfer.activity.changed_at if transfer.record.bytes_from_peers else math.inf
        return why(
            WhyInputs(
                state=transfer.state,
                error=transfer.error,
                missing=all_pieces(snapshot.piece_count) & ~snapshot.have if snapshot else 0,
                lan_have=snapshot.lan_have if snapshot else 0,
                since_line_seconds=now - transfer.origin_piece_at,
                since_neighbour_seconds=since_neighbour,
                lan=self._limiter.decision.download.reason,
                server_connected=self._origin.connected,
                server_error=transfer.origin_error,
                line_yields=self._line_yields(),
                fetches=self._fetches,
                profile_lets_fetch=self._limiter.profile_lets_fetch,
                refusal=self._limiter.fetch_refusal,
            )
        )

    def answer(self) -> Answer:
        """Return the answer to `p2pdist why`: every patch that is rolled out to this PC."""
        now = trio.current_time()
        self.note(now)
        rows = []
        for transfer in self._transfers():
            reason = self.reason(transfer, now)
            counted = self._seconds[transfer.torrent_hash]
            patch_id, version = transfer.ref
            rows.append(
                {
                    "id": patch_id,
                    "version": version,
                    "state": transfer.state,
                    "progress": round(transfer.progress, 4),
                    "reason": str(reason),
                    "detail": self._detail(transfer, reason),
                    "since_seconds": round(now - counted.since, 1),
                    "seconds": {str(r): round(s, 1) for r, s in counted.seconds().items() if r not in WHOLE_ANSWERS},
                }
            )
        rows += [
            {
                "id": refused.entry.patch_id,
                "version": refused.entry.version,
                "state": "failed",
                "progress": 0.0,
                "reason": str(WhyReason.CANNOT_BE_TAKEN),
                "detail": f"{refused.reason}. Publish it again.",
                "since_seconds": 0.0,
                "seconds": {},
            }
            for refused in self._refused()
        ]
        return {"patches": rows}

    def _detail(self, transfer: Transfer, reason: WhyReason) -> str:
        neighbours = len(transfer.snapshot.peers) if transfer.snapshot else 0
        details = {
            WhyReason.FAILED: transfer.error,
            WhyReason.DISK_FULL: transfer.error,
            WhyReason.SERVER_CANNOT: transfer.origin_error,
            WhyReason.NO_SERVER: self._origin.status,
            WhyReason.BLACKOUT: self._limiter.blackout_words().strip(),
            WhyReason.LAN_YIELDS: str(self._limiter.decision.download.reason),
        }
        return details.get(reason, f"{neighbours} neighbours connected" if transfer.state == "fetching" else "")

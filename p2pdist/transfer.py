"""One patch on its way to this endpoint: what is known of it, and what is told of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from p2pdist.core.catalogue import CataloguePatch
from p2pdist.core.transfer import LanActivity, TransferRecord, report_of
from p2pdist.edges.torrent_engine import TransferSnapshot
from p2pdist.identifiers import Sha256Hex, TorrentHash, parse_sha256, parse_torrent_hash
from p2pdist.manifest import Payload
from p2pdist.wire.bitfield import pack
from p2pdist.wire.messages import PatchReport, PatchState, Want


@dataclass
class Transfer:
    """One patch on its way."""

    patch: CataloguePatch
    record: TransferRecord
    state: PatchState
    activity: LanActivity
    error: str = ""
    origin_error: str = ""
    """Why the origin cannot serve it, while it cannot."""
    in_engine: bool = False
    snapshot: TransferSnapshot | None = None
    engine_peer_bytes: int = 0
    """How much of the engine's counter is in the record already; likewise the next."""
    engine_wasted_bytes: int = 0
    failed_proofs: int = 0
    retry_at: float = 0.0
    proving: trio.CancelScope = field(default_factory=trio.CancelScope)
    reported: PatchReport | None = None
    """Last `Report` and `Want` that the server has; only what differs is sent."""
    wanted: Want | None = None

    @property
    def payload(self) -> Payload:
        """The file that is fetched."""
        return self.patch.manifest.payloads[0]

    @property
    def torrent_hash(self) -> TorrentHash:
        """The torrent that carries it."""
        return parse_torrent_hash(self.payload.torrent_hash)

    @property
    def sha256(self) -> Sha256Hex:
        """What the whole file must hash to."""
        return parse_sha256(self.payload.sha256)

    @property
    def progress(self) -> float:
        """Share of the file that is on disk, 0 to 1."""
        if self.state in ("verified", "verifying"):
            return 1.0
        return self.snapshot.progress if self.snapshot else 0.0

    def verified_path(self, patches: Path) -> Path:
        """Return where the proven file has its place below the ``patches`` directory."""
        return patches / self.record.patch_id / self.record.version / self.payload.file_name

    def want(self, snapshot: TransferSnapshot, now: float, *, can_fetch: bool) -> Want:
        """Return the message that asks the origin for leases; ``now`` is trio's clock."""
        incomplete = self.state == "fetching"
        return Want(
            torrent=self.torrent_hash,
            have=pack(snapshot.have, snapshot.piece_count),
            lan_have=pack(snapshot.lan_have, snapshot.piece_count),
            lan_stalled=incomplete and self.activity.stalled(now),
            can_fetch=incomplete and can_fetch,
        )

    def report(self, wall_time: float) -> PatchReport:
        """Return the message that tells the server of this transfer."""
        error = self.error or (self.origin_error if self.state == "fetching" else "")
        return report_of(self.record, self.state, self.progress, error, wall_time)

    def status_row(self, patches: Path, wall_time: float) -> dict[str, Any]:
        """Return what `p2pdist status` shows of this transfer."""
        report = self.report(wall_time)
        return {
            "id": report.patch_id,
            "version": report.version,
            "title": self.patch.manifest.title,
            "severity": self.patch.manifest.severity,
            "length_bytes": self.payload.length_bytes,
            "state": report.state,
            "progress": round(report.progress, 4),
            "bytes_from_origin": report.bytes_from_origin,
            "bytes_from_peers": report.bytes_from_peers,
            "bytes_wasted": report.bytes_wasted,
            "seconds": round(report.seconds, 3),
            "path": str(self.verified_path(patches)) if self.state == "verified" else None,
            "error": report.error or None,
        }

"""What all conversations of the origin port share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.messages import Pace
from seed_server.origin.limits import OriginLimits
from seed_server.origin.log_proofs import LogProofs
from seed_server.origin.lost_files import LostFiles
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.paced_news import PacedNews
from seed_server.origin.parcel_torrents import ParcelTorrents
from seed_server.origin.records import OriginRecords
from seed_server.origin.spare_copies import SpareAnswers
from seed_server.store.rows import ServedPayload


@dataclass(frozen=True)
class PortParts:
    """What all conversations of a port share."""

    find_patch: Callable[[TorrentHash], Awaitable[ServedPayload | None]]
    news: PacedNews
    parcels: ParcelTorrents
    records: OriginRecords
    limits: OriginLimits
    outside_log: OutsideLog
    pace: Callable[[], Pace]
    """How often PCs shall report now."""
    proofs: LogProofs
    spares: SpareAnswers
    lost_files: LostFiles | None = None
    """What has become of the signed files that this server does not have; None: nobody is asked."""

"""What all conversations of the origin port share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.features import INVENTORY, SERVER_FEATURES
from p2pdist.shared.wire.fields import Features
from p2pdist.shared.wire.inventory import InventoryPart, InventoryStated
from p2pdist.shared.wire.messages import Pace
from p2pdist.shared.wire.signed_files import SignedFilePart, TrustTold
from seed_server.origin.coded_forms import CodedForms
from seed_server.origin.inventories import Inventories
from seed_server.origin.limits import OriginLimits
from seed_server.origin.log_proofs import LogProofs
from seed_server.origin.lost_files import LostFiles
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.paced_news import PacedNews
from seed_server.origin.parcel_torrents import ParcelTorrents
from seed_server.origin.records import OriginRecords
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite
from seed_server.origin.spare_copies import SpareAnswers
from seed_server.store.rows import ServedPayload

WITHOUT_INVENTORY: Features = tuple(feature for feature in SERVER_FEATURES if feature != INVENTORY)

Elsewhere: TypeAlias = TrustTold | SignedFilePart | InventoryStated | InventoryPart
"""What PCs say because the server asks for it, whenever it likes."""


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
    forms: CodedForms
    lost_files: LostFiles | None = None
    """What has become of the signed files that this server does not have; None: nobody is asked."""
    inventories: Inventories | None = None
    """What PCs are and have; None: nobody is asked."""

    @property
    def features(self) -> Features:
        """What this port understands of a PC."""
        return SERVER_FEATURES if self.inventories is not None else WITHOUT_INVENTORY

    def says(self, session: Session, live: LiveSite, message: Elsewhere) -> None:
        """Pass on what is asked for by others than a conversation."""
        if isinstance(message, TrustTold):
            session.trusts = (message.root, message.snapshot)
            self.records.knows_servers(session.endpoint, message.servers)
        if isinstance(message, TrustTold | SignedFilePart):
            if self.lost_files is not None:
                self.lost_files.heard(session, live.site.name, message)
        elif self.inventories is not None:
            self.inventories.heard(session, live.site.name, live.control, message)

    def left(self, session: Session) -> None:
        """Forget an endpoint that is not connected any more."""
        if self.lost_files is not None:
            self.lost_files.left(session)
        if self.inventories is not None:
            self.inventories.left(session)

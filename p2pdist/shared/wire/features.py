"""Which protocols and features a PC and its server have in common. Pure.

Servers are upgraded first, so a server speaks its own protocol and the one before. Within a protocol, releases grow by
features: what is new is sent only to who names it in its hello or welcome (ADR 0039).
"""

from p2pdist.shared.wire.fields import Features
from p2pdist.shared.wire.messages import OLDEST_PROTOCOL, PROTOCOL_VERSION

FEATURES_SINCE = 6  # the protocol from which on hello and welcome name features, and additions are ignored

CHANGED_NEWS = "changed_news"
"""The PC makes signed files of older ones that it has: see `TrustNews.changed`."""
TIMESTAMP = "timestamp"
"""The PC uses the timestamp that `RepositoryChanged` carries."""
PACE = "pace"
"""The PC keeps the `Pace` that it is told."""
COUNTED_REPORTS = "counted_reports"
"""The PC counts its reports, and repeats on a new connection only those that `Welcome.recorded` does not have."""
SHARED_NEWS = "shared_news"
"""The PC takes `News.torrent`, and swaps it with its neighbours. Without `CHANGED_NEWS` it means nothing."""

PARCELS = "parcels"
"""The PC asks with `ParcelsWanted` for small patches that it lacks, and the server answers each time with `Parcels`."""

HOLDINGS = "holdings"
"""The server takes one `Holdings` instead of a `Want` for each torrent that is complete."""

INVITES = "invites"
"""The server asks with `DataWanted` for a data connection, and the PC opens none before."""

TELLS_FACTS = "facts"
"""The server takes `FactsChanged`."""

AUDIT_WITNESS = "audit_witness"
"""The server answers `ConsistencyWanted` with `Consistency`, and takes `AuditAlarm`."""

CUSTODY = "custody"
"""The server takes `CustodyTold`, and answers with `CustodyWanted` where it lacks something."""

FINDINGS = "findings"
"""The server takes `PcFindings`."""

TRUST = "trust"
"""The server takes `TrustTold`."""

SPARE_COPIES = "spare_copies"
"""The server answers `SpareWanted` with `SpareCopies`."""

GIVES_SIGNED = "gives_signed"
"""The PC answers `TrustWanted` and `SignedWanted`."""

NEIGHBOURS = "neighbours"
"""The server takes `NeighboursSeen`. It names this only to PCs of sites where it is to know who else is there."""

INVENTORY = "inventory"
"""The PC says the digest of its inventory, and answers `InventoryWanted`; the server takes `InventoryStated`."""

UNASKED_NEWS = "unasked_news"
"""The PC keeps `News` that name the versions since which they are until it asks for them. Without `CHANGED_NEWS` it
means nothing."""

CODED_PIECES = "coded_pieces"
"""The PC takes `CodedPiece`; the server takes `Bases` and `PieceUndecoded`."""

PC_FEATURES: Features = (
    CHANGED_NEWS,
    SHARED_NEWS,
    TIMESTAMP,
    PACE,
    COUNTED_REPORTS,
    INVITES,
    PARCELS,
    GIVES_SIGNED,
    INVENTORY,
    UNASKED_NEWS,
    CODED_PIECES,
)
"""What this release understands of a server."""
SERVER_FEATURES: Features = (
    HOLDINGS, INVITES, PARCELS, TELLS_FACTS, AUDIT_WITNESS, CUSTODY, FINDINGS, TRUST, SPARE_COPIES, INVENTORY,
    CODED_PIECES,
)  # fmt: skip
"""What this release understands of a PC."""


def no_common_protocol(protocol: int) -> str:
    """Return why a server does not speak ``protocol``, with what to upgrade; empty: it does."""
    spoken = f"{OLDEST_PROTOCOL} to {PROTOCOL_VERSION}"
    if protocol > PROTOCOL_VERSION:
        return f"this server is older than this PC (it speaks protocols {spoken}, not {protocol}): upgrade the server"
    if protocol < OLDEST_PROTOCOL:
        return f"p2pdist on this PC is too old (the server speaks protocols {spoken}, not {protocol}): upgrade p2pdist"
    return ""


def understood(features: Features, known: Features) -> Features:
    """Return those of ``features`` that are ``known`` here."""
    found = tuple(feature for feature in known if feature in features)
    return known if found == known else found  # one tuple for the thousands of PCs that have all


def ignores_additions(protocol: int) -> bool:
    """Whether who speaks ``protocol`` ignores what it does not know, and counts on the same."""
    return protocol >= FEATURES_SINCE

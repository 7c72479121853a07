"""What the daemon asks of its connection to the seed server, and what that reports: types alone."""

from collections.abc import AsyncIterator
from typing import Annotated, Protocol, TypeAlias

import msgspec

from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.custody import CustodyWanted
from p2pdist.shared.wire.fields import MAX_COPIES, Text
from p2pdist.shared.wire.inventory import InventoryWanted
from p2pdist.shared.wire.line_messages import LinkWatch, SiteLimit
from p2pdist.shared.wire.messages import (
    FromEndpoint,
    GoodbyeCause,
    Holders,
    OtherPc,
    Pace,
    RepositoryChanged,
    SharedIdentity,
    SitePeers,
    Unavailable,
    Welcome,
)
from p2pdist.shared.wire.parcel import Parcels
from p2pdist.shared.wire.signed_files import SignedWanted, TrustWanted
from p2pdist.shared.wire.spare_copies import SpareCopies
from p2pdist.shared.wire.witness import Consistency


class Disconnected(Message, frozen=True, tag="disconnected"):
    """The connection is gone; the client reconnects by itself."""

    reason: Text
    cause: GoodbyeCause = ""
    """What the server's goodbye said; the next field too."""
    others: Annotated[tuple[OtherPc, ...], msgspec.Meta(max_length=MAX_COPIES)] = ()


OriginEvent: TypeAlias = (
    Welcome
    | SitePeers
    | Holders
    | Parcels
    | RepositoryChanged
    | Pace
    | Unavailable
    | LinkWatch
    | SiteLimit
    | SharedIdentity
    | Consistency
    | CustodyWanted
    | TrustWanted
    | SignedWanted
    | SpareCopies
    | InventoryWanted
    | Disconnected
)


class ServerConnection(Protocol):
    """A connection that is kept up: `client.OriginClient`, or the daemon's network part."""

    @property
    def connected(self) -> bool:
        """Whether the server has welcomed us and the connection is up."""
        ...

    @property
    def status(self) -> str:
        """One line on the connection, for people; "connected" when it is."""
        ...

    @property
    def piece_bytes(self) -> int:
        """What has come over the site's line in pieces, of all patches."""
        ...

    @property
    def events(self) -> AsyncIterator[OriginEvent]:
        """What the server says. Keep reading: otherwise the connection stops."""
        ...

    async def send(self, message: FromEndpoint) -> None:
        """Send a control message; while there is no connection it is dropped."""
        ...

    def reconnect(self) -> None:
        """Drop the connection, if any, and connect again at once: for a new certificate or address."""
        ...

"""What the daemon says of where its seed server is, and is told: `server`. Pure.

As all answers (see `messages`), those of a newer daemon may have more keys.
"""

from typing import Annotated

import msgspec

from p2pdist.shared.wire.codec import Record
from p2pdist.shared.wire.enrolment import MAX_HOST_CHARS
from p2pdist.shared.wire.fields import Port


class ServerOrder(Record, frozen=True, omit_defaults=True):
    """Look for the server elsewhere; key and id of this PC stay."""

    host: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_HOST_CHARS)]
    """A name or an IP address."""
    web_port: Port | None = None
    """Its web port; null: as it was."""
    origin_port: Port | None = None
    """Its origin port; null: as it was."""


class KnownServerAddress(msgspec.Struct, frozen=True):
    """One address at which this PC looks for its server."""

    host: str
    """A name or an IP address. Since 0.3."""
    web_port: int
    """Port of enrolment and signed metadata. Since 0.3."""
    origin_port: int
    """Port of the control and data connections. Since 0.3."""
    own: bool
    """Whether it is that of the enrolment, or of `p2pdist server set`. Since 0.3."""
    used: bool
    """Whether this PC is connected there. Since 0.3."""
    problem: str | None
    """Why the last attempt failed, in words; null where it did not, or none was made. Since 0.3."""


class ServerAnswer(msgspec.Struct, frozen=True):
    """Where this PC looks for its server, in the order of its attempts."""

    server: str
    """The server's name. Since 0.3."""
    server_connection: str
    """One line on the connection to it, in words. Since 0.3."""
    addresses: list[KnownServerAddress]
    """Each at which it is looked for. Since 0.3."""

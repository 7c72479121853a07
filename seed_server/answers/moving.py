"""What `seed-server move` prints with `--json`. Pure."""

from msgspec import Struct

from p2pdist.shared.json_units import Count, UnixSeconds


class ServerAddressDocument(Struct, frozen=True):
    """An address of the server that PCs are told."""

    host: str
    """A name or an IP address. Since 0.3."""
    web_port: int
    """Port of enrolment and signed metadata. Since 0.3."""
    origin_port: int
    """Port of the control and data connections. Since 0.3."""
    own: bool
    """Whether it is that of server.toml. Since 0.3."""


class UninformedDocument(Struct, frozen=True):
    """A PC that does not have the newest list."""

    id: str
    """Its endpoint id. Since 0.3."""
    hostname: str
    """What it calls itself. Since 0.3."""
    software: str | None
    """Name and version of its program; null: it was never connected. Since 0.3."""
    connected: bool
    """Whether it is connected now. Since 0.3."""
    last_seen_at: UnixSeconds | None
    """When it was seen last; null: never. Since 0.3."""


class MoveDocument(Struct, frozen=True):
    """Which addresses PCs are told, and who knows them."""

    list: Count
    """Number of the signed list; 0: there is none, PCs know the address that they enrolled with. Since 0.3."""
    addresses: tuple[ServerAddressDocument, ...]
    """In the order in which PCs try them. Since 0.3."""
    pcs: Count
    """PCs that are not denied; 0 without a list. Since 0.3."""
    informed: Count
    """Those of them that have the list. Since 0.3."""
    uninformed: tuple[UninformedDocument, ...]
    """The others by name: the first 1,000, with `--names` all. Since 0.3."""
    moved_to: str | None
    """Where the server of this home is now, in words; null: here. Since 0.3."""

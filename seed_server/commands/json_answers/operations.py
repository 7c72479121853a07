"""What `init`, `publish`, `lint` and `token` print with `--json`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Bytes, Count, UnixSeconds


class InitDocument(Struct, frozen=True):
    """The home that was made."""

    home: str
    """Its directory."""
    name: str
    """What endpoints and people call the server."""
    address: str
    """Where endpoints reach it: a host name or an IP address."""
    web_port: int
    """The port of HTTPS."""
    origin_port: int
    """The port of pieces, by mutual TLS."""
    ca_pin: str
    """SHA-256 of the control CA's certificate, hexadecimal; tokens carry it."""
    offline_keys: str
    """The folder to take away when nothing is published."""
    offline_keys_encrypted: bool
    """Whether they need a passphrase."""


class TokenDocument(Struct, frozen=True):
    """The token that was made."""

    token: str
    """What `p2pdist enrol` takes."""
    uses: Count
    """PCs that it enrols."""
    expires_at: UnixSeconds
    """Until when."""
    tags: tuple[str, ...]
    """What its PCs are called, sorted."""


class PublishedPayloadDocument(Struct, frozen=True):
    """One file of a patch that was published."""

    file_name: str
    """Its name on the PCs."""
    length_bytes: Bytes
    """Of the file."""
    sha256: str
    """Of the file, hexadecimal."""
    torrent_hash: str
    """Its v2 info hash, hexadecimal."""
    platform: str
    """The platform that it is for; empty: any."""
    arch: str
    """The processor's architecture; empty: any."""
    language: str
    """Empty: any."""


class PublishDocument(Struct, frozen=True):
    """The patch that was published. What is about a file is about its first one."""

    id: str
    """What this is a patch of; the same for all versions."""
    version: str
    """Its version."""
    title: str
    """One line for people; may be empty."""
    severity: str
    """low, medium, high or critical."""
    cvss: float | None
    """CVSS score; null: not given."""
    file_name: str
    """As of the first payload; likewise the next five."""
    sha256: str
    """Hexadecimal."""
    length_bytes: Bytes
    """Of the file."""
    torrent_hash: str
    """Hexadecimal."""
    piece_length_bytes: Bytes
    """Of every piece but the last."""
    piece_count: Count
    """Pieces of the file."""
    sequence: int
    """The order of publication on this server, from 1."""
    published_at: UnixSeconds
    """When it was signed."""
    payloads: tuple[PublishedPayloadDocument, ...]
    """All of its files."""
    repaired: bool
    """Whether it had been published before, and what was damaged here was restored."""


class FindingDocument(Struct, frozen=True):
    """What is wrong with a recipe, or doubtful."""

    level: Literal["error", "warning"]
    """With an error it cannot be published."""
    where: str | None
    """The key; null: the file as a whole."""
    text: str
    """What it is, for people."""
    line: int | None
    """Of the file, from 1; null: not known."""
    column: int | None
    """Of the line, from 1; null: not known."""


class LintDocument(Struct, frozen=True):
    """Whether a recipe can be published."""

    recipe: str
    """The file, as it was named."""
    valid: bool
    """Whether there is no error."""
    findings: tuple[FindingDocument, ...]
    """Errors, or else warnings."""

"""What `init`, `publish`, `lint` and `token` print with `--json`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Bytes, Count, UnixSeconds


class InitDocument(Struct, frozen=True):
    """The home that was made."""

    home: str
    """Its directory."""
    name: str
    """The server's name, for endpoints and people."""
    address: str
    """Where endpoints reach it: a host name or an IP address."""
    web_port: int
    """The HTTPS port."""
    origin_port: int
    """The port for control and pieces, by mutual TLS."""
    ca_pin: str
    """SHA-256 of the control CA's certificate, hexadecimal; tokens carry it."""
    offline_keys: str
    """The folder of the offline keys; take it away while nothing is published."""
    offline_keys_encrypted: bool
    """Whether the offline keys need a passphrase."""


class TokenDocument(Struct, frozen=True):
    """The token that was made."""

    token: str
    """The token, for `p2pdist enrol`."""
    uses: Count
    """How many PCs it enrols."""
    expires_at: UnixSeconds
    """When it expires."""
    tags: tuple[str, ...]
    """Tags that its PCs get, sorted."""


class PublishedPayloadDocument(Struct, frozen=True):
    """One file of a patch that was published."""

    file_name: str
    """Its name on the PCs."""
    length_bytes: Bytes
    """Length of the file."""
    sha256: str
    """The file's SHA-256, hexadecimal."""
    torrent_hash: str
    """Its v2 info hash, hexadecimal."""
    platform: str
    """The platform that it is for; empty: any."""
    arch: str
    """The processor's architecture that it is for; empty: any."""
    language: str
    """The language that it is for; empty: any."""


class PublishDocument(Struct, frozen=True):
    """The patch that was published. Keys about one file are about the first payload."""

    id: str
    """The patch's id; the same for all versions."""
    version: str
    """Its version."""
    title: str
    """One line for people; may be empty."""
    severity: str
    """low, medium, high or critical."""
    cvss: float | None
    """CVSS score; null: not given."""
    file_name: str
    """Name of the first payload on the PCs."""
    sha256: str
    """SHA-256 of the first payload, hexadecimal."""
    length_bytes: Bytes
    """Length of the first payload."""
    torrent_hash: str
    """The first payload's v2 info hash, hexadecimal."""
    piece_length_bytes: Bytes
    """Length of every piece of the first payload but the last."""
    piece_count: Count
    """Number of pieces of the first payload."""
    sequence: int
    """Its place in the order of publication on this server, from 1."""
    published_at: UnixSeconds
    """When it was signed."""
    payloads: tuple[PublishedPayloadDocument, ...]
    """All files of the patch."""
    repaired: bool
    """Whether it had been published before, and damage on this server was repaired."""


class FindingDocument(Struct, frozen=True):
    """What is wrong with a recipe, or doubtful."""

    level: Literal["error", "warning"]
    """With an error, the recipe cannot be published."""
    where: str | None
    """The key in the recipe; null: the file as a whole."""
    text: str
    """What is wrong, for people."""
    line: int | None
    """Line of the file, from 1; null: not known."""
    column: int | None
    """Column of the line, from 1; null: not known."""


class LintDocument(Struct, frozen=True):
    """Whether a recipe can be published."""

    recipe: str
    """The recipe's file, as it was given."""
    valid: bool
    """Whether there is no error."""
    findings: tuple[FindingDocument, ...]
    """Errors, or else warnings."""

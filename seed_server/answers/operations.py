"""What `init`, `publish`, `lint`, `token` and `posture-check` print with `--json`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Bytes, Count, UnixSeconds, WholeUnixSeconds


class InitDocument(Struct, frozen=True):
    """The home that was made."""

    home: str
    """Its directory."""
    name: str
    """The server's name, for endpoints and people."""
    address: str
    """Where endpoints reach it: a host name or an IP address."""
    web_port: int
    """The port for HTTPS."""
    origin_port: int
    """The port for pieces, over mutual TLS."""
    api_port: int
    """The port of the API, over HTTPS; 0: there is none. Since 0.3."""
    ca_pin: str
    """SHA-256 of the control CA's certificate, hexadecimal; tokens carry it."""
    root_pin: str
    """SHA-256 of the first trust root, hexadecimal; tokens carry it, and `p2pdist enrol --root-pin` takes it."""
    offline_keys: str
    """The folder of the offline keys, to be taken away while nothing is published."""
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
    id: str
    """What `token list` and `token revoke` call it; it opens nothing."""
    approval: bool
    """Whether each of its PCs has to be allowed."""


class TokenRowDocument(Struct, frozen=True):
    """A token that was made, without its secret."""

    id: str
    """What `token revoke` calls it."""
    state: Literal["open", "used", "expired", "revoked"]
    """Whether it still enrols PCs, and if not, why."""
    made_at: UnixSeconds
    """When it was made."""
    made_by: str | None
    """Who made it; null: a release that did not record it."""
    uses_left: Count
    """How many more PCs it enrols, if it is open."""
    expires_at: UnixSeconds
    """When it expires."""
    revoked_at: UnixSeconds | None
    """When it was revoked; null: it was not."""
    approval: bool
    """Whether each of its PCs has to be allowed."""
    tags: tuple[str, ...]
    """Tags that its PCs get, sorted."""
    enrolled: tuple[str, ...]
    """Ids of the PCs that it has enrolled, the first one first."""


class PostureCheckDocument(Struct, frozen=True):
    """What a PC has stated of itself; all of it has been checked."""

    endpoint_id: str
    """The PC's id: it is enrolled here, and not denied."""
    hostname: str
    """The host name that it states."""
    at: WholeUnixSeconds
    """When it made the statement, by its clock."""
    compliant: bool
    """Whether it states that it is compliant."""
    problem: str
    """Why its list of patches may be old, in words; empty: it is not."""
    nonce: str
    """The nonce that the statement carries; empty: none."""
    audience: str
    """Whom the statement is for; empty: for everybody."""


class PublishedPayloadDocument(Struct, frozen=True):
    """One file of a patch that was published."""

    file_name: str
    """Its name on the PCs."""
    length_bytes: Bytes
    """Length of the file."""
    sha256: str
    """SHA-256 of the file, hexadecimal."""
    torrent_hash: str
    """Its v2 info hash, hexadecimal."""
    platform: str
    """The platform that it is for; empty: any."""
    arch: str
    """The processor's architecture that it is for; empty: any."""
    language: str
    """The language that it is for; empty: any."""


class FindingDocument(Struct, frozen=True):
    """What is wrong with a recipe, or doubtful."""

    level: Literal["error", "warning"]
    """A recipe with an error cannot be published."""
    where: str | None
    """The key that it is about; null: the file as a whole."""
    text: str
    """What is wrong or doubtful, for people."""
    line: int | None
    """Line of the file, from 1; null: not known."""
    column: int | None
    """Column in the line, from 1; null: not known."""


class RepackedDocument(Struct, frozen=True):
    """What became of a file that should be published unpacked."""

    file_name: str
    """Its name on the PCs. Since 0.3."""
    packed_bytes: Bytes
    """Length of the file that was given. Since 0.3."""
    stored_bytes: Bytes
    """Length of what is published. Since 0.3."""
    left_alone: str | None
    """Why it is published as it is, in words; null: it is unpacked. Since 0.3."""


class ExpectedDocument(Struct, frozen=True):
    """What is expected to cross each site's line for a file, from a sample of its pieces."""

    file_name: str
    """Its name on the PCs. Since 0.3."""
    base: str | None
    """Where a PC of the site has this former version, ID@VERSION; null: where none has one. Since 0.3."""
    likely_bytes: Bytes
    """What is expected. Since 0.3."""
    least_bytes: Bytes
    """It is less with one chance in twenty. Since 0.3."""
    most_bytes: Bytes
    """It is more with one chance in twenty. Since 0.3."""


class PublishDocument(Struct, frozen=True):
    """The patch that was published."""

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
    """v2 info hash of the first payload, hexadecimal."""
    piece_length_bytes: Bytes
    """Length of the first payload's pieces; the last may be shorter."""
    piece_count: Count
    """How many pieces the first payload has."""
    sequence: int
    """Its place in the order of publication on this server, from 1."""
    published_at: UnixSeconds
    """When it was signed."""
    payloads: tuple[PublishedPayloadDocument, ...]
    """All files of the patch."""
    repaired: bool
    """Whether it had been published before, and damage on this server was repaired."""
    contents: tuple[str | None, ...]
    """What is in each of its files, for people; null: it was not looked into."""
    warnings: tuple[FindingDocument, ...]
    """What may surprise."""
    repacked: tuple[RepackedDocument, ...]
    """What became of files that should be published unpacked; empty: nobody asked for that. Since 0.3."""
    expected: tuple[ExpectedDocument, ...]
    """What is expected to cross each site's line, from each former version and without one. Since 0.3."""


class LintDocument(Struct, frozen=True):
    """Whether a recipe can be published."""

    recipe: str
    """The recipe's file, as it was given."""
    valid: bool
    """Whether there is no error."""
    findings: tuple[FindingDocument, ...]
    """All errors, then warnings; some of these are looked for only where there is no error."""
    contents: tuple[str | None, ...]
    """What is in each of its files, for people; null: it was not looked into."""
    repacked: tuple[RepackedDocument, ...]
    """What would become of files that should be published unpacked; empty: nobody asks for that, or there is an error.
    Since 0.3."""

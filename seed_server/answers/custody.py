"""What `audit custody` prints with `--json`. Pure."""

from msgspec import Struct

from p2pdist.shared.json_units import Count, UnixSeconds


class CustodyLogDocument(Struct, frozen=True):
    """A log that a PC has signed."""

    log: int
    """Its number, from 0 on; a PC that does not continue what it has signed begins another. Since 0.3."""
    first: int
    """The number of the oldest record here. Since 0.3."""
    size: Count
    """How many records the PC has signed. Since 0.3."""
    root: str
    """The root over them as computed anew, hexadecimal. Since 0.3."""
    statement: str
    """The signed head, a JWS with the certificate of the PC. Since 0.3."""
    fault: str
    """Why it does not continue the log before: shorter, other_records, gap; empty: it is the first. Since 0.3."""
    problem: str
    """Why what is kept here is not what the PC has signed; empty: it is. Since 0.3."""


class CustodyRecordDocument(Struct, frozen=True):
    """What a patch came to, with its proof."""

    log: int
    """Of which log. Since 0.3."""
    number: int
    """Its place in it. Since 0.3."""
    at: UnixSeconds
    """When it happened, by the PC's clock. Since 0.3."""
    patch_id: str
    """Which patch. Since 0.3."""
    version: str
    """Its version. Since 0.3."""
    publication: int
    """The number of the publication; 0: not known. Since 0.3."""
    decision: int
    """The number of the decision on this PC. Since 0.3."""
    outcome: str
    """installed, failed, rolled_back, unproven, waiting (no longer found), aside (its journal was). Since 0.3."""
    failure: str
    """The class of a failure; empty: none. Since 0.3."""
    installed_as: str
    """The version that was there afterwards, by its package manager; empty: not known. Since 0.3."""
    record: str
    """The record as it is hashed: msgpack, in base64. Since 0.3."""
    hashes: tuple[str, ...]
    """The inclusion proof by RFC 9162, section 2.1.3, from the leaf up, hexadecimal. Since 0.3."""


class CustodyDocument(Struct, frozen=True):
    """What a PC has signed of its installations."""

    endpoint_id: str
    """The PC. Since 0.3."""
    hostname: str
    """What it calls itself. Since 0.3."""
    logs: tuple[CustodyLogDocument, ...]
    """Its logs, the oldest first. Since 0.3."""
    records: tuple[CustodyRecordDocument, ...]
    """The records that were asked for. Since 0.3."""
    held_back: Count
    """How many parts of its log were not written because they were too many for a day, ever. Since 0.3."""
    held_back_at: UnixSeconds | None
    """When the last of them came; null: there was none. Since 0.3."""

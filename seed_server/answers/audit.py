"""What `audit` prints with `--json`. Pure."""

from msgspec import Struct

from p2pdist.shared.json_units import Count, UnixSeconds


class AuditEntryDocument(Struct, frozen=True):
    """An entry of the audit log. `audit export` prints one a line."""

    number: int
    """Its place, from 0 on. Since 0.3."""
    at: UnixSeconds
    """When it was written. Since 0.3."""
    actor: str
    """Who did it: an account, `local:` and a user of the server, or the server itself. Since 0.3."""
    known_by: str
    """How the server knows that it was them. Since 0.3."""
    role: str
    """Those of the actor's roles that gave the right; empty: they have it without one, as local users. Since 0.3."""
    address: str
    """Where the request came from; empty: a terminal of the server. Since 0.3."""
    request: str
    """The id of the request; entries of one request have the same. Since 0.3."""
    operation: str
    """What was done. Since 0.3."""
    subject: str
    """What it was done to. Since 0.3."""
    reason: str
    """Why; empty where none was given. Since 0.3."""
    before: str
    """SHA-256 of the subject's state before, hexadecimal; of what is signed, of `timestamp.json`; empty: none.
    Since 0.3."""
    after: str
    """The same after it. Since 0.3."""
    details: dict[str, str]
    """More, by name. Since 0.3."""
    entry: str
    """The entry as it is hashed: msgpack, in base64. Since 0.3."""
    leaf: str
    """Its hash in the tree, hexadecimal. Since 0.3."""


class AuditVerifyDocument(Struct, frozen=True):
    """Whether the audit log is what its checkpoints vouch for."""

    whole: bool
    """Whether it is. Since 0.3."""
    entries: Count
    """How many entries it has. Since 0.3."""
    root: str
    """The root of its tree as computed anew, hexadecimal. Since 0.3."""
    vouched_by: tuple[str, ...]
    """The checkpoints outside the database that it was held to. Since 0.3."""
    problems: tuple[str, ...]
    """What is wrong, in words; empty while it is whole. Since 0.3."""


class AuditProofDocument(Struct, frozen=True):
    """The proof that an entry is in the log, to be checked without this server."""

    entry: AuditEntryDocument
    """The entry. Since 0.3."""
    number: int
    """Its place in the tree. Since 0.3."""
    size: Count
    """How many entries the log has in the checkpoint. Since 0.3."""
    hashes: tuple[str, ...]
    """The inclusion proof by RFC 9162, section 2.1.3, from the leaf up, hexadecimal. Since 0.3."""
    checkpoint: str
    """The signed note (C2SP) of the log's size and root. Since 0.3."""
    verifier_key: str
    """The audit key as tools for signed notes take it; compare it with one that you know. Since 0.3."""


class AuditAlarmDocument(Struct, frozen=True):
    """A PC that has seen another audit log before, or does not continue what it had signed."""

    endpoint_id: str
    """The PC; empty: it is forgotten. Since 0.3."""
    hostname: str
    """What it calls itself. Since 0.3."""
    about: str
    """audit log, or install records. Since 0.3."""
    fault: str
    """Of the log shorter, other_entries, other_key, no_proof, malformed; of records shorter, other_records, gap.
    Since 0.3."""
    known: Count | None
    """How many entries the log had when the PC saw it; null: it is about records. Since 0.3."""
    told: Count | None
    """How many it is said to have; 0: that could not be read. Since 0.3."""
    at: UnixSeconds
    """When the PC said so last; of records, when it was found. Since 0.3."""


class AuditKeyDocument(Struct, frozen=True):
    """Another audit key, which PCs know the log by."""

    number: int
    """Of its kind. Since 0.3."""
    key: str
    """The public key, Ed25519, hexadecimal. Since 0.3."""
    entries: Count
    """How many entries the log had then. Since 0.3."""
    begins_again: bool
    """Whether PCs forget what they have seen of the log before. Since 0.3."""
    reason: str
    """Why, as PCs show it. Since 0.3."""

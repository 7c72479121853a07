"""What a PC and its server say of the audit log: each PC is a witness of what it has seen of it. Pure."""

from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared.merkle import HASH_BYTES
from p2pdist.shared.merkle_log import MAX_LEAVES, MAX_PROOF_HASHES
from p2pdist.shared.wire.codec import Message

LogSize = Annotated[int, msgspec.Meta(ge=0, le=MAX_LEAVES)]

WitnessFault: TypeAlias = Literal["shorter", "other_entries", "other_key", "no_proof", "malformed"]
"""shorter: it had more entries. other_entries: as many, and not the same. other_key: another log, or signed by another
key. no_proof: what was sent does not prove that the log begins as it did. malformed: no checkpoint of ours."""


class ConsistencyWanted(Message, frozen=True, tag="consistency_wanted"):
    """Asks for the proof that the audit log of ``second`` entries begins with that of ``first``.

    Answered by `Consistency`.
    """

    first: LogSize
    second: LogSize


class Consistency(Message, frozen=True, tag="consistency"):
    """Answer to `ConsistencyWanted`."""

    first: LogSize
    second: LogSize
    hashes: Annotated[bytes, msgspec.Meta(max_length=MAX_PROOF_HASHES * HASH_BYTES)]
    """The proof by RFC 9162, section 2.1.4, one hash after the other; empty: the log has no such size."""


class AuditAlarm(Message, frozen=True, tag="audit_alarm"):
    """The audit log is not what this PC has seen of it; said anew on each connection."""

    fault: WitnessFault | None
    """None: it was not, and has begun again since, by the word of the offline role."""
    known: LogSize
    """How many entries it had."""
    told: LogSize
    """How many it is said to have; 0 where that could not be read."""

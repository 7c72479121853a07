"""What a PC and its server say of the PC's log of install records (`p2pdist.shared.custody`). Pure."""

from typing import Annotated

import msgspec

from p2pdist.shared.custody import EncodedRecord, Size, TreeHash
from p2pdist.shared.merkle import HASH_BYTES
from p2pdist.shared.merkle_log import MAX_LEVELS
from p2pdist.shared.wire.codec import Message

MAX_PAGE_RECORDS = 100
MAX_PAGES_A_CONNECTION = 15  # all that a PC holds, and twice as much
MAX_HEAD_CHARS = 8 << 10  # a JWS with the certificate of a PC has some 2,000


class CustodyTold(Message, frozen=True, tag="custody"):
    """The state of a PC's log, unsigned and without records; or, asked by `CustodyWanted`, a signed part of it."""

    size: Size
    """How many records the log has after this part."""
    root: TreeHash
    """The root over them."""
    frontier: Annotated[bytes, msgspec.Meta(max_length=MAX_LEVELS * HASH_BYTES)] = b""
    """Of the records before this part: the hashes of the complete subtrees, the largest first."""
    records: Annotated[tuple[EncodedRecord, ...], msgspec.Meta(max_length=MAX_PAGE_RECORDS)] = ()
    statement: Annotated[str, msgspec.Meta(max_length=MAX_HEAD_CHARS)] = ""
    """A JWS over size and root (`CustodyHead`); empty: only the state is told."""


class CustodyWanted(Message, frozen=True, tag="custody_wanted"):
    """The server has the first ``after`` records of a log, below ``root``, and wants what follows, signed."""

    after: Size
    root: TreeHash

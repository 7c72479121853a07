"""Why a transfer cannot go on by itself: a kind from a closed list, and words for people. Pure."""

import enum
from dataclasses import dataclass
from typing import Annotated

import msgspec

MAX_FAULT_CHARS = 5_000  # a path has up to 4 096


class TransferFaultKind(enum.Enum):
    """The kind that programs go by; each value says what it means."""

    DISK_FULL = "the disk, or the quota on it, is used up"
    DISK = "a file or the disk cannot be read or written"
    ENGINE = "the torrent engine does not accept the torrent"
    WRONG_FILE = "each piece is right, but the whole file is not"


@dataclass(frozen=True, slots=True)
class TransferFault:
    """One fault; ``text`` is one or two sentences: what happened, then what to do."""

    kind: TransferFaultKind
    text: Annotated[str, msgspec.Meta(max_length=MAX_FAULT_CHARS)]

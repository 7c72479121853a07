"""The mark that a home was restored from a backup: the server then learns from its PCs what came after that. Blocking.

`restore` writes it, and the running server keeps in it how far it has come. While it says so, nothing is published or
announced that would go on from the old state: numbers would be given twice, and what was withdrawn would be offered.
"""

from typing import Annotated, Literal

import msgspec

from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, KeptState
from seed_server.settings.home import ServerHome

MAX_MARK_BYTES = 16 << 10
MAX_LEFT_ROLES = 64

MarkMoment = Annotated[float, msgspec.Meta(ge=0.0, le=1e11)]
MarkCount = Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]

log = lazy_log()


class RestoredMark(KeptState, frozen=True):
    """What is kept; times are in seconds since 1970."""

    backup_at: MarkMoment
    """When the backup was made: what came after it is not in this home."""
    restored_at: MarkMoment
    format: Literal[1] = 1
    begun_at: MarkMoment = 0.0
    """When the server began to learn from PCs; 0: it has not run since."""
    ended_at: MarkMoment = 0.0
    """When it had learnt enough, or waited long enough; 0: not yet. From then on it signs."""
    settled: bool = False
    """Whether what it had to do after that is done: what PCs were offered by rollouts that are not known is halted."""
    told: MarkCount = 0
    """How many PCs have said what they trust."""
    pcs: MarkCount = 0
    """How many there are that are not denied."""
    newer: MarkCount = 0
    """How many trust newer signed files than the server has."""
    adopted: MarkCount = 0
    """How many newer signed roles were adopted."""
    left: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_LEFT_ROLES)] = ()
    """Newer roles that wait for documents that no PC has handed in."""

    @property
    def catching_up(self) -> bool:
        """Whether the server still learns from its PCs, and announces nothing of its own."""
        return not self.ended_at


def read_mark(home: ServerHome) -> RestoredMark | None:
    """Return the mark; None: this home was never restored. Raises `UserError` (STORAGE)."""
    try:
        data = read_capped(home.restored, MAX_MARK_BYTES)
        mark: RestoredMark = codec.decode(data, RestoredMark, max_bytes=MAX_MARK_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, DecodeError, FileTooLargeError) as error:
        raise UserError(
            f"Cannot read {home.restored}: {error}. Restore this home from the backup again.", FaultKind.STORAGE
        ) from error
    return mark


def write_mark(home: ServerHome, mark: RestoredMark) -> None:
    """Write the mark. Raises `UserError` (STORAGE)."""
    try:
        durable_files.write_file(home.restored, codec.encode(mark), mode=0o600)
    except OSError as error:
        raise UserError(
            f"Cannot write {home.restored}: {error.strerror}. Check the disk's space and permissions.",
            FaultKind.STORAGE,
        ) from error


def mark_restored(home: ServerHome, *, backup_at: float, restored_at: float) -> None:
    """Note that ``home`` was restored; before `serve` runs in it. Raises `UserError` (STORAGE)."""
    write_mark(home, RestoredMark(backup_at, restored_at))


def is_catching_up(home: ServerHome) -> bool:
    """Whether this server still learns from its PCs. Raises `UserError` (STORAGE)."""
    mark = read_mark(home)
    return mark is not None and mark.catching_up


def check_caught_up(home: ServerHome) -> None:
    """Raise `UserError` (BUSY) while the server learns from its PCs what came after the backup."""
    if is_catching_up(home):
        raise UserError(
            "This server was restored from a backup and still learns from its PCs what came after that; what is signed "
            "now could contradict it. Let 'seed-server serve' run: it takes five minutes at most, and 'seed-server "
            "status' says how far it is. Then try again.",
            FaultKind.BUSY,
        )

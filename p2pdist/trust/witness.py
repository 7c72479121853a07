"""What this PC has seen of the server's audit log, kept beside the trust floor; what does not follow from it. Blocking.

A log may only grow. Whoever owns the server and its keys can sign any log, but not one that begins as the log did which
this PC has seen. Where that happens both signed states are kept: together they are the evidence. Another key, and that
the log lacks entries and begins again, is believed of the offline role alone (`LogAnchor`).
"""

import hashlib
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from p2pdist.shared import durable_files
from p2pdist.shared.audit_checkpoint import Checkpoint, LaterCheckpointError, read_checkpoint
from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.log_anchor import LogAnchor, LogBeginning, decode_anchor
from p2pdist.shared.manifest.staged import MAX_CHECKPOINT_BYTES
from p2pdist.shared.merkle import HASH_BYTES
from p2pdist.shared.merkle_log import proves_consistency
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, KeptState
from p2pdist.shared.wire.witness import Consistency, WitnessFault
from p2pdist.trust.floor import CHECKSUM_BYTES

MAX_WITNESS_FAULT_CHARS = 40  # names of faults
MAX_WITNESS_BYTES = 16 << 10  # three checkpoints and an anchor

log = lazy_log()


class Seen(KeptState, frozen=True):
    """What is kept."""

    format: int = 1
    known: bytes = b""
    """The newest checkpoint that follows from all that were seen before; empty: none was seen yet."""
    conflict: bytes = b""
    """The first one that does not; empty: all do."""
    fault: Annotated[str, msgspec.Meta(max_length=MAX_WITNESS_FAULT_CHARS)] | None = None
    """What is wrong with it, a `WitnessFault` or what a newer release calls so; None: nothing, or the log has begun
    again since."""
    anchor: bytes = b""
    """The newest anchor that was taken, as it was signed; empty: none was."""
    before: bytes = b""
    """What was known when the log began again."""


@dataclass(frozen=True)
class ProofQuestion:
    """A checkpoint that needs a proof."""

    note: bytes
    known: Checkpoint
    told: Checkpoint


class Witness:
    """Remembers one server's audit log.

    An alarm stays: a log that was rewritten does not become whole again. It ends where the offline role says that the
    log begins again.
    """

    def __init__(self, path: Path) -> None:
        """``path`` is the file; one that is missing or damaged counts as that of a PC that has seen nothing."""
        self._path = path
        self._seen = _load(path)

    @property
    def fault(self) -> WitnessFault | None:
        """What was wrong with the log; None: nothing. What only a newer release can name is ``malformed``."""
        if self._seen.fault is None:
            return None
        known: tuple[WitnessFault, ...] = typing.get_args(WitnessFault)
        return next((fault for fault in known if fault == self._seen.fault), "malformed")

    @property
    def known_size(self) -> int:
        """How many entries the log had when it was last proved; 0 also for none."""
        return read_checkpoint(self._seen.known).size if self._seen.known else 0

    @property
    def told_size(self) -> int:
        """How many entries the log has of which something is wrong; 0: it cannot be read, or there is none."""
        try:
            return read_checkpoint(self._seen.conflict).size
        except DecodeError:
            return 0

    @property
    def had_alarm(self) -> bool:
        """Whether something was wrong with the log once, also where it has begun again since."""
        return bool(self._seen.conflict)

    @property
    def begun_again(self) -> tuple[LogBeginning, int] | None:
        """How the log began again that this PC had seen, and how many entries it had seen before; None: it did not."""
        if not self._seen.before:
            return None
        beginning = decode_anchor(self._seen.anchor).beginning
        return None if beginning is None else (beginning, read_checkpoint(self._seen.before).size)

    def look(self, note: bytes, anchor: bytes = b"") -> ProofQuestion | None:
        """Judge a checkpoint that was signed for PCs; return it where it needs a proof.

        ``anchor`` is what the offline role says of the log; empty: nothing. Raises `OSError`, and
        `LaterCheckpointError` for what a later release has written: that is neither believed nor an alarm.
        """
        taken = self._take(anchor)
        if note == self._seen.known or self._seen.fault is not None:
            return None
        try:
            told = read_checkpoint(note)
        except LaterCheckpointError:
            raise
        except DecodeError:
            self._alarm(note, "malformed")
            return None
        if not self._seen.known:
            self._keep(msgspec.structs.replace(self._seen, known=note))
            return None
        known = read_checkpoint(self._seen.known)
        key = known.key if taken is None else taken.known.key
        if taken is not None and note == taken.checkpoint and told.size <= known.size:
            return None  # the server has nothing newer to say yet
        if (told.origin, told.key) != (known.origin, key):
            self._alarm(note, "other_key")
        elif told.size < known.size:
            self._alarm(note, "shorter")
        elif told.size > known.size:
            return ProofQuestion(note, known, told)
        elif told.root != known.root:
            self._alarm(note, "other_entries")
        return None

    def answer(self, question: ProofQuestion, answer: Consistency) -> None:
        """Judge the proof that was asked for. Raises `OSError`."""
        hashes = [answer.hashes[at : at + HASH_BYTES] for at in range(0, len(answer.hashes), HASH_BYTES)]
        known, told = question.known, question.told
        if proves_consistency(known.size, known.root, told.size, told.root, hashes):
            self._keep(msgspec.structs.replace(self._seen, known=question.note))
        else:
            self._alarm(question.note, "no_proof")

    def _take(self, signed: bytes) -> LogAnchor | None:
        """Take an anchor; return the newest that was taken."""
        taken = decode_anchor(self._seen.anchor) if self._seen.anchor else None
        if not signed or signed == self._seen.anchor:
            return taken
        try:
            anchor = decode_anchor(signed)
        except DecodeError as error:
            raise LaterCheckpointError("what is signed of the log's key is of a later form") from error
        number = 0 if taken is None else taken.number
        if anchor.number <= number:
            return taken
        seen = msgspec.structs.replace(self._seen, anchor=signed)
        if anchor.begins_after(number):
            seen = msgspec.structs.replace(seen, known=anchor.checkpoint, before=self._seen.known, fault=None)
            log.warning("the server's audit log begins again", number=anchor.number, known=self.known_size)
        elif not self._seen.known:  # better than to believe what the server shows
            seen = msgspec.structs.replace(seen, known=anchor.checkpoint)
        self._keep(seen)
        return anchor

    def _alarm(self, note: bytes, fault: WitnessFault) -> None:
        self._seen = msgspec.structs.replace(self._seen, conflict=note[:MAX_CHECKPOINT_BYTES], fault=fault)
        log.error("the server's audit log is not what this PC has seen of it", fault=fault, known=self.known_size)
        self._keep(self._seen)

    def _keep(self, seen: Seen) -> None:
        body = codec.encode(seen)
        durable_files.write_file(self._path, hashlib.sha256(body).digest() + body, mode=0o600)
        self._seen = seen


def _load(path: Path) -> Seen:
    try:
        data = read_capped(path, MAX_WITNESS_BYTES)
        body = data[CHECKSUM_BYTES:]
        if hashlib.sha256(body).digest() != data[:CHECKSUM_BYTES]:
            raise DecodeError("the checksum does not fit: the file is damaged")
        seen: Seen = codec.decode(body, Seen, max_bytes=MAX_WITNESS_BYTES)
    except FileNotFoundError:
        return Seen()
    except (OSError, DecodeError, FileTooLargeError) as error:
        log.warning("what was seen of the server's audit log is lost", path=str(path), reason=str(error))
        return Seen()
    return _understood(seen)


def _understood(seen: Seen) -> Seen:
    """Return what this release understands of what a newer one kept, which has then been gone back from.

    What is signed of the log comes again from the server, as it is now; an alarm stays.
    """
    if seen.known and not _reads(read_checkpoint, seen.known):
        seen = msgspec.structs.replace(seen, known=b"")
    anchored = not seen.anchor or _reads(decode_anchor, seen.anchor)
    if not anchored or (seen.before and not _reads(read_checkpoint, seen.before)):
        seen = msgspec.structs.replace(seen, before=b"")
    if anchored and seen.anchor and not seen.known:  # better than to believe what the server shows
        seen = msgspec.structs.replace(seen, known=decode_anchor(seen.anchor).checkpoint)
    return seen if anchored else msgspec.structs.replace(seen, anchor=b"")


def _reads(read: Callable[[bytes], object], signed: bytes) -> bool:
    try:
        read(signed)
    except DecodeError as error:
        log.warning("what was seen of the server's audit log is not understood, and left out", reason=str(error))
        return False
    return True

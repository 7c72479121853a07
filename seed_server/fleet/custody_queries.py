"""What PCs have signed of their installations, held to their signatures, with proofs. Blocking; nothing here writes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from p2pdist.shared.custody import MAX_CUSTODY_RECORD_BYTES, CustodyFault, CustodyRecord
from p2pdist.shared.custody_check import check_head
from p2pdist.shared.errors import UserError
from p2pdist.shared.statement_check import StatementError
from p2pdist.shared.wire import codec
from seed_server.fleet.context import Context
from seed_server.fleet.names import endpoint_in

if TYPE_CHECKING:
    from seed_server.store.custody import KeptLog
    from seed_server.store.database import Database

UNREADABLE = CustodyRecord(0, "?", "?", 0, 0, "unreadable")


@dataclass(frozen=True)
class ProvedRecord:
    """A record, and the proof that it is below the head of its log."""

    log: int
    number: int
    record: CustodyRecord
    data: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True)
class HeldLog:
    """A log of a PC, as it is kept, and whether it is what the PC has signed."""

    log: int
    first: int
    size: int
    root: bytes
    statement: str
    fault: CustodyFault | str
    problem: str
    """What is wrong with what is kept here; empty: the PC has signed it."""


@dataclass(frozen=True)
class CustodyView:
    """All that a PC has signed."""

    endpoint_id: str
    hostname: str
    logs: tuple[HeldLog, ...]
    records: tuple[ProvedRecord, ...]
    held_back: int
    """Parts that were not written because they were too many for a day, ever."""
    held_back_at: float
    """The last time, in seconds since 1970; 0: never."""


def custody_of(context: Context, pc: str, patch_id: str = "") -> CustodyView:
    """Return what a PC, named as for `named_endpoint`, has signed; of one patch only, where that is given.

    Raises `UserError`: BAD_INPUT where no PC, or several, have that name.
    """
    with context.database() as database, database.one_state():
        endpoint_id, hostname = _whose(database, pc)
        kept, pace = database.custody_logs(endpoint_id), database.custody_pace(endpoint_id)
    records = tuple(one for log in kept for one in _records(log, patch_id))
    held = tuple(_held(log, endpoint_id) for log in kept)
    return CustodyView(endpoint_id, hostname, held, records, pace.held_back, pace.held_back_at)


def _whose(database: "Database", pc: str) -> tuple[str, str]:
    """Return the id and the name of the PC that is meant; of one that was forgotten, too: its custody is kept."""
    try:
        row = endpoint_in(database, pc)
    except UserError:
        if (gone := database.forgotten_named(pc)) is None or database.endpoint(gone.endpoint_id) is not None:
            raise
        return gone.endpoint_id, gone.hostname
    return row.endpoint_id, row.hostname


def _held(kept: "KeptLog", endpoint_id: str) -> HeldLog:
    custody = kept.custody
    root, problem = b"", ""
    try:
        head = check_head(kept.statement, None, endpoint_id)
        root = custody.root()
        if (head.size, head.root) != (custody.size, root.hex()):
            problem = "the records are not those that the PC has signed"
    except StatementError as error:
        problem = str(error)
    except ValueError:
        problem = "the hashes of what came before are damaged"
    return HeldLog(kept.log, custody.first, custody.size, root, kept.statement, kept.fault, problem)


def _records(kept: "KeptLog", patch_id: str) -> list[ProvedRecord]:
    found: list[ProvedRecord] = []
    for number, data in enumerate(kept.custody.records, kept.custody.first):
        record = _read(data)
        if patch_id in {"", record.patch_id, f"{record.patch_id}@{record.version}"}:
            try:
                hashes = tuple(kept.custody.proof(number))
            except ValueError:  # damaged: the log's problem says so
                hashes = ()
            found.append(ProvedRecord(kept.log, number, record, data, hashes))
    return found


def _read(data: bytes) -> CustodyRecord:
    try:
        record: CustodyRecord = codec.decode(data, CustodyRecord, max_bytes=MAX_CUSTODY_RECORD_BYTES)
    except (codec.DecodeError, msgspec.MsgspecError):
        return UNREADABLE
    return record

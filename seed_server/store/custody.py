"""The database's install records of PCs: what continues the log that a PC has signed is added to it. Blocking."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from p2pdist.shared.custody import Custody, CustodyFault, CustodyHead, custody_fault, frontier_root
from p2pdist.shared.merkle import HASH_BYTES
from p2pdist.shared.wire.custody import MAX_PAGE_RECORDS, CustodyTold, CustodyWanted
from seed_server.store.engines import upsert
from seed_server.store.interned import parts
from seed_server.store.tables import ENDPOINTS
from seed_server.store.tables_custody import CUSTODY_LOGS, CUSTODY_RECORDS
from seed_server.store.transactions import Transactions

MAX_CUSTODY_LOGS = 16  # of one PC: beyond, somebody plays with it


@dataclass(frozen=True)
class SignedPart:
    """What a PC tells of its log; with the head that it has signed, once that is verified."""

    told: CustodyTold
    head: CustodyHead | None = None

    @property
    def custody(self) -> Custody:
        """The part."""
        told = self.told
        return Custody(max(0, told.size - len(told.records)), unpacked_hashes(told.frontier), told.records)


@dataclass(frozen=True)
class KeptLog:
    """A log of a PC as it is kept."""

    log: int
    custody: Custody
    statement: str
    fault: str
    """Why it does not continue the log before it; empty: it is the first."""


@dataclass(frozen=True)
class CustodyOutcome:
    """What came of what a PC has told."""

    wanted: CustodyWanted | None = None
    fault: CustodyFault | None = None


@dataclass(frozen=True)
class CustodyFaultRow:
    """A PC that did not continue what it had signed."""

    endpoint_id: str
    """Empty, like the next: the PC is forgotten."""
    hostname: str
    fault: str
    """As `CustodyFault`."""
    at: float
    """When it was found, seconds since 1970."""


class CustodyTable(Transactions):
    """The part of `Database` that is about install records; raises as all of it."""

    def save_custody(self, said: Mapping[str, SignedPart], now: float) -> dict[str, CustodyOutcome]:
        """Add what is new and signed; return what is wanted of each PC, and what is wrong. Unknown PCs are skipped."""
        if not said:
            return {}
        found: dict[str, CustodyOutcome] = {}
        with self._writing() as connection:
            for part in parts(sorted(said)):
                query = select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.number).where(ENDPOINTS.c.endpoint_id.in_(part))
                numbers = dict(connection.execute(query).all())
                ours = CUSTODY_LOGS.c.endpoint.in_(list(numbers.values()))
                rows = connection.execute(select(CUSTODY_LOGS).where(ours).order_by(CUSTODY_LOGS.c.log)).all()
                newest = {row.endpoint: row for row in rows}
                for endpoint, number in numbers.items():
                    found[endpoint] = _save(connection, number, newest.get(number), said[endpoint], now)
        return found

    def custody_faults(self, since: float) -> list[CustodyFaultRow]:
        """Return where PCs did not continue what they had signed, found since then, the newest first."""
        logs = CUSTODY_LOGS.c
        query = (
            select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.hostname, logs.fault, logs.begun_at)
            .join_from(CUSTODY_LOGS, ENDPOINTS, ENDPOINTS.c.number == logs.endpoint, isouter=True)
            .where(logs.fault != "", logs.begun_at >= since)
            .order_by(logs.begun_at.desc(), logs.endpoint, logs.log)
        )
        with self.reading() as connection:
            return [CustodyFaultRow(of or "", name or "", *rest) for of, name, *rest in connection.execute(query)]

    def custody_logs(self, endpoint: str) -> list[KeptLog]:
        """Return all logs of a PC with their records, the oldest first."""
        records = CUSTODY_RECORDS.c
        query = (
            select(CUSTODY_LOGS)
            .join(ENDPOINTS, ENDPOINTS.c.number == CUSTODY_LOGS.c.endpoint)
            .where(ENDPOINTS.c.endpoint_id == endpoint)
            .order_by(CUSTODY_LOGS.c.log)
        )
        with self.reading() as connection:
            found = []
            for row in connection.execute(query).all():
                of_log = (records.endpoint == row.endpoint) & (records.log == row.log)
                kept = connection.scalars(select(records.record).where(of_log).order_by(records.number)).all()
                custody = Custody(row.first, unpacked_hashes(row.before), tuple(kept))
                found.append(KeptLog(row.log, custody, row.statement, row.fault))
            return found


def unpacked_hashes(packed: bytes) -> tuple[bytes, ...]:
    """Return the hashes that stand one after the other."""
    return tuple(packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES))


def _save(connection: Connection, endpoint: int, row: Row[Any] | None, part: SignedPart, now: float) -> CustodyOutcome:
    """``row`` is the PC's newest log."""
    kept = Custody() if row is None else Custody(row.size, unpacked_hashes(row.frontier))
    told = part.custody
    if part.head is None:
        same = (part.told.size, part.told.root) == (kept.size, kept.root())
        return CustodyOutcome(None if same else _wanted(kept))
    fault = custody_fault(kept, told, part.head)
    if fault == "malformed" or told.size != part.told.size or len(part.told.frontier) % HASH_BYTES:
        return CustodyOutcome(fault="malformed")
    log = 0 if row is None else row.log + (fault is not None)
    if log >= MAX_CUSTODY_LOGS:
        return CustodyOutcome(fault=fault)
    if row is not None and fault is None and told.size == kept.size:
        return CustodyOutcome()
    if row is None or fault is not None:
        first, before, why, new, begun_at = told.first, told.frontier, fault or "", told, now
    else:
        first, before, why, begun_at = row.first, unpacked_hashes(row.before), row.fault, row.begun_at
        new = told.since(kept.size, len(told.records))
    frontier = told.frontier_at(told.size)
    values = {
        "endpoint": endpoint, "log": log, "first": first, "size": told.size, "at": now,
        "begun_at": begun_at,
        "fault": why, "statement": part.told.statement,
        "before": b"".join(before), "frontier": b"".join(frontier),
    }  # fmt: skip
    connection.execute(upsert(connection, CUSTODY_LOGS), [values])
    if new.records:
        rows = [
            {"endpoint": endpoint, "log": log, "number": number, "record": record}
            for number, record in enumerate(new.records, new.first)
        ]
        connection.execute(CUSTODY_RECORDS.insert(), rows)
    more = len(told.records) == MAX_PAGE_RECORDS
    return CustodyOutcome(_wanted(Custody(told.size, frontier)) if more else None, fault)


def _wanted(kept: Custody) -> CustodyWanted:
    return CustodyWanted(kept.size, frontier_root(kept.frontier))

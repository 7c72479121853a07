"""The database's install records of PCs: what continues the log that a PC has signed is added to it. Blocking."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, select

from p2pdist.shared.custody import MAX_HELD_RECORDS, Custody, CustodyFault, CustodyHead, custody_fault, frontier_root
from p2pdist.shared.merkle import HASH_BYTES
from p2pdist.shared.wire.custody import MAX_PAGE_RECORDS, CustodyTold, CustodyWanted
from seed_server.store.engines import upsert
from seed_server.store.interned import parts
from seed_server.store.tables import ENDPOINTS
from seed_server.store.tables_custody import CUSTODY_LOGS, CUSTODY_PACES, CUSTODY_RECORDS
from seed_server.store.tables_events import FORGOTTEN_ENDPOINTS
from seed_server.store.transactions import Transactions

MAX_CUSTODY_LOGS = 16  # of one PC at once: beyond, another each NEXT_LOG_SECONDS, so that nobody is shut out for ever
NEXT_LOG_SECONDS = 30 * 86_400.0
CUSTODY_DAY_SECONDS = 86_400.0
MAX_CUSTODY_RECORDS_A_DAY = MAX_HELD_RECORDS  # of one PC: all that an honest one can hold, after however long


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
class CustodyPace:
    """How much of a PC's custody was written today, and what was not."""

    began_at: float = 0.0
    """When that day began: seconds since 1970."""
    records: int = 0
    log_began_at: float = 0.0
    held_back: int = 0
    """Parts that were not written because they were too many, ever; the PC sends again what it still holds."""
    held_back_at: float = 0.0
    """The last time; 0: never."""
    malformed_at: float = 0.0
    """When it had signed what cannot be, or signed it wrongly: the first time of a day; 0: never."""

    def on(self, now: float) -> "CustodyPace":
        """Return the pace of the day in which ``now`` is; a clock that was set back begins one."""
        same = self.began_at > 0 and 0 <= now - self.began_at < CUSTODY_DAY_SECONDS
        return self if same else replace(self, began_at=now, records=0)

    def malformed(self, now: float) -> "CustodyPace | None":
        """Return the pace once it is noted that what the PC says is malformed; None: that is noted today."""
        noted = self.malformed_at > 0 and 0 <= now - self.malformed_at < CUSTODY_DAY_SECONDS
        return None if noted else replace(self, malformed_at=now)


@dataclass(frozen=True)
class CustodyOutcome:
    """What came of what a PC has told."""

    wanted: CustodyWanted | None = None
    fault: CustodyFault | None = None
    held_back: bool = False
    """It was not written: too much for a day. Told once a day; each is counted."""


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
                logs: dict[int, list[Row[Any]]] = {}
                for row in connection.execute(select(CUSTODY_LOGS).where(ours).order_by(CUSTODY_LOGS.c.log.desc())):
                    logs.setdefault(row.endpoint, []).append(row)
                signers = [number for endpoint, number in numbers.items() if said[endpoint].head is not None]
                paces = _paces(connection, signers) if signers else {}
                for endpoint, number in numbers.items():
                    kept = _PcLogs(connection, number, logs.get(number, []), paces.get(number, CustodyPace()), now)
                    found[endpoint] = kept.outcome(said[endpoint])
        return found

    def save_malformed_custody(self, endpoints: Collection[str], now: float) -> None:
        """Note that what these PCs say of their records is not signed by them, or is no statement of that."""
        if not endpoints:
            return
        query = select(ENDPOINTS.c.number).where(ENDPOINTS.c.endpoint_id.in_(sorted(endpoints)))
        with self._writing() as connection:
            numbers = list(connection.scalars(query))
            paces = _paces(connection, numbers)
            for number in numbers:
                if (noted := paces.get(number, CustodyPace()).malformed(now)) is not None:
                    _save_pace(connection, number, noted)

    def custody_faults(self, since: float) -> list[CustodyFaultRow]:
        """Return where PCs did not continue what they had signed, found since then, the newest first."""
        logs, paces = CUSTODY_LOGS.c, CUSTODY_PACES.c
        malformed = (
            select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.hostname, paces.malformed_at)
            .join_from(CUSTODY_PACES, ENDPOINTS, ENDPOINTS.c.number == paces.endpoint, isouter=True)
            .where(paces.malformed_at > 0, paces.malformed_at >= since)
            .order_by(paces.endpoint)
        )
        query = (
            select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.hostname, logs.fault, logs.begun_at)
            .join_from(CUSTODY_LOGS, ENDPOINTS, ENDPOINTS.c.number == logs.endpoint, isouter=True)
            .where(logs.fault != "", logs.begun_at >= since)
            .order_by(logs.begun_at.desc(), logs.endpoint, logs.log)
        )
        with self.reading() as connection:
            found = [CustodyFaultRow(of or "", name or "", *rest) for of, name, *rest in connection.execute(query)]
            for of, name, at in connection.execute(malformed):
                found.append(CustodyFaultRow(of or "", name or "", "malformed", at))
        return sorted(found, key=lambda row: -row.at)

    def custody_pace(self, endpoint: str) -> CustodyPace:
        """Return how much of a PC's custody was written, and what was not."""
        with self.reading() as connection:
            paces = _paces(connection, _numbers_of(connection, endpoint))
        return next(iter(paces.values()), CustodyPace())

    def custody_logs(self, endpoint: str) -> list[KeptLog]:
        """Return all logs of a PC with their records, the oldest first; of one that was forgotten, too."""
        records = CUSTODY_RECORDS.c
        with self.reading() as connection:
            of_pc = CUSTODY_LOGS.c.endpoint.in_(_numbers_of(connection, endpoint))
            query = select(CUSTODY_LOGS).where(of_pc).order_by(CUSTODY_LOGS.c.log)
            found = []
            for row in connection.execute(query).all():
                of_log = (records.endpoint == row.endpoint) & (records.log == row.log)
                kept = connection.scalars(select(records.record).where(of_log).order_by(records.number)).all()
                custody = Custody(row.first, unpacked_hashes(row.before), tuple(kept))
                found.append(KeptLog(row.log, custody, row.statement, row.fault))
            return found


def _numbers_of(connection: Connection, endpoint: str) -> list[int]:
    """Return the number of a PC; else that which it had when it was forgotten last."""
    for table, newest in ((ENDPOINTS, ENDPOINTS.c.number), (FORGOTTEN_ENDPOINTS, FORGOTTEN_ENDPOINTS.c.number)):
        query = select(table.c.number).where(table.c.endpoint_id == endpoint).order_by(newest.desc()).limit(1)
        if numbers := list(connection.scalars(query)):
            return numbers
    return []


def unpacked_hashes(packed: bytes) -> tuple[bytes, ...]:
    """Return the hashes that stand one after the other."""
    return tuple(packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES))


def _paces(connection: Connection, endpoints: Sequence[int]) -> dict[int, CustodyPace]:
    rows = connection.execute(select(CUSTODY_PACES).where(CUSTODY_PACES.c.endpoint.in_(endpoints)))
    return {
        row.endpoint: CustodyPace(
            row.began_at, row.records, row.log_began_at, row.held_back, row.held_back_at, row.malformed_at
        )
        for row in rows
    }


@dataclass(frozen=True)
class _PcLogs:
    """What is kept of one PC, within a transaction."""

    connection: Connection
    endpoint: int
    logs: Sequence[Row[Any]]
    """The newest first."""
    pace: CustodyPace
    now: float

    def outcome(self, part: SignedPart) -> CustodyOutcome:
        """Write what a PC tells, where it is signed and new; return what came of it."""
        rows: list[Row[Any] | None] = [*self.logs] if self.logs else [None]
        if part.head is None:
            state = (part.told.size, part.told.root)
            if any(state == (kept.size, kept.root()) for kept in map(_kept, rows)):
                return CustodyOutcome()
            return CustodyOutcome(_wanted(_kept(rows[0])))
        told, first_fault = part.custody, None
        for row in rows:  # two PCs with one identity go on with a log each
            kept = _kept(row)
            fault = custody_fault(kept, told, part.head)
            if fault == "malformed" or told.size != part.told.size or len(part.told.frontier) % HASH_BYTES:
                if (noted := self.pace.malformed(self.now)) is not None:
                    self._save_pace(noted)
                return CustodyOutcome(fault="malformed")
            if fault is None and row is not None:
                if told.size == kept.size:
                    return CustodyOutcome()
                return self._add(part, row.log, row, told.since(kept.size, len(told.records)))
            first_fault = first_fault or fault
        return self._add(part, self.logs[0].log + 1 if self.logs else 0, None, told, first_fault)

    def _add(
        self, part: SignedPart, log: int, row: Row[Any] | None, new: Custody, fault: CustodyFault | None = None
    ) -> CustodyOutcome:
        """``row``: the log that ``new`` continues; None: it begins log number ``log``, because of ``fault``."""
        pace = self.pace.on(self.now)
        too_many_logs = row is None and log >= MAX_CUSTODY_LOGS and self.now - pace.log_began_at < NEXT_LOG_SECONDS
        records = pace.records + max(1, len(new.records))  # an empty log is a row, too
        if too_many_logs or records > MAX_CUSTODY_RECORDS_A_DAY:
            self._save_pace(replace(pace, held_back=pace.held_back + 1, held_back_at=self.now))
            return CustodyOutcome(held_back=not (pace.held_back and pace.began_at <= pace.held_back_at <= self.now))
        self._save_pace(replace(pace, records=records, log_began_at=self.now if row is None else pace.log_began_at))
        frontier = new.frontier_at(new.size)
        values = {
            "endpoint": self.endpoint, "log": log, "size": new.size, "at": self.now,
            "begun_at": self.now if row is None else row.begun_at,
            "first": new.first if row is None else row.first, "fault": (fault or "") if row is None else row.fault,
            "statement": part.told.statement, "frontier": b"".join(frontier),
            "before": b"".join(new.frontier) if row is None else row.before,
        }  # fmt: skip
        self.connection.execute(upsert(self.connection, CUSTODY_LOGS), [values])
        if new.records:
            rows = [
                {"endpoint": self.endpoint, "log": log, "number": number, "record": record}
                for number, record in enumerate(new.records, new.first)
            ]
            self.connection.execute(CUSTODY_RECORDS.insert(), rows)
        more = len(part.told.records) == MAX_PAGE_RECORDS
        return CustodyOutcome(_wanted(Custody(new.size, frontier)) if more else None, fault)

    def _save_pace(self, pace: CustodyPace) -> None:
        _save_pace(self.connection, self.endpoint, pace)


def _save_pace(connection: Connection, endpoint: int, pace: CustodyPace) -> None:
    connection.execute(upsert(connection, CUSTODY_PACES), [{"endpoint": endpoint, **asdict(pace)}])


def _kept(row: Row[Any] | None) -> Custody:
    return Custody() if row is None else Custody(row.size, unpacked_hashes(row.frontier))


def _wanted(kept: Custody) -> CustodyWanted:
    return CustodyWanted(kept.size, frontier_root(kept.frontier))

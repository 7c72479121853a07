"""What the origin port has learned and not yet written, in parts that are a transaction each. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from types import MappingProxyType
from typing import TypeVar

from p2pdist.shared.identifiers import EndpointId, PatchRef, TorrentHash
from p2pdist.shared.wire.custody import CustodyTold, CustodyWanted
from p2pdist.shared.wire.messages import Diagnosis, PatchReport
from p2pdist.shared.wire.neighbours_seen import NeighboursSeen
from p2pdist.shared.wire.witness import AuditAlarm
from seed_server.store.minute_rows import LineSlot, WatchedSlot
from seed_server.store.plan_rows import WatchedHour
from seed_server.store.rows import Recorded, SeenRow, SiteLimitRow

MOVED_FOR_A_ROW = 16  # what a PC has said is counted elsewhere in a sixteenth of the time that it takes to record it
MOST_MINUTES = 50_000  # of lines, while the database cannot be written: 2,000 busy ones for four hours, in 20 MB
NOBODY: Mapping[str, int] = MappingProxyType({})

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True)
class CustodySaid:
    """What a PC says of its install records, and how to ask it for what is lacking."""

    told: CustodyTold
    ask: Callable[[CustodyWanted], None]


@dataclass
class RecordBatch:
    """The newest of everything since the last write."""

    reports: dict[EndpointId, dict[PatchRef, PatchReport]] = field(default_factory=dict)
    diagnoses: dict[EndpointId, dict[str, Diagnosis]] = field(default_factory=dict)
    seen: dict[str, SeenRow] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    recorded: dict[str, Recorded] = field(default_factory=dict)
    facts: dict[str, dict[str, int | str]] = field(default_factory=dict)
    custody: dict[str, CustodySaid] = field(default_factory=dict)
    alarms: dict[str, AuditAlarm] = field(default_factory=dict)
    findings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    known_servers: dict[str, int] = field(default_factory=dict)
    neighbours: dict[str, NeighboursSeen] = field(default_factory=dict)
    sent_bytes: dict[tuple[str, str], int] = field(default_factory=dict)
    damaged: dict[TorrentHash, str] = field(default_factory=dict)
    limits: dict[str, SiteLimitRow] = field(default_factory=dict)
    hours: list[WatchedHour] = field(default_factory=list)
    thirds: dict[str, int] = field(default_factory=dict)
    minutes: list[LineSlot] = field(default_factory=list)
    watched: list[WatchedSlot] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.rows() > 0

    def rows(self) -> int:
        """Return how many rows are written for it; steps, notes and tallies come with those of reports."""
        alone = len(self.seen) + len(self.refusals) + len(self.sent_bytes) + len(self.damaged) + len(self.limits)
        answers = (diagnosis for some in self.diagnoses.values() for diagnosis in some.values())
        said = sum(map(len, self.reports.values())) + sum(max(1, len(diagnosis.answers)) for diagnosis in answers)
        signed = sum(1 + len(one.told.records) for one in self.custody.values())
        told = sum(1 + len(codes) for codes in self.findings.values())
        alone += len(self.known_servers) + len(self.hours) + len(self.thirds)
        alone += len(self.minutes) + len(self.watched)
        told += sum(1 + len(one.own) + len(one.seen) for one in self.neighbours.values())
        return alone + told + len(self.alarms) + len(self.recorded) + len(self.facts) + signed + said

    def add(self, newer: "RecordBatch") -> None:
        """Join what has come later: it wins."""
        for endpoint, reports in newer.reports.items():
            self.reports.setdefault(endpoint, {}).update(reports)
        for endpoint, diagnoses in newer.diagnoses.items():
            self.diagnoses.setdefault(endpoint, {}).update(diagnoses)
        self.seen.update(newer.seen)
        self.refusals.update(newer.refusals)
        self.recorded.update(newer.recorded)
        self.facts.update(newer.facts)
        self.custody.update(newer.custody)
        self.alarms.update(newer.alarms)
        self.findings.update(newer.findings)
        self.known_servers.update(newer.known_servers)
        self.neighbours.update(newer.neighbours)
        self.limits.update(newer.limits)
        self.hours += newer.hours
        self.minutes = (self.minutes + newer.minutes)[-MOST_MINUTES:]
        self.watched += newer.watched
        self.thirds.update(newer.thirds)
        self.damaged.update(newer.damaged)
        for key, count in newer.sent_bytes.items():
            self.sent_bytes[key] = self.sent_bytes.get(key, 0) + count

    def take_much(self, most: int) -> "RecordBatch":
        """Take out what PCs say that say more than ``most`` rows, with what they need not repeat once that is kept."""
        much = RecordBatch()
        for endpoint in map(EndpointId, {**self.reports, **self.diagnoses}):
            said = RecordBatch(
                _of(self.reports, endpoint), _of(self.diagnoses, endpoint), recorded=_of(self.recorded, endpoint)
            )
            if said.rows() > most:
                much.add(said)
                self.drop(said)
        return much

    def overtake(self, older: "RecordBatch") -> None:
        """Be written before ``older``, which loses what is said anew here; it has nothing but what PCs say.

        What a PC need not repeat comes with the last of that: it stays behind, where there is some in ``older``.
        """
        older.drop(RecordBatch(self.reports, self.diagnoses))
        for endpoint in self.recorded.keys() & older.recorded.keys():
            older.recorded.pop(endpoint)
        for endpoint in [endpoint for endpoint in self.recorded if endpoint in older.reports]:
            older.recorded[endpoint] = self.recorded.pop(endpoint)

    def take(self, most_rows: int) -> "RecordBatch":
        """Take out a part, as `cut` yields it; empty when nothing is left."""
        part = next(self.cut(most_rows), RecordBatch())
        self.drop(part)
        return part

    def drop(self, said: "RecordBatch") -> None:
        """Leave out what ``said`` has of what PCs say."""
        for endpoint, reports in said.reports.items():
            _drop(self.reports, endpoint, reports)
        for endpoint, diagnoses in said.diagnoses.items():
            _drop(self.diagnoses, endpoint, diagnoses)
        for endpoint_id in said.recorded:
            self.recorded.pop(endpoint_id, None)

    def cut(self, most_rows: int, moving: Mapping[str, int] = NOBODY) -> Iterator["RecordBatch"]:
        """Yield it in parts of at most ``most_rows`` rows, or one PC's move or answers to one template.

        ``moving`` are PCs that are in another site now, with the number of patches that they have spoken of.

        Written one after the other, each leaves nothing wrong if it is the last: where a PC is comes with or before
        what it says, and what it need not repeat comes with the last of that.
        """
        part, rows = RecordBatch(), 0
        for piece in self._pieces(most_rows):
            more = piece.rows() + sum(moving.get(endpoint, 0) for endpoint in piece.seen) // MOVED_FOR_A_ROW
            if rows and rows + more > most_rows:
                yield part
                part, rows = RecordBatch(), 0
            part.add(piece)
            rows += more
        if rows:
            yield part

    def _pieces(self, most: int) -> Iterator["RecordBatch"]:
        yield from (RecordBatch(sent_bytes=some) for some in _portions(self.sent_bytes, most))
        yield from (RecordBatch(damaged=some) for some in _portions(self.damaged, most))
        yield from (RecordBatch(limits=some) for some in _portions(self.limits, most))
        yield from (RecordBatch(hours=self.hours[at : at + most]) for at in range(0, len(self.hours), most))
        yield from (RecordBatch(thirds=some) for some in _portions(self.thirds, most))
        yield from (RecordBatch(minutes=self.minutes[at : at + most]) for at in range(0, len(self.minutes), most))
        yield from (RecordBatch(watched=self.watched[at : at + most]) for at in range(0, len(self.watched), most))
        yield from (RecordBatch(alarms=some) for some in _portions(self.alarms, most))
        yield from (RecordBatch(known_servers=some) for some in _portions(self.known_servers, most))
        yield from (RecordBatch(findings={endpoint: codes}) for endpoint, codes in self.findings.items())
        yield from (RecordBatch(neighbours={endpoint: said}) for endpoint, said in self.neighbours.items())
        yield from (RecordBatch(custody={endpoint: said}) for endpoint, said in self.custody.items())
        of_pcs = chain(self.seen, self.reports, self.diagnoses, self.refusals, self.recorded, self.facts)
        for endpoint in map(EndpointId, dict.fromkeys(of_pcs)):
            whole = RecordBatch(
                _of(self.reports, endpoint),
                _of(self.diagnoses, endpoint),
                _of(self.seen, endpoint),
                _of(self.refusals, endpoint),
                _of(self.recorded, endpoint),
                _of(self.facts, endpoint),
            )
            if whole.rows() <= most:
                yield whole
                continue
            yield RecordBatch(seen=whole.seen, facts=whole.facts)
            reports, diagnoses = self.reports.get(endpoint, {}), self.diagnoses.get(endpoint, {})
            yield from (RecordBatch(reports={endpoint: some}) for some in _portions(reports, most))
            yield from (RecordBatch(diagnoses={endpoint: some}) for some in _portions(diagnoses, 1))
            yield RecordBatch(refusals=whole.refusals, recorded=whole.recorded)


def _of(values: dict[_K, _V], key: _K) -> dict[_K, _V]:
    return {key: values[key]} if key in values else {}


def _drop(of_pcs: dict[EndpointId, dict[_K, _V]], endpoint: EndpointId, keys: Iterable[_K]) -> None:
    said = of_pcs.get(endpoint, {})
    for key in list(keys):  # which may be those of what loses them
        said.pop(key, None)
    if not said:
        of_pcs.pop(endpoint, None)


def _portions(values: dict[_K, _V], most: int) -> Iterator[dict[_K, _V]]:
    items = iter(values.items())
    while some := dict(islice(items, most)):
        yield some

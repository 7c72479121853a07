"""What the origin port learns, on its way into the database: collected, and written once a second."""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

import structlog
import trio

from p2pdist.shared.clock import Clock
from p2pdist.shared.custody_check import check_head
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId, SiteName, TorrentHash
from p2pdist.shared.manifest.documents import MAX_ROLLOUT_ENTRIES, MAX_WITHDRAWALS
from p2pdist.shared.manifest.template import MAX_TEMPLATES
from p2pdist.shared.statement_check import StatementError
from p2pdist.shared.wire.custody import CustodyTold, CustodyWanted
from p2pdist.shared.wire.messages import Diagnosis, FactsChanged, Report
from p2pdist.shared.wire.neighbours_seen import NeighboursSeen
from p2pdist.shared.wire.pc_findings import FINDING_CODES, PcFindings
from p2pdist.shared.wire.witness import AuditAlarm
from seed_server.line.site_seen import LineSeen
from seed_server.origin.line_hours import LineHours
from seed_server.origin.line_minutes import LineMinutes
from seed_server.origin.record_batch import CustodySaid, RecordBatch
from seed_server.store.custody import CustodyOutcome, SignedPart
from seed_server.store.database import Database
from seed_server.store.rows import Recorded, SeenRow, SiteLimitRow
from seed_server.store.transactions import OTHERS_TURN_SECONDS

FLUSH_SECONDS = 1.0  # what a status may lag behind; one fsync a second whatever the number of endpoints
MAX_WAITING_REPORTS = MAX_ROLLOUT_ENTRIES + MAX_WITHDRAWALS  # of one endpoint between two writes; more is a flood
MOST_ROWS = 5_000  # of a transaction: two seconds on a slow disk, while all other writers wait, and give up after five
MUCH_ROWS = 50  # of one PC: it repeats what it has said before, as thousands may after a restart of both
STILL_SECONDS = 10.0  # "last seen" alone is not worth a transaction each second
COMPLAIN_SECONDS = 60.0  # a full disk is told once a minute

log = structlog.get_logger()


class OriginRecords:
    """Collects what the origin port learns; the only part of the port that writes to the database."""

    def __init__(self, database: Database, clock: Clock, *, most_rows: int = MOST_ROWS) -> None:
        """``most_rows`` are written in one transaction."""
        self._database = database
        self._most_rows = most_rows
        self._clock = clock
        self._batch = RecordBatch()
        self._backlog = RecordBatch()
        """What PCs have said at once that have much to say: it waits while others' news are written."""
        self._flushing = trio.Lock()
        self._still: dict[str, SeenRow] = {}
        self._still_written_at = -STILL_SECONDS
        self._complained_at = -COMPLAIN_SECONDS
        self._templates: AbstractSet[str] = frozenset()
        self._hours = LineHours(clock.now())
        self._minutes = LineMinutes(clock.now())

    def replace_templates(self, names: AbstractSet[str]) -> None:
        """Accept answers to these templates, and to no others."""
        self._templates = names

    def report(self, endpoint: EndpointId, report: Report, recorded: Recorded | None = None) -> None:
        """Keep the newest report on each patch; ``recorded``: it is the last of those that need not be repeated."""
        self._batch.refusals[endpoint] = report.refuses
        if recorded is not None:
            self._batch.recorded[endpoint] = recorded
        waiting = self._batch.reports.setdefault(endpoint, {})
        for patch in report.patches:
            if patch.ref in waiting or len(waiting) < MAX_WAITING_REPORTS:
                waiting[patch.ref] = patch

    def said(self, endpoint: EndpointId, said: Diagnosis | FactsChanged | PcFindings) -> None:
        """Keep the newest facts, findings, and answers to each template; those to unknown templates are skipped."""
        if isinstance(said, FactsChanged):
            self._batch.facts[endpoint] = said.values
        elif isinstance(said, PcFindings):
            self._batch.findings[endpoint] = tuple(code for code in FINDING_CODES if code in said.codes)
        elif said.template in self._templates:
            waiting = self._batch.diagnoses.setdefault(endpoint, {})
            if said.template in waiting or len(waiting) < MAX_TEMPLATES:
                waiting[said.template] = said

    def knows_servers(self, endpoint: EndpointId, number: int) -> None:
        """Keep which list of this server's addresses a PC has; 0, none, is not worth a row."""
        if number:
            self._batch.known_servers[endpoint] = number

    def neighbours(self, endpoint: EndpointId, said: NeighboursSeen) -> None:
        """Keep who is beside an endpoint."""
        self._batch.neighbours[endpoint] = said

    def custody(self, endpoint: EndpointId, told: CustodyTold, ask: Callable[[CustodyWanted], None]) -> None:
        """Keep what a PC says of its install records; ``ask`` is called, once that is written, for what is lacking."""
        self._batch.custody[endpoint] = CustodySaid(told, ask)

    def audit_alarm(self, endpoint: EndpointId, alarm: AuditAlarm) -> None:
        """Keep that a PC has seen another audit log, or that this is over."""
        self._batch.alarms[endpoint] = alarm

    def seen(self, endpoint: EndpointId, seen: SeenRow) -> None:
        """Keep where an endpoint is."""
        self._still.pop(endpoint, None)
        self._batch.seen[endpoint] = seen
        self._hours.seen(endpoint, seen.site, seen.last_seen_at, connected=seen.connected)

    def still_there(self, endpoint: EndpointId, seen: SeenRow) -> None:
        """As `seen`, where only the time is news: it is written with the next thing that is, or soon."""
        self._still[endpoint] = seen
        self._hours.seen(endpoint, seen.site, seen.last_seen_at, connected=seen.connected)

    def sent(self, site: SiteName, torrent: TorrentHash, count: int) -> None:
        """Count payload bytes sent to ``site``."""
        key = (site, torrent)
        self._batch.sent_bytes[key] = self._batch.sent_bytes.get(key, 0) + count
        self._hours.sent(site, count, self._clock.now())
        self._minutes.sent(site, count)

    def damaged(self, torrent: TorrentHash, reason: str) -> None:
        """Keep that a patch can no longer be served."""
        self._batch.damaged[torrent] = reason

    def site_limit(self, row: SiteLimitRow, seen: LineSeen) -> None:
        """Keep how fast a site is sent to, and why; ``seen``: what its line has shown since that was said last."""
        self._batch.limits[row.site] = row
        self._hours.sending(row.site, row.sending_seconds, row.at)
        self._minutes.limit(row, seen)

    async def run(self) -> None:
        """Write once a second until cancelled, and then for the last time."""
        try:
            while True:
                begun = trio.current_time()
                pause_seconds = 0.0 if await self.flush() else FLUSH_SECONDS
                # what it took to write is no longer to wait; others have their turn in any case
                await trio.sleep_until(max(begun + pause_seconds, trio.current_time() + OTHERS_TURN_SECONDS))
        finally:
            self._look_back(ends=True)
            with trio.CancelScope(shield=True):  # a local write; the database gives up on its own when it is blocked
                while await self.flush():
                    pass

    async def flush(self) -> bool:
        """Write what is new, and a part of what waits of those that have much to say; return whether more of it waits.

        So news wait for one part of it at most, however much it is, and it never waits for all news. What cannot be
        written now is kept for the next time; the port goes on serving.
        """
        async with self._flushing:
            self._look_back()
            batch, self._batch = self._batch, RecordBatch()
            now = trio.current_time()
            if batch or now - self._still_written_at >= STILL_SECONDS:
                batch.seen = self._still | batch.seen
                self._still, self._still_written_at = {}, now
            try:
                if batch:
                    await self._write_parts(batch)
                if self._backlog:
                    await trio.sleep(OTHERS_TURN_SECONDS)
                    await self._write_of_backlog()
            except UserError as error:
                if trio.current_time() - self._complained_at >= COMPLAIN_SECONDS:
                    self._complained_at = trio.current_time()
                    log.error("the database cannot be written", reason=error.message)  # noqa: TRY400
                return False
            return bool(self._backlog)

    def _look_back(self, *, ends: bool = False) -> None:
        """Take what was seen of lines and PCs in an hour, and in ten minutes, that are over."""
        now = self._clock.now()
        minutes, watched = self._minutes.take(now, ends=ends)
        self._batch.minutes += minutes
        if watched is not None:
            self._batch.watched.append(watched)
        if hours := self._hours.take(now, ends=ends):
            self._batch.hours += hours
            self._batch.thirds.update(self._hours.take_thirds(hours[0].at))

    def _cut(self, batch: RecordBatch) -> Iterator[RecordBatch]:
        self._backlog.add(batch.take_much(MUCH_ROWS))
        batch.overtake(self._backlog)
        return batch.cut(self._most_rows, self._database.moving(batch.seen))

    async def _write_of_backlog(self) -> None:
        part = await trio.to_thread.run_sync(self._backlog.take, self._most_rows)
        try:
            await trio.to_thread.run_sync(self._write, part)
        except BaseException:
            self._backlog.add(part)
            raise

    async def _write_parts(self, batch: RecordBatch) -> None:
        """Write one part after the other, and let others write in between; keep what could not be written."""
        unwritten, parts = None, iter([batch])
        others_turn_seconds = 0.0
        try:
            parts = await trio.to_thread.run_sync(self._cut, batch)
            # in a thread: to cut up what thousands of PCs say at once takes longer than a controller may wait
            while (unwritten := await trio.to_thread.run_sync(next, parts, None)) is not None:
                await trio.sleep(others_turn_seconds)
                outcomes = await trio.to_thread.run_sync(self._write, unwritten)
                written, unwritten = unwritten, None
                _tell(written.custody, outcomes)
                others_turn_seconds = OTHERS_TURN_SECONDS
        finally:
            with trio.CancelScope(shield=True):
                kept = await trio.to_thread.run_sync(_joined, unwritten or RecordBatch(), parts)
            kept.add(self._batch)
            self._batch = kept

    def _write(self, batch: RecordBatch) -> dict[str, CustodyOutcome]:
        now = self._clock.now()
        custody = {endpoint: _signed(endpoint, said.told) for endpoint, said in batch.custody.items()}
        with self._database.batch():
            self._database.save_seen(batch.seen)
            self._database.save_refusals(batch.refusals)
            self._database.save_recorded(batch.recorded)
            self._database.save_facts(batch.facts)
            self._database.save_witness_alarms(batch.alarms, now)
            self._database.save_findings(batch.findings)
            self._database.save_known_servers(batch.known_servers)
            self._database.save_neighbours(batch.neighbours, now)
            self._database.save_reports({pc: said.values() for pc, said in batch.reports.items()}, now)
            for endpoint, diagnoses in batch.diagnoses.items():
                for diagnosis in diagnoses.values():
                    self._database.save_diagnosis(endpoint, diagnosis, now)
            self._database.add_wan_bytes(batch.sent_bytes)
            for torrent, reason in batch.damaged.items():
                self._database.mark_damaged(torrent, reason)
            self._database.save_site_limits(batch.limits.values())
            self._database.add_line_hours(batch.hours)
            self._database.add_line_minutes(batch.minutes, batch.watched)
            self._database.save_pc_thirds(batch.thirds)
            self._database.save_malformed_custody([pc for pc, part in custody.items() if part is None], now)
            return self._database.save_custody({pc: part for pc, part in custody.items() if part is not None}, now)


def _signed(endpoint: str, told: CustodyTold) -> SignedPart | None:
    """Return what a PC tells, its signature verified; None: that is wrong. By TLS it is known to be enrolled."""
    if not told.statement:
        return SignedPart(told)
    try:
        return SignedPart(told, check_head(told.statement, None, endpoint))
    except StatementError as error:
        log.warning("what a PC has signed of its install records is refused", endpoint=endpoint, reason=str(error))
        return None


def _tell(said: Mapping[str, CustodySaid], outcomes: Mapping[str, CustodyOutcome]) -> None:
    for endpoint, outcome in outcomes.items():
        if outcome.fault is not None:
            log.warning(
                "a PC's install records do not continue what it has signed before",
                endpoint=endpoint,
                fault=outcome.fault,
            )
        if outcome.held_back:
            log.warning(
                "a PC sends more install records than are written in a day; it is asked again", endpoint=endpoint
            )
        if outcome.wanted is not None:
            said[endpoint].ask(outcome.wanted)


def _joined(first: RecordBatch, others: Iterator[RecordBatch]) -> RecordBatch:
    """Return what parts have together. In a thread, as what cuts them."""
    for part in others:
        first.add(part)
    return first

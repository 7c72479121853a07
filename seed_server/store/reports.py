"""The database's reports: what PCs say of patches, in and out of its narrow rows. Blocking."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, select

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import PatchReport
from seed_server.store.audited_words import AuditedWords
from seed_server.store.columns import LARGEST_INTEGER
from seed_server.store.done_times import said_done
from seed_server.store.engines import Engines
from seed_server.store.event_months import month_of
from seed_server.store.interned import forget_unused_texts, parts, text_numbers
from seed_server.store.rows import PatchBytes, ReportRow
from seed_server.store.standing_rows import NOTHING_TO_ADD, Note, StandingRow, save_standing
from seed_server.store.step_pace import StepPace
from seed_server.store.tables import (
    ENDPOINTS,
    PATCHES,
    REPORTED_SINCE,
    STANDING,
    STANDING_NOTES,
    TEXTS,
    WHOLE_PROGRESS,
    said_code,
    states_of,
)
from seed_server.store.transactions import Transactions

TEXTS_BETWEEN_SWEEPS = 10_000  # then those that nobody says any more go: a PC may make up new ones without end
AUDITED_INSTALLS = frozenset({"not_applicable", "unproven", "retrying", "rolled_back", "failed"})
"""Of these the history keeps why; that somebody waits for an evening's window would fill it."""
MAX_AUDITED_CHARS = 500

_ALL = (
    select(
        ENDPOINTS.c.endpoint_id,
        PATCHES.c.patch_id,
        PATCHES.c.version,
        STANDING.c.said,
        STANDING.c.progress,
        STANDING.c.bytes_from_origin,
        STANDING.c.bytes_from_peers,
        func.coalesce(STANDING_NOTES.c.bytes_wasted, 0),
        STANDING.c.seconds,
        func.coalesce(STANDING_NOTES.c.error, ""),
        STANDING.c.reported_at,
        TEXTS.c.text,
        func.coalesce(STANDING_NOTES.c.install_output, ""),
        func.coalesce(STANDING_NOTES.c.bytes_built, 0),
    )
    .join_from(STANDING, ENDPOINTS)
    .join(PATCHES, PATCHES.c.number == STANDING.c.patch)
    .join(TEXTS, TEXTS.c.number == STANDING.c.reason)
    .outerjoin(
        STANDING_NOTES,
        and_(STANDING_NOTES.c.patch == STANDING.c.patch, STANDING_NOTES.c.endpoint == STANDING.c.endpoint),
    )
)


class ReportTable(Transactions):
    """The part of `Database` that is about reports; raises as all of it."""

    def __init__(self, engines: Engines) -> None:
        super().__init__(engines)
        self._texts_named = 0
        self._audited = AuditedWords()
        self._pace = StepPace()

    def save_reports(self, reports: Mapping[str, Iterable[PatchReport]], now: float) -> None:
        """Record the newest reports of endpoints, by their ids, with the steps and the tallies that follow.

        Unpublished patches and unknown endpoints are skipped.
        """
        said = {endpoint: {one.ref: one for one in some} for endpoint, some in reports.items()}
        with self._writing() as connection:
            numbers = _endpoint_numbers(connection, said)
            patches = _patch_numbers(connection, {ref for some in said.values() for ref in some})
            known = [
                (patches[ref], numbers[endpoint], report)
                for endpoint, some in said.items()
                if endpoint in numbers
                for ref, report in some.items()
                if ref in patches
            ]
            if not known:
                return
            texts = text_numbers(connection, {_kept(report.install_reason) for _, _, report in known})
            rows = [
                _row(patch, endpoint, report, texts[_kept(report.install_reason)], now)
                for patch, endpoint, report in known
            ]
            notes = {
                (patch, endpoint): _note(report) for patch, endpoint, report in known if _note(report) != NOTHING_TO_ADD
            }
            month = month_of(_moment(now))
            because = {
                (patch, endpoint): self._audited.kept(endpoint, _audited(report), month)
                for patch, endpoint, report in known
            }
            save_standing(connection, rows, notes, because, self._pace)
            self._sweep(connection, len(texts))

    def _sweep(self, connection: Connection, texts: int) -> None:
        self._texts_named += texts
        if self._texts_named > TEXTS_BETWEEN_SWEEPS:
            self._texts_named = 0
            forget_unused_texts(connection)

    def reports_on(self, ref: PatchRef) -> list[ReportRow]:
        """Return the newest report of every endpoint on one patch."""
        ours = and_(PATCHES.c.patch_id == ref.patch_id, PATCHES.c.version == ref.version)
        with self.reading() as connection:
            rows = connection.execute(_ALL.where(ours)).all()
        # here, for each database has an order of its own
        return sorted(map(_report, rows), key=lambda row: row.endpoint_id)

    def bytes_of(self, patch: int) -> PatchBytes:
        """Return where all PCs together have the bytes of a patch from, by their own word."""
        from_origin, from_peers = func.sum(STANDING.c.bytes_from_origin), func.sum(STANDING.c.bytes_from_peers)
        built = func.sum(STANDING_NOTES.c.bytes_built)
        with self.reading() as connection:
            origin, peers = connection.execute(select(from_origin, from_peers).where(STANDING.c.patch == patch)).one()
            made = connection.scalar(select(built).where(STANDING_NOTES.c.patch == patch))
        return PatchBytes(int(origin or 0), int(peers or 0), int(made or 0))


def _endpoint_numbers(connection: Connection, endpoint_ids: Iterable[str]) -> dict[str, int]:
    query = select(ENDPOINTS.c.endpoint_id, ENDPOINTS.c.number)
    return {
        endpoint_id: number
        for part in parts(sorted(endpoint_ids))
        for endpoint_id, number in connection.execute(query.where(ENDPOINTS.c.endpoint_id.in_(part)))
    }


def _patch_numbers(connection: Connection, refs: Iterable[PatchRef]) -> dict[PatchRef, int]:
    query = select(PATCHES.c.patch_id, PATCHES.c.version, PATCHES.c.number)
    return {
        PatchRef(patch_id, version): number
        for part in parts(sorted({ref.patch_id for ref in refs}))
        for patch_id, version, number in connection.execute(query.where(PATCHES.c.patch_id.in_(part)))
    }


def _row(patch: int, endpoint: int, report: PatchReport, reason: int, now: float) -> StandingRow:
    return StandingRow(
        patch=patch,
        endpoint=endpoint,
        said=said_code(report.state, report.install),
        reason=reason,
        progress=int(report.progress * WHOLE_PROGRESS),  # downwards: only what is whole is shown as whole
        bytes_from_origin=report.bytes_from_origin,
        bytes_from_peers=report.bytes_from_peers,
        seconds=min(round(report.seconds), LARGEST_INTEGER),
        reported_at=_moment(now),
        done_at=said_done(report.state, report.install, report.install_reason, _moment(now)),
    )


def _note(report: PatchReport) -> Note:
    return Note(report.bytes_wasted, report.error, report.install_output, report.bytes_built)


def _audited(report: PatchReport) -> str:
    """Return why a step happened, as far as somebody who looks after years asks."""
    why = report.install_reason if report.install in AUDITED_INSTALLS else ""
    if not why and report.state == "failed":
        why = report.error
    return _kept(why[:MAX_AUDITED_CHARS])


def _moment(seconds: float) -> int:
    return max(-LARGEST_INTEGER, min(int(seconds) - REPORTED_SINCE, LARGEST_INTEGER))


def _kept(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")  # as `columns.Words`


def _report(row: Sequence[Any]) -> ReportRow:
    endpoint, patch, version, said, progress, origin, peers, wasted, seconds, error, at, reason, output, built = row
    state, install = states_of(said)
    return ReportRow(
        endpoint_id=endpoint,
        patch_id=patch,
        version=version,
        state=state,
        progress=progress / WHOLE_PROGRESS,
        bytes_from_origin=origin,
        bytes_from_peers=peers,
        bytes_wasted=wasted,
        seconds=float(seconds),
        error=error,
        reported_at=float(at + REPORTED_SINCE),
        install=install,
        install_reason=reason,
        install_output=output,
        bytes_built=built,
    )

"""The database's knowledge of weaknesses: which are exploited, how likely others are, which patches it moved. Blocking.

A file of a kind replaces all that was known by the one before.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, String, cast, func, select

from p2pdist.shared.identifiers import PatchRef
from seed_server.store.engines import insert_into, upsert
from seed_server.store.intelligence_records import ExploitedCve, IntelligenceSource, PriorityMove, SaidCounts
from seed_server.store.interned import parts
from seed_server.store.pc_sets import EMPTY_SET, pcs_of
from seed_server.store.score_blocks import ExploitScore, blocks_of, cve_number, in_both, score_in
from seed_server.store.tables import PATCHES, STANDING, TALLIES
from seed_server.store.tables_intelligence import EXPLOIT_SCORES, EXPLOITED_CVES, INTELLIGENCE, PRIORITY_MOVES
from seed_server.store.transactions import Transactions


class IntelligenceTable(Transactions):
    """The part of `Database` that is about weaknesses; raises as all of it."""

    def intelligence_sources(self) -> dict[str, IntelligenceSource]:
        """Return what is known by which file, by its kind."""
        columns = [INTELLIGENCE.c[name] for name in IntelligenceSource._fields]
        with self.reading() as connection:
            return {row.kind: IntelligenceSource(*row) for row in connection.execute(select(*columns))}

    def exploited_cves(self, cves: Iterable[str] | None = None) -> dict[str, ExploitedCve]:
        """Return those of ``cves`` that are known to be exploited; None: all there are, the newest first."""
        columns = [EXPLOITED_CVES.c[name] for name in ExploitedCve._fields]
        query = select(*columns).order_by(EXPLOITED_CVES.c.added_at.desc(), EXPLOITED_CVES.c.cve.desc())
        with self.reading() as connection:
            if cves is None:
                return {row.cve: ExploitedCve(*row) for row in connection.execute(query)}
            return {
                row.cve: ExploitedCve(*row)
                for part in parts(sorted(set(cves)))
                for row in connection.execute(query.where(EXPLOITED_CVES.c.cve.in_(part)))
            }

    def exploit_scores(self, cves: Iterable[str]) -> dict[str, ExploitScore]:
        """Return the scores of those of ``cves`` that have one."""
        wanted = sorted((cve_number(cve), cve) for cve in set(cves))
        found: dict[str, ExploitScore] = {}
        first, blocks = EXPLOIT_SCORES.c.first, select(EXPLOIT_SCORES.c.scores)
        with self.reading() as connection:
            firsts = list(connection.scalars(select(first).order_by(first)))
            read, block = -1, b""
            for number, cve in wanted:
                at = bisect_right(firsts, number) - 1  # the one block that may have it
                if at != read and at >= 0:
                    read, block = at, connection.scalars(blocks.where(first == firsts[at])).one()
                if (score := score_in(block, number)) is not None:
                    found[cve] = score
        return found

    def replace_exploited_cves(self, source: IntelligenceSource, rows: Sequence[ExploitedCve]) -> None:
        """Let exactly ``rows`` be known to be exploited, by the file ``source``."""
        with self._writing() as connection:
            connection.execute(EXPLOITED_CVES.delete())
            if rows:
                connection.execute(insert_into(connection, EXPLOITED_CVES), [row._asdict() for row in rows])
            connection.execute(upsert(connection, INTELLIGENCE), [source._asdict()])

    def replace_exploit_scores(self, source: IntelligenceSource, rows: Sequence[bytes]) -> int:
        """Let exactly the scores in ``rows`` be known (`score_blocks`, sorted), by the file ``source``.

        Return how many of their CVEs were known before.
        """
        known = select(EXPLOIT_SCORES.c.scores).order_by(EXPLOIT_SCORES.c.first)
        with self._writing() as connection:
            both = in_both(connection.scalars(known), rows)
            connection.execute(EXPLOIT_SCORES.delete())
            blocks = [{"first": first, "scores": scores} for first, scores in blocks_of(rows)]
            if blocks:
                connection.execute(insert_into(connection, EXPLOIT_SCORES), blocks)
            connection.execute(upsert(connection, INTELLIGENCE), [source._asdict()])
        return both

    def save_priority_moves(self, moves: Iterable[PriorityMove], taken_back: Iterable[PatchRef] = ()) -> None:
        """Record which patches became more urgent, and forget it of those that no longer are.

        Patches that are not known are skipped.
        """
        with self._writing() as connection:

            def numbers(ref: PatchRef) -> list[int]:
                ours = (PATCHES.c.patch_id == ref.patch_id) & (PATCHES.c.version == ref.version)
                return list(connection.scalars(select(PATCHES.c.number).where(ours)))

            rows = [
                {"patch": number, "at": move.at, "before": move.before, "after": move.after}
                for move in moves
                for number in numbers(move.ref)
            ]
            if rows:
                connection.execute(upsert(connection, PRIORITY_MOVES), rows)
            for number in (number for ref in taken_back for number in numbers(ref)):
                connection.execute(PRIORITY_MOVES.delete().where(PRIORITY_MOVES.c.patch == number))

    def priority_moves(self, since: float) -> list[PriorityMove]:
        """Return which patches became more urgent at ``since`` or later, the newest first."""
        moved = PRIORITY_MOVES.c
        query = select(PATCHES.c.patch_id, PATCHES.c.version, moved.at, moved.before, moved.after)
        query = query.join_from(PRIORITY_MOVES, PATCHES).where(moved.at >= since)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(moved.at.desc(), PATCHES.c.patch_id)).all()
        return [PriorityMove(PatchRef(patch_id, version), *rest) for patch_id, version, *rest in rows]

    def spoken_counts(
        self, refs: Collection[PatchRef], not_for_them: Collection[int], done: Collection[int]
    ) -> Mapping[PatchRef, SaidCounts]:
        """Return how many PCs say of each patch that it is not for them, and how many that it is done: by `said_code`.

        Patches that are not known are left out.
        """
        said, pcs = TALLIES.c.said, TALLIES.c.endpoints
        sums = [func.coalesce(func.sum(pcs).filter(said.in_(codes)), 0) for codes in (not_for_them, done)]
        either = TALLIES.c.said.in_({*not_for_them, *done})
        counts: dict[int, SaidCounts] = {}
        with self.reading() as connection:
            numbers = _numbers_of(connection, refs)
            for part in parts(sorted(numbers.values())):
                query = select(TALLIES.c.patch, *sums).where(TALLIES.c.patch.in_(part), either)
                for patch, *found in connection.execute(query.group_by(TALLIES.c.patch)):
                    counts[patch] = SaidCounts(*map(int, found))
        return {ref: counts.get(number, SaidCounts(0, 0)) for ref, number in numbers.items()}

    def pcs_saying(self, refs: Collection[PatchRef], said: Collection[int]) -> Mapping[PatchRef, int]:
        """Return of each patch the set (`pc_sets`) of the PCs that say one of ``said`` (`said_code`), denied ones too.

        Patches that are not known are left out.
        """
        # a patch is one stretch of the key, and its PCs arrive as one text: a row for each takes five times as long
        query = select(func.aggregate_strings(cast(STANDING.c.endpoint, String), ",")).where(STANDING.c.said.in_(said))
        found: dict[PatchRef, int] = {}
        with self.reading() as connection:
            for ref, number in _numbers_of(connection, refs).items():
                text = connection.scalar(query.where(STANDING.c.patch == number))
                found[ref] = pcs_of(map(int, text.split(","))) if text else EMPTY_SET
        return found


def _numbers_of(connection: Connection, refs: Collection[PatchRef]) -> dict[PatchRef, int]:
    """Return what the tables call these patches; those that are not known are left out."""
    query = select(PATCHES.c.patch_id, PATCHES.c.version, PATCHES.c.number)
    wanted = set(refs)
    return {
        ref: number
        for part in parts(sorted({ref.patch_id for ref in wanted}))
        for patch_id, version, number in connection.execute(query.where(PATCHES.c.patch_id.in_(part)))
        if (ref := PatchRef(patch_id, version)) in wanted
    }

"""Counts the PCs of rollouts from what the database knows: who is in which ring, and what they say. Blocking."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.manifest.applicability import evaluate
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.expression import Term, parse_expression
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.ring_facts import ring_facts
from p2pdist.shared.manifest.rollout_plan import RingRules, RolloutPlan
from seed_server.fleet.ring_counts import NO_RING, RING_NOT_KNOWN, RingCounts, away_since, outcome_said
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.store.rollout_records import ExceptionRow, PcRow, PcWord

if TYPE_CHECKING:
    from seed_server.store.database import Database

HERE = float("inf")  # when a connected PC was seen last


class KnownPcs:
    """All PCs, each with its place in the counts of every rollout. A place is never given to another PC."""

    def __init__(self) -> None:
        self.rows: list[PcRow] = []
        self.places: dict[int, int] = {}
        """Place by the PC's number."""
        self.seen_at: list[float] = []
        self._told: dict[str, dict[str, int | str]] = {}
        self._facts: dict[int, Facts] = {}

    def refresh(self, rows: Iterable[PcRow], told: dict[str, dict[str, int | str]]) -> list[int]:
        """Take what is known now, and what PCs tell of themselves, by their ids.

        Return the places of PCs that may be in other rings than before.
        """
        before, self._told = self._told, told
        moved, left = [], set(self.places)
        for row in rows:
            left.discard(row.number)
            place = self.places.get(row.number)
            if place is None:
                place = self.places[row.number] = len(self.rows)
                self.rows.append(row)
                self.seen_at.append(0.0)
                moved.append(place)
            elif not _same_rings(self.rows[place], row) or before.get(row.endpoint_id) != told.get(row.endpoint_id):
                moved.append(place)
            self.rows[place] = row
            self.seen_at[place] = HERE if row.connected else row.last_seen_at
        for number in left:  # forgotten
            place = self.places.pop(number)
            self.rows[place] = self.rows[place]._replace(allowed=False)
            moved.append(place)
        for place in moved:
            self._facts.pop(place, None)
        return moved

    def facts(self, place: int) -> Facts:
        """Return the facts of a PC, as far as the server knows them."""
        if (known := self._facts.get(place)) is None:
            row = self.rows[place]
            told = self._told.get(row.endpoint_id, {})
            known = self._facts[place] = ring_facts(told, site=row.site, tags=row.tags)
        return known

    def ring_of(self, place: int, rules: RingRules) -> int:
        """Return the PC's ring, as `RingCounts.place` takes it."""
        row = self.rows[place]
        if not row.allowed:
            return NO_RING
        if row.endpoint_id not in self._told:
            return RING_NOT_KNOWN
        ring = rules.ring_of(EndpointId(row.endpoint_id), self.facts(place))
        return NO_RING if ring is None else ring


def _same_rings(one: PcRow, other: PcRow) -> bool:
    return (one.hostname, one.site, one.tags, one.allowed) == (other.hostname, other.site, other.tags, other.allowed)


class CountedRollout:
    """The counts of one rollout, kept up with what is reported."""

    def __init__(self, kept: KeptRollout, manifest: Manifest | None) -> None:
        """``manifest``: of the publication that is rolled out, where it is still listed."""
        from seed_server.store.tables import REPORTED_SINCE  # whoever counts has opened the database

        self.kept = kept
        self.rules = RingRules(kept.plan)
        self.counts = RingCounts(len(kept.plan.rings))
        self._installs = manifest is None or manifest.install is not None
        begins = 0.0 if manifest is None else min(manifest.published_at, kept.row.created_at)
        self._failures_since = int(begins) - REPORTED_SINCE
        self._acknowledged: bytes = b""
        self._held_by: tuple[ExceptionRow, ...] = ()

    def place(self, pcs: KnownPcs, places: Iterable[int]) -> None:
        """Put PCs in their rings, new ones too."""
        self.counts.grow(len(pcs.rows))
        for place in places:
            ring = pcs.ring_of(place, self.rules)
            if ring != self.counts.ring_of(place):
                self.counts.place(place, ring)

    def observe(self, pcs: KnownPcs, words: Iterable[PcWord]) -> None:
        """Take what PCs say of the patch.

        An installation that failed before this publication is tried anew: its PC has still to decide.
        """
        for word in words:
            place = pcs.places.get(word.endpoint)
            if place is not None and place < len(self.counts):
                is_past = word.at < self._failures_since and word.install in ("failed", "rolled_back")
                install = "waiting" if is_past else word.install
                self.counts.observe(place, outcome_said(word.state, install, installs=self._installs))

    def acknowledge(self, pcs: KnownPcs, kept: KeptRollout) -> None:
        """Take the rollout as it is now, with the failures that do not count any more.

        `place` comes before, so that the PCs are known here that somebody knew who saw them fail.
        """
        self.kept = kept
        if kept.row.acknowledged != self._acknowledged:
            numbers = kept.row.acknowledged_pcs
            known = [place for number in numbers if (place := pcs.places.get(number)) is not None]
            self.counts.acknowledge(known)
            if len(known) == len(numbers):  # else some are new, or forgotten: they are looked for again
                self._acknowledged = kept.row.acknowledged

    def hold(self, pcs: KnownPcs, exceptions: Sequence[ExceptionRow], *, anew: Iterable[int] | None = None) -> None:
        """Except the PCs that exceptions hold back; ``anew``: some have other facts now."""
        ours = tuple(one for one in exceptions if not one.patch or self.kept.plan.ref.matches(one.patch))
        if ours == self._held_by and not (ours and anew):
            return
        self._held_by = ours
        terms: list[Term | None] = [parse_expression(one.expression) if one.expression else None for one in ours]
        held = bytearray(len(self.counts))
        if terms:
            for place in range(len(self.counts)):
                held[place] = any(term is None or evaluate(term, pcs.facts(place)).applies for term in terms)
        self.counts.hold(bytes(held))

    def sweep(self, pcs: KnownPcs, now: float, away: bytes | None = None) -> None:
        """Tell the silent PCs from those that wait; ``away`` as of `away_since`, where it is known."""
        moment = now - self.kept.plan.silent_after_seconds
        opened = self.kept.progress.opened_at
        self.counts.sweep(
            away_since(pcs.seen_at, moment) if away is None else away,
            [place for place, at in enumerate(opened) if at <= moment],
        )

    def failed_numbers(self, pcs: KnownPcs) -> list[int]:
        """Return the numbers of the PCs that have failed."""
        return [pcs.rows[place].number for place in self.counts.acknowledge()]

    def sites_waiting(self, pcs: KnownPcs) -> set[str]:
        """Return the sites of PCs in open rings that have still to decide."""
        opened, counts = len(self.kept.progress.opened_at), self.counts
        return {
            row.site
            for place, row in enumerate(pcs.rows[: len(counts)])
            if counts.ring_of(place) < opened and counts.outcome_of(place).name == "WAITING"
        }


def counted(
    database: "Database",
    pcs: KnownPcs,
    kept: KeptRollout,
    exceptions: Sequence[ExceptionRow],
    now: float,
    manifest: Manifest | None,
) -> CountedRollout:
    """Return the counts of a rollout, from all that PCs have said; ``manifest`` as `CountedRollout` takes it."""
    one = CountedRollout(kept, manifest)
    one.place(pcs, range(len(pcs.rows)))
    one.observe(pcs, database.words_on(kept.row.patch))
    one.acknowledge(pcs, kept)
    one.hold(pcs, exceptions)
    one.sweep(pcs, now)
    return one


def known_pcs(database: "Database") -> KnownPcs:
    """Return all PCs as they are now."""
    pcs = KnownPcs()
    pcs.refresh(database.ring_pcs(), database.told_facts())
    return pcs


def ring_sizes(pcs: KnownPcs, plan: RolloutPlan) -> list[int]:
    """Return how many PCs each ring has."""
    rules, sizes = RingRules(plan), [0] * len(plan.rings)
    for place in range(len(pcs.rows)):
        if (ring := pcs.ring_of(place, rules)) < len(sizes):
            sizes[ring] += 1
    return sizes

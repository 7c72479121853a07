"""Counts the PCs of rollouts from what the database knows: who is in which ring, and what they say. Blocking."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.manifest.applicability import evaluate
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.expression import parse_expression
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.ring_facts import ring_facts
from p2pdist.shared.manifest.rollout_plan import BUCKETS, WHOLE, RingRules, RolloutPlan
from seed_server.fleet.ring_counts import NO_RING, RING_NOT_KNOWN, PcOutcome, RingCounts, away_since, outcome_said
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.store.rollout_records import FAILED_INSTALLS, ExceptionRow, PcRow, PcWord

if TYPE_CHECKING:
    from seed_server.store.database import Database

MOST_EXPRESSIONS = 256  # that are remembered, with a byte for each PC
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
        self._holding: dict[str, bytearray] = {}
        self._begin: tuple[bytes, Mapping[int, bytes]] | None = None

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
        for who, mask in self._holding.items():
            mask.extend(bytes(len(self.rows) - len(mask)))
            term = parse_expression(who)
            for place in moved:
                mask[place] = evaluate(term, self.facts(place)).applies
        self._begin = None
        return moved

    def holding(self, who: str) -> bytearray:
        """Return a byte for each PC: 1 where the expression holds. Rollouts by one template share their expressions."""
        if (mask := self._holding.get(who)) is None:
            if len(self._holding) >= MOST_EXPRESSIONS:
                self._holding.clear()
            term = parse_expression(who)
            mask = bytearray(evaluate(term, self.facts(place)).applies for place in range(len(self.rows)))
            self._holding[who] = mask
        return mask

    def rings_of(self, plan: RolloutPlan) -> bytearray:
        """Return the ring of each PC, as `ring_of`, for all at once."""
        begin, ids = self._ring_begin()
        rings, salt, sha256 = bytearray(begin), plan.salt, hashlib.sha256
        rest = list(ids)
        digests: dict[int, bytes] = {}
        for number, ring in enumerate(plan.rings):
            mask = self.holding(ring.who) if ring.who else None
            inside = rest if mask is None else [place for place in rest if mask[place]]
            if ring.share < WHOLE:
                if not digests:
                    digests = {place: sha256(salt + ids[place]).digest() for place in rest}
                # a bucket is the first 8 bytes, big-endian: it is below a number where the digest is below its bytes
                below = (-(-ring.share * BUCKETS // WHOLE)).to_bytes(8)
                inside = [place for place in inside if digests[place] < below]
            for place in inside:
                rings[place] = number
            rest = [] if inside is rest else [place for place in rest if rings[place] == NO_RING]
        return rings

    def _ring_begin(self) -> tuple[bytes, Mapping[int, bytes]]:
        """Return what all plans begin with: which PCs are in no ring anyway, and the ids of the others by place."""
        if self._begin is None:
            ids = {
                place: row.endpoint_id.encode()
                for place, row in enumerate(self.rows)
                if row.allowed and row.endpoint_id in self._told
            }
            begin = (
                NO_RING if not row.allowed or place in ids else RING_NOT_KNOWN for place, row in enumerate(self.rows)
            )
            self._begin = bytes(begin), ids
        return self._begin

    def outcomes(self, said: Mapping[tuple[str, str], Iterable[int]], *, installs: bool) -> bytearray:
        """Return the class of what each PC says; a PC that says nothing waits."""
        found = bytearray([PcOutcome.WAITING]) * len(self.rows)
        for (state, install), numbers in said.items():
            outcome = outcome_said(state, install, installs=installs)
            for place in map(self.places.get, numbers):
                if place is not None:
                    found[place] = outcome
        return found

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

    def said(self, database: "Database") -> Mapping[tuple[str, str], list[int]]:
        """Return what all PCs say of the patch, as `load` takes it.

        An installation that failed before this publication is tried anew: its PC has still to decide.
        """
        return database.said_on(self.kept.row.patch, failures_since=self._failures_since)

    def load(self, pcs: KnownPcs, said: Mapping[tuple[str, str], Iterable[int]]) -> None:
        """Put all PCs in their rings, and take what they say of the patch."""
        self.counts.load(pcs.rings_of(self.kept.plan), pcs.outcomes(said, installs=self._installs))

    def observe_all(self, pcs: KnownPcs, said: Mapping[tuple[str, str], Iterable[int]]) -> None:
        """Take what all PCs say of the patch."""
        self.counts.grow(len(pcs.rows))
        self.counts.observe_all(pcs.outcomes(said, installs=self._installs))

    def observe(self, pcs: KnownPcs, words: Iterable[PcWord]) -> None:
        """Take what PCs say of the patch, one after the other."""
        for word in words:
            place = pcs.places.get(word.endpoint)
            if place is not None and place < len(self.counts):
                install = (
                    "waiting" if word.at < self._failures_since and word.install in FAILED_INSTALLS else word.install
                )
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
        held, everyone = 0, b"\1" * len(self.counts)
        for one in ours:
            held |= int.from_bytes(pcs.holding(one.expression) if one.expression else everyone, "little")
        self.counts.hold(held.to_bytes(len(self.counts), "little"))

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
    one.load(pcs, one.said(database))
    one.acknowledge(pcs, kept)
    one.hold(pcs, exceptions)
    one.sweep(pcs, now)
    return one


def known_pcs(database: "Database", only: Collection[int] | None = None) -> KnownPcs:
    """Return all PCs as they are now, or those with these numbers."""
    pcs = KnownPcs()
    pcs.refresh(database.ring_pcs(only), database.told_facts(only))
    return pcs


def ring_sizes(pcs: KnownPcs, plan: RolloutPlan) -> list[int]:
    """Return how many PCs each ring has."""
    rings = pcs.rings_of(plan)
    return [rings.count(place) for place in range(len(plan.rings))]

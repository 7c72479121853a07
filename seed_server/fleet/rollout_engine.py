"""Carries rollouts on: takes in what PCs report, decides, and has it signed. Blocking; the web part drives it.

All that counts is in the database. So a look that fails is made again, and a start after a crash finds what was
decided and not yet announced.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import trio

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchId, PatchRef, PatchVersion
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.approvers import Approvers
from p2pdist.shared.manifest.documents import Manifest, Rollouts, manifest_target
from p2pdist.shared.manifest.staged import StagedRollouts
from seed_server.fleet.actor import Actor
from seed_server.fleet.approvals_in_force import ApproversInForce
from seed_server.fleet.audit_log import Deed, Request
from seed_server.fleet.context import Context
from seed_server.fleet.harm_share import LEAST_PAUSED_SITES, harm_share
from seed_server.fleet.ring_counts import away_since
from seed_server.fleet.rollout import RolloutProgress, RolloutReason, RolloutState, RolloutStep, decide, stopped
from seed_server.fleet.rollout_announcing import announce, approvers_in_force, read_rollouts, wanted_by
from seed_server.fleet.rollout_counting import CountedRollout, KnownPcs, counted
from seed_server.fleet.rollout_documents import KeptRollout, hold_of, taken_back
from seed_server.fleet.rollout_faults import NO_ROLLOUT, RolloutFaults, concerns_all
from seed_server.fleet.rollout_operations import save_progress
from seed_server.fleet.rollout_words import why_sentence
from seed_server.signing.repository import Repository
from seed_server.store.rollout_records import ExceptionRow, PcWord, RolloutRow
from seed_server.store.rows import HarmPauseRow
from seed_server.store.tables import REPORTED_SINCE

if TYPE_CHECKING:
    from seed_server.store.database import Database

LOOK_EVERY_SECONDS = 2.0
PCS_SECONDS = 20.0  # so old may be what is known of who is connected and where
OVERLAP_SECONDS = 10  # a report may be committed so long after the moment that it carries …
COUNT_SECONDS = 0.5  # … and what came later still is found as each rollout is counted anew in its turn
BETWEEN_COUNTS_SECONDS = 0.1  # at a start: others get the processor in between
FAULT_RETRY_SECONDS = 20.0
NOT_READ = -1  # no timestamp has this version
MOST_STEPS = 30  # of one rollout at a time: ten rings, each with an approval

log = lazy_log()


@dataclass(frozen=True)
class _Signed:
    """What is known of the repository, and for which of its versions."""

    version: int
    manifests: dict[PatchRef, Manifest]
    lost: frozenset[str]
    """The target paths of manifests that cannot be read."""
    refused: frozenset[tuple[str, int]]
    """Publications that no PC may install any more."""
    staged: StagedRollouts
    rollouts: Rollouts
    approvers: Approvers | None


class _OvertakenError(Exception):
    """A person has changed the rollout meanwhile: the next look sees it."""


class RolloutEngine:
    """The rollouts of one server."""

    def __init__(self, context: Context, repository: Repository, database: "Database") -> None:
        self._context = context
        self._repository = repository
        self._database = database
        self._pcs = KnownPcs()
        self._pcs_at = -PCS_SECONDS
        self._counted: dict[int, CountedRollout] = {}
        self._cursor = 0
        self._turn = 0
        self._uncounted: set[int] = set()
        self._rests: dict[int, tuple[RolloutRow, float]] = {}
        """Those with which something was wrong: how they were then, and until when they are left alone."""
        self._faults = RolloutFaults(context.joined)
        self._signed: _Signed | None = None
        self._looked: tuple[object, ...] | None = None

    async def run(self, held: Callable[[], bool] = lambda: False) -> None:
        """Look every `LOOK_EVERY_SECONDS`, until cancelled; at a start, at once again until all are counted.

        While it is ``held``, nothing is carried on or announced.
        """
        while True:
            if not held():
                await trio.to_thread.run_sync(self.look)
            await trio.sleep(LOOK_EVERY_SECONDS if self.all_counted else BETWEEN_COUNTS_SECONDS)

    @property
    def all_counted(self) -> bool:
        """Whether each rollout that is not over was looked at."""
        return not self._uncounted

    def look(self) -> int:
        """Take in what is new, and carry each rollout on; return how many have changed.

        What is broken of one rollout leaves it where it is, and the others go on: `RolloutFaults` says so.
        """
        self._faults.begin()
        try:
            return self._look()
        except Exception as error:  # noqa: BLE001 - the next look tries again, and people read what it is
            self._faults.found(NO_ROLLOUT, error)
            return 0
        finally:
            self._faults.tell(self._database, self._context.clock.now())

    def _look(self) -> int:
        now = self._context.clock.now()
        live, broken = read_rollouts(self._database, live=True)
        for one in broken:
            self._faults.found(one.row.number, UserError(f"its record cannot be read: {one.words}", FaultKind.STORAGE))
        if live:
            self._read_signed()
        in_force = approvers_in_force(self._database, self._known().approvers if live else None)
        exceptions = self._exceptions(now)
        moved = self._take_pcs(now) if live else []
        self._count(live, exceptions, moved, now)
        self._take_words(now)
        at_work = self._database.sites_at_work(now) if live else {}
        away: dict[int, bytes] = {}
        changed = 0
        for kept in live:
            if (counts := self._counted.get(kept.row.number)) is not None:
                with self._apart(kept):
                    seconds = kept.plan.silent_after_seconds
                    if seconds not in away:
                        away[seconds] = away_since(self._pcs.seen_at, now - seconds)
                    counts.sweep(self._pcs, now, away[seconds])
                    with contextlib.suppress(_OvertakenError):
                        changed += self._carry_on(counts, at_work, in_force, now)
        self._announce(live, exceptions, in_force, changed, now)
        return changed

    @contextlib.contextmanager
    def _apart(self, kept: KeptRollout) -> Iterator[None]:
        """Let what is wrong with one rollout stop that one alone: before it is counted anew, no ring of it opens."""
        number = kept.row.number
        try:
            yield
        except Exception as error:
            if concerns_all(error):
                raise
            self._faults.found(number, error)
            self._counted.pop(number, None)
            self._rests[number] = (kept.row, self._context.clock.now() + FAULT_RETRY_SECONDS)

    def _exceptions(self, now: float) -> list[ExceptionRow]:
        """Return what holds PCs back now, as far as it can be read."""
        holding = [one for one in self._database.exceptions() if one.holds(now)]
        for one in holding:
            if hold_of(one) is None:
                self._faults.found(-one.number, UserError("its record cannot be read", FaultKind.STORAGE))
        return [one for one in holding if hold_of(one) is not None]

    def _announce(
        self,
        live: Sequence[KeptRollout],
        exceptions: Sequence[ExceptionRow],
        in_force: ApproversInForce,
        changed: int,
        now: float,
    ) -> None:
        """Sign what follows, where anything may be new since it was looked at last."""
        rows = tuple((kept.row.number, kept.row.progress, kept.approvals) for kept in live)
        others = (tuple(one.number for one in exceptions), in_force, self._database.admissions_version())
        looked = (self._repository.timestamp_version(), rows, *others)
        if changed or looked != self._looked:
            announce(self._repository, self._database, now)
            self._looked = (self._repository.timestamp_version(), *looked[1:])

    # --- what is new -------------------------------------------------------------------------

    def _take_pcs(self, now: float) -> Sequence[int]:
        if now < self._pcs_at + PCS_SECONDS:
            return []
        self._pcs_at = now
        return self._pcs.refresh(self._database.ring_pcs(), self._database.told_facts())

    def _count(
        self, live: Iterable[KeptRollout], exceptions: Sequence[ExceptionRow], moved: Sequence[int], now: float
    ) -> None:
        """Bring the counts up to what is live, some of those that are not counted yet among them."""
        by_number = {kept.row.number: kept for kept in live}
        for number in self._counted.keys() - by_number.keys():
            del self._counted[number]
        for number, one in list(self._counted.items()):
            with self._apart(by_number[number]):
                one.place(self._pcs, moved)
                one.acknowledge(self._pcs, by_number[number])
                one.hold(self._pcs, exceptions, anew=moved)
        self._uncounted = {
            number
            for number, kept in by_number.items()
            if number not in self._counted and not self._is_at_rest(kept, now)
        }
        until = self._context.clock.monotonic() + COUNT_SECONDS
        for number in sorted(self._uncounted):
            kept = by_number[number]
            with self._apart(kept):
                manifest = self._known().manifests.get(kept.plan.ref)
                self._counted[number] = counted(self._database, self._pcs, kept, exceptions, now, manifest)
            self._uncounted.discard(number)
            if self._context.clock.monotonic() >= until:
                return
        self._count_one_anew()

    def _is_at_rest(self, kept: KeptRollout, now: float) -> bool:
        """Whether something was wrong with it a moment ago; that is told as long as it is not tried again."""
        row, until = self._rests.get(kept.row.number, (None, 0.0))
        if row == kept.row and now < until:
            self._faults.stays(kept.row.number)
            return True
        self._rests.pop(kept.row.number, None)
        return False

    def _count_one_anew(self) -> None:
        """Read all that PCs say of one rollout, in turn: what was committed very late is found by it."""
        if self._counted:
            numbers = sorted(self._counted)
            self._turn = (self._turn + 1) % len(numbers)
            one = self._counted[numbers[self._turn]]
            with self._apart(one.kept):
                one.observe_all(self._pcs, one.said(self._database))

    def _take_words(self, now: float) -> None:
        before, self._cursor = self._cursor, int(now) - REPORTED_SINCE
        patches = {one.kept.row.patch for one in self._counted.values()}
        if not before or not patches:
            return
        words = self._database.words_since(max(0, before - OVERLAP_SECONDS), patches)
        by_patch: dict[int, list[PcWord]] = {}
        for word in words:
            by_patch.setdefault(word.patch, []).append(word)
        for one in list(self._counted.values()):
            if found := by_patch.get(one.kept.row.patch):
                with self._apart(one.kept):
                    one.observe(self._pcs, found)

    def _known(self) -> _Signed:
        assert self._signed is not None, "each look begins with it"
        return self._signed

    def _read_signed(self) -> None:
        """Bring up to date what is known of the repository; within a look it stays."""
        version = self._repository.timestamp_version()
        if self._signed is None or self._signed.version != version:
            order = self._repository.publication_order()
            found, lost = self._repository.readable_manifests()
            manifests = {manifest.ref: manifest for manifest in found}
            refused = frozenset(
                (one.patch_id, one.number) for one in manifests.values() if order.refusal(one.patch_id, one.number)
            )
            self._signed = _Signed(
                version if not lost else NOT_READ,
                manifests,
                lost,
                refused,
                self._repository.current_staged(),
                self._repository.current_rollouts(),
                self._repository.approvers(),
            )

    # --- what follows ------------------------------------------------------------------------

    def _carry_on(
        self,
        one: CountedRollout,
        at_work: Mapping[str, HarmPauseRow | None],
        in_force: ApproversInForce,
        now: float,
    ) -> int:
        """Take each step that is due; return how many were."""
        if (over := self._taken_back(one.kept, now)) is not None:
            self._save(one, RolloutStep.ABORTED, over, now)
            return 1
        if (harmed := self._harmed(one, at_work, now)) is not None:
            self._save(one, RolloutStep.PAUSED, harmed, now)
            return 1
        known = self._known()
        by_pcs = wanted_by(known.approvers, known.manifests[one.kept.plan.ref])
        for steps in range(MOST_STEPS):
            kept = one.kept
            approved = kept.approved(in_force, by_pcs=by_pcs)
            decision = decide(kept.plan, kept.progress, one.counts.tallies(), now, approved)
            if decision.step is None:
                return steps
            self._save(one, decision.step, decision.progress, now)
        return MOST_STEPS

    def _taken_back(self, kept: KeptRollout, now: float) -> RolloutProgress | None:
        if kept.progress.state is RolloutState.ABORTED:
            return None
        known, ref = self._known(), kept.plan.ref
        if manifest_target(PatchId(ref.patch_id), PatchVersion(ref.version)) in known.lost:
            raise UserError(f"the manifest of {ref} cannot be read. Publish the same files again.", FaultKind.FAILED)
        manifest = known.manifests.get(ref)
        if (
            manifest is None
            or manifest.number != kept.plan.number
            or (manifest.patch_id, manifest.number) in known.refused
        ):
            return stopped(kept.progress, RolloutStep.ABORTED, RolloutReason.REPLACED, now, "")
        gone = taken_back(kept, known.staged, known.rollouts)
        if gone is None:
            return None
        return stopped(kept.progress, RolloutStep.ABORTED, RolloutReason.WITHDRAWN, now, gone.reason)

    def _harmed(
        self, one: CountedRollout, at_work: Mapping[str, HarmPauseRow | None], now: float
    ) -> RolloutProgress | None:
        if one.kept.progress.state is not RolloutState.RUNNING:
            return None
        if sum(pause is not None for pause in at_work.values()) < LEAST_PAUSED_SITES:
            return None
        seen = one.kept.progress.harm_seen_at
        new = {site: pause if pause is not None and pause.begun_at > seen else None for site, pause in at_work.items()}
        share = harm_share(new, one.sites_waiting(self._pcs))
        if not share.is_too_much:
            return None
        return stopped(one.kept.progress, RolloutStep.PAUSED, RolloutReason.HARM, now, share.words)

    def _save(self, one: CountedRollout, step: RolloutStep, after: RolloutProgress, now: float) -> None:
        """Write a step with its entry in the audit log, unless a person was faster."""
        kept = one.kept
        deed = Deed(f"rollout: {step.value}", str(kept.row.number), reason=why_sentence(after.why))
        context = replace(self._context, request=Request())  # each step of each rollout has its own reason
        with context.audited(Actor.engine(), deed) as database:
            row = database.rollout(kept.row.number)
            if row is None or row.progress != kept.row.progress:
                raise _OvertakenError
            save_progress(database, kept, after, now, deed)
            row = database.rollout(row.number) or row
        one.kept = KeptRollout.of(row, kept.approvals)
        log.info(
            "rollout carried on", rollout=row.number, patch=str(kept.plan.ref), step=step.value,
            state=after.state.value, reason=why_sentence(after.why),
        )  # fmt: skip

"""One random rollout in virtual time: PCs that report, fail, fall silent and come back, and people who intervene."""

import random
from collections import defaultdict
from dataclasses import dataclass

from bench.rollouts.referee import ENDED, UNSAID, BrokenRuleError, Referee, Truth
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan
from seed_server.fleet.ring_counts import NO_RING, RING_NOT_KNOWN, PcOutcome, RingCounts, away_since
from seed_server.fleet.rollout import (
    Approved,
    RolloutDecision,
    RolloutProgress,
    RolloutReason,
    RolloutState,
    RolloutStep,
    decide,
    new_rollout,
    resumed,
    stopped,
)

HOUR, DAY = 3_600, 86_400
BEGIN = 1_800_000_000.0
HERE = float("inf")  # when a connected PC was seen last
MOST_STEPS = 40  # of one evaluation
PATIENCE_TICKS = 10  # of people whose word is asked for
MOST_RESUMED = 3  # times that a halted rollout is
_WAITING_FOR_PEOPLE = (RolloutState.UNAPPROVED, RolloutState.HELD, RolloutState.PAUSED)


@dataclass(frozen=True)
class Outcome:
    """How a simulated rollout went."""

    seed: int
    state: str
    reason: str
    """Of its end."""
    evaluations: int
    reports: int
    opened: int
    virtual_days: float
    broken: str = ""
    """The rule that was broken; empty: none."""
    ended: bool = True


def random_plan(chance: random.Random) -> RolloutPlan:
    """Return a plan with rules of all kinds, sensible or not."""
    rings = tuple(
        PlannedRing(
            name=f"ring {place}",
            soak_seconds=chance.choice([0, HOUR, DAY, 3 * DAY]),
            success_share=chance.choice([0, 5_000, 9_000, 9_500, 10_000]),
            failure_share=chance.choice([0, 200, 500, 2_000, 10_000]),
            least_decided=chance.choice([0, 1, 5, 50, 2_000]),
            least_failed=chance.choice([1, 1, 2, 10]),
            approval=chance.random() < 0.3,
        )
        for place in range(chance.randint(1, 6))
    )
    return RolloutPlan(
        format=1, patch_id="acme", version="1", number=1, manifest_sha256="0" * 64, salt=bytes(16), rings=rings,
        silent_after_seconds=chance.choice([HOUR, DAY, 3 * DAY]), silent=chance.choice(["go_on", "go_on", "hold"]),
    )  # fmt: skip


class World:
    """One rollout and its PCs."""

    def __init__(self, seed: int, pcs: int) -> None:
        self.seed, self.pcs = seed, pcs
        self.chance = chance = random.Random(seed)
        self.plan = random_plan(chance)
        self.need = chance.randint(1, 3)
        self.tick_seconds = chance.choice([900, HOUR, 6 * HOUR])
        self.last_tick = chance.randint(20, 80)
        self.bad = chance.choice([0.0, 0.0, 0.002, 0.02, 0.06, 0.3, 1.0])
        self.mute = chance.choice([0.0, 0.0, 0.01, 0.2, 0.95])
        self.spread = chance.choice([1, 5, 30])
        self.now = BEGIN + chance.random()
        self.counts = RingCounts(len(self.plan.rings))
        self.counts.grow(pcs)
        self.seen_at = [HERE] * pcs
        self.truth = Truth(self._places(), bytearray([UNSAID]) * pcs, bytearray(pcs))
        self.referee = Referee(self.plan, self.truth)
        self.progress: RolloutProgress = new_rollout(self.now)
        self.approvals: list[int] = []
        self.due: defaultdict[int, list[int]] = defaultdict(list)
        self.scheduled = 0
        self.asked_since = 0
        self.times_resumed = 0
        self.reports = self.evaluations = 0

    def _places(self) -> bytearray:
        weights = [self.chance.choice([1, 1, 5, 20, 60]) for _ in self.plan.rings]
        if self.chance.random() < 0.2:
            weights[self.chance.randrange(len(weights))] = 0
        others = [self.chance.choice([1, 2]), self.chance.choice([0, 2])]
        drawn = self.chance.choices([*range(len(weights)), NO_RING, RING_NOT_KNOWN], [*weights, *others], k=256)
        places = bytearray(self.chance.randbytes(self.pcs).translate(bytes(drawn)))
        for pc, place in enumerate(places):
            self.counts.place(pc, place)
        return places

    def run(self) -> Outcome:
        """Let it go on until it ends; what is broken is in the outcome."""
        broken, tick = "", 0
        try:
            while not self._is_over(tick):
                self._tick(tick)
                tick += 1
        except (BrokenRuleError, ValueError) as error:
            broken = f"{type(error).__name__}: {error}"
        return Outcome(
            self.seed, self.progress.state.value, self.progress.why.reason.value, self.evaluations, self.reports,
            len(self.progress.opened_at), (self.now - BEGIN) / DAY, broken, ended=bool(broken) or self._has_ended(),
        )  # fmt: skip

    def _has_ended(self) -> bool:
        return self.progress.state in (*ENDED, RolloutState.HALTED)

    def _is_over(self, tick: int) -> bool:
        if self.progress.state in ENDED:
            return True
        if self.progress.state is RolloutState.HALTED and (tick > self.last_tick or self.times_resumed >= MOST_RESUMED):
            return True
        return tick > self.last_tick + self._most_ticks()

    def _most_ticks(self) -> int:
        """Return how long it may still take once no PC speaks any more, in ticks."""
        wait = max(self.plan.silent_after_seconds, *(ring.soak_seconds for ring in self.plan.rings))
        people = PATIENCE_TICKS * (self.need + 3)  # approvals, a pause, a word for silent PCs, and what follows a halt
        return len(self.plan.rings) * (wait // self.tick_seconds + people + 3)

    def _tick(self, tick: int) -> None:
        self.now += self.tick_seconds * (1 if self.chance.random() < 0.9 else self.chance.random())
        if tick < self.last_tick:
            self._pcs_act(tick)
        elif tick == self.last_tick:  # nobody speaks any more
            self.seen_at = [min(seen, self.now) for seen in self.seen_at]
        self._people_act(tick)
        self._evaluate()
        if self.progress.state not in _WAITING_FOR_PEOPLE:
            self.asked_since = tick + 1
        self._schedule(tick)

    # --- PCs ---------------------------------------------------------------------------------

    def _schedule(self, tick: int) -> None:
        """Decide when the PCs of a ring that has just opened decide."""
        while self.scheduled < len(self.progress.opened_at):
            found = [pc for pc, place in enumerate(self.truth.ring) if place == self.scheduled]
            muted = self.mute if self.chance.random() < 0.8 else 1.0
            for pc in found:
                if self.chance.random() >= muted:
                    self.due[tick + 1 + int(self.chance.random() * self.spread)].append(pc)
            self.scheduled += 1

    def _pcs_act(self, tick: int) -> None:
        chance = self.chance
        for pc in self.due.pop(tick, ()):
            if self.seen_at[pc] is HERE and not self.truth.held[pc]:
                self._report(pc, self._fate())
            else:
                self.due[tick + 1 + chance.randrange(9)].append(pc)
        for pc in (chance.randrange(self.pcs) for _ in range(chance.randrange(20))):
            if self.truth.said[pc] != UNSAID:  # tried again, undone, or installed after all
                self._report(pc, chance.choice([PcOutcome.WAITING, PcOutcome.INSTALLED, PcOutcome.ROLLED_BACK]))
            elif self.seen_at[pc] is not HERE:
                self._report(pc, PcOutcome.WAITING)  # a late report, which is no sign of life
        for pc in (chance.randrange(self.pcs) for _ in range(chance.randrange(200))):
            self.seen_at[pc] = self.now if self.seen_at[pc] is HERE else HERE
        if chance.random() < 0.03:  # a holiday begins, or ends
            away = chance.random() < 0.5
            self.seen_at = [min(seen, self.now) if away else HERE for seen in self.seen_at]
        if chance.random() < 0.05:
            cut = chance.choice([0, 0, 30, 255])
            held = bytes(letter < cut for letter in chance.randbytes(self.pcs))
            self.truth.held[:] = held
            self.counts.hold(held)
        for pc in (chance.randrange(self.pcs) for _ in range(chance.randrange(3))):
            self.truth.ring[pc] = chance.choice([*range(len(self.plan.rings)), NO_RING])
            self.counts.place(pc, self.truth.ring[pc])

    def _fate(self) -> PcOutcome:
        drawn = self.chance.random()
        if drawn < self.bad:
            return PcOutcome.FAILED if drawn < self.bad / 2 else PcOutcome.ROLLED_BACK
        return PcOutcome.NOT_APPLICABLE if drawn > 0.98 else PcOutcome.INSTALLED

    def _report(self, pc: int, outcome: PcOutcome) -> None:
        self.reports += 1
        self.truth.said[pc] = outcome
        self.counts.observe(pc, outcome)

    # --- people ------------------------------------------------------------------------------

    def _people_act(self, tick: int) -> None:
        chance, state = self.chance, self.progress.state
        if state in _WAITING_FOR_PEOPLE:
            if chance.random() < 0.3 or tick - self.asked_since >= PATIENCE_TICKS:
                self._answer(tick)
        elif state is RolloutState.HALTED:
            if chance.random() < 0.3 and tick < self.last_tick and self.times_resumed < MOST_RESUMED:
                self.times_resumed += 1
                self._resume()
        elif state is RolloutState.RUNNING and tick < self.last_tick:
            drawn = chance.random()
            if drawn < 0.02:
                self._stop(RolloutStep.PAUSED, chance.choice([RolloutReason.PAUSED, RolloutReason.HARM]))
            elif drawn < 0.024:
                self._stop(RolloutStep.HALTED, RolloutReason.HALTED)
            elif drawn < 0.026:
                self._stop(RolloutStep.ABORTED, RolloutReason.ABORTED)

    def _answer(self, tick: int) -> None:
        self.asked_since = tick
        state = self.progress.state
        if state is RolloutState.UNAPPROVED:
            most = len(self.plan.rings)
            self.approvals.append(most if tick > self.last_tick else self.chance.randint(1, most))
        elif self.chance.random() < 0.1:
            self._stop(RolloutStep.ABORTED, RolloutReason.ABORTED)
        else:
            self._resume()

    def _stop(self, step: RolloutStep, reason: RolloutReason) -> None:
        self.progress = stopped(self.progress, step, reason, self.now, "by hand")
        self.referee.seen.state = self.progress.state.value

    def _resume(self) -> None:
        if self.progress.state is RolloutState.HALTED:
            seen_failures = bytearray(self.pcs)
            for pc in self.counts.acknowledge():
                seen_failures[pc] = 1
            self.truth.acknowledged |= int.from_bytes(seen_failures, "little")
        silent = self.progress.why.reason in (RolloutReason.SILENT_PCS, RolloutReason.TOO_FEW_DECIDED)
        self.progress = resumed(self.progress, self.now)
        seen = self.referee.seen
        seen.state = self.progress.state.value
        seen.without_silent = len(seen.opened) if silent else seen.without_silent

    # --- the machine -------------------------------------------------------------------------

    def _evaluate(self) -> None:
        self.evaluations += 1
        moment = self.now - self.plan.silent_after_seconds
        self.truth.quiet = away_since(self.seen_at, moment)
        for _ in range(MOST_STEPS):
            opened = self.progress.opened_at
            self.counts.sweep(self.truth.quiet, [place for place, at in enumerate(opened) if at <= moment])
            tallies = self.counts.tallies()
            self.referee.count(self.now)
            self.referee.check_counts(tallies)
            approved = Approved(tuple(self.approvals), self.need)
            decision = decide(self.plan, self.progress, tallies, self.now, approved)
            self._judge(decision)
            self.progress = decision.progress
            if decision.step is None:
                return
        raise BrokenRuleError(f"one evaluation takes more than {MOST_STEPS} steps")

    def _judge(self, decision: RolloutDecision) -> None:
        after, why = decision.progress, decision.why
        step = decision.step.name if decision.step else ""
        self.referee.judge(step, after.state.value, after.opened_at, self.now, self.approvals, self.need)
        if not step:
            self.referee.rests(after.state.value, self.now, self.approvals, self.need)
        if why.ring and why.reason in (
            RolloutReason.TO_DECIDE,
            RolloutReason.NOT_SURE,
            RolloutReason.TOO_FEW_INSTALLED,
        ):
            counts = self.referee.counts[len(after.opened_at) - 1]
            number = counts[0] if why.reason is not RolloutReason.TO_DECIDE else sum(counts[:3])
            if step or after.state is RolloutState.RUNNING:
                self.referee.must(why.count == number, f"{why.reason} is told with {why.count}, and it is {number}")

"""Holds a simulated rollout to its rules, by counts and formulas of its own. Pure.

It knows what PCs said, who is away and what people did, and looks at each step that the machine takes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan

CLASSES = ("installed", "failed", "rolled back", "not applicable", "excepted", "silent", "waiting")
DECIDING = 4  # the first classes are a PC's own word
UNSAID = 6
ENDED = ("complete", "aborted")
_LETTER = [bytes(n == value for n in range(256)) for value in range(256)]


class BrokenRuleError(AssertionError):
    """The machine did what no rule allows, or did not do what one asks for."""


def _mask(data: bytes | bytearray, value: int) -> int:
    return int.from_bytes(data.translate(_LETTER[value]), "little")


def at_least_share(count: int, of: int) -> float:
    """Return the share that ``count`` of ``of`` prove, by the roots of (p̂ − p)² = z²·p(1−p)/n."""
    if of == 0:
        return 0.0
    share, ratio = count / of, 1.645**2 / of
    a, b, c = 1 + ratio, -(2 * share + ratio), share * share
    return max(0.0, (-b - math.sqrt(max(0.0, b * b - 4 * a * c))) / (2 * a))


@dataclass
class Truth:
    """What is so."""

    ring: bytearray
    said: bytearray
    """Class of each PC's word; `UNSAID`: none, or none that decides."""
    held: bytearray
    acknowledged: int = 0
    """A byte of 1 for each PC whose failure a person has seen."""
    quiet: bytes = b""
    """1 for each PC that was not seen for as long as the plan has it."""


@dataclass
class Seen:
    """What the referee remembers of the rollout."""

    state: str = "running"
    opened: list[int] = field(default_factory=list)
    without_silent: int = 0


class Referee:
    """Judges one rollout."""

    def __init__(self, plan: RolloutPlan, truth: Truth) -> None:
        self.plan = plan
        self.truth = truth
        self.seen = Seen()
        self.counts: list[list[int]] = []
        self.new_failed: list[int] = []
        self.looks = 0

    def count(self, now: float) -> None:
        """Count all PCs anew."""
        truth = self.truth
        held, quiet = _mask(truth.held, 1), int.from_bytes(truth.quiet, "little")
        own = [_mask(truth.said, value) for value in range(DECIDING)]
        undecided = _mask(truth.said, UNSAID)
        self.counts, self.new_failed = [], []
        for place in range(len(self.plan.rings)):
            here = _mask(truth.ring, place)
            still = undecided & here
            excepted = still & held
            long_open = place < len(self.seen.opened) and (
                now - self.seen.opened[place] >= self.plan.silent_after_seconds
            )
            silent = still & ~excepted & quiet if long_open else 0
            said = [(mask & here).bit_count() for mask in own]
            rest = still.bit_count() - excepted.bit_count() - silent.bit_count()
            self.counts.append([*said, excepted.bit_count(), silent.bit_count(), rest])
            failed = (own[1] | own[2]) & here
            self.new_failed.append((failed & ~truth.acknowledged).bit_count())

    def check_counts(self, tallies: Sequence[Sequence[int]]) -> None:
        """Compare with the machine's counts."""
        self.looks += 1
        for place, tally in enumerate(tallies):
            own = [*self.counts[place], self.counts[place][1] + self.counts[place][2] - self.new_failed[place]]
            self.must(list(tally) == own, f"ring {place} is counted {list(tally)}, and is {own}")

    def crossing(self) -> int | None:
        """Return the first open ring whose failures halt the rollout."""
        for place in range(len(self.seen.opened)):
            ring, failed = self.plan.rings[place], self.new_failed[place]
            judged = sum(self.counts[place][:3]) - (sum(self.counts[place][1:3]) - failed)
            if failed >= ring.least_failed and judged and self._share(place, failed, judged) > ring.failure_share / 1e4:
                return place
        return None

    def lacking(self, place: int, now: float) -> str:
        """Return what a ring lacks to be through; empty: nothing."""
        ring: PlannedRing = self.plan.rings[place]
        installed, failed, back, _, _, silent, waiting = self.counts[place]
        if now < self.seen.opened[place] + ring.soak_seconds:
            return "soak"
        decided, word = installed + failed + back, place < self.seen.without_silent
        if decided < min(ring.least_decided, decided + silent + waiting) and not (word and not waiting):
            return "decided"
        judged = installed + self.new_failed[place]
        proven = self._share(place, installed, judged) if judged else float(waiting == 0)
        if proven < ring.success_share / 1e4:
            return "installed"
        return "word" if self.plan.silent == "hold" and silent and not word else ""

    def judge(
        self, step: str, state: str, opened: Sequence[int], now: float, approvals: Sequence[int], need: int
    ) -> None:
        """Look at one answer of the machine: its step ("" for none), and what stands afterwards."""
        before = self.seen
        crossing = None if before.state in ("halted", *ENDED) else self.crossing()
        if crossing is not None:
            self.must(state == "halted", f"ring {crossing} has too many failures, and it is {state}")
        elif state == "halted" and before.state != "halted":
            place = len(before.opened) - 1
            self.must(place >= 0 and before.state != "paused", "it halts with no ring open, or while it is paused")
            self.must(not self.counts[place][UNSAID], "it halts though PCs have still to decide")
            self.must(self.lacking(place, now) in ("decided", "installed"), "it halts though no rule says so")
        if step == "RING_OPENED":
            self._opening(len(before.opened), opened, now, approvals, need)
        else:
            self.must(list(opened) == before.opened, f"{step or 'no step'} changes which rings are open")
        if state == "complete" and before.state != "complete":
            self.must(len(opened) == len(self.plan.rings), "it is complete before all rings are open")
            self.must(not self.lacking(len(opened) - 1, now), "it is complete before its last ring is through")
        if before.state in ENDED or (before.state in ("paused", "halted") and crossing is None):
            self.must(state == before.state, f"it goes from {before.state} to {state} by itself")
        before.state, before.opened = state, list(opened)

    def rests(self, state: str, now: float, approvals: Sequence[int], need: int) -> None:
        """Look whether the machine had to go on where it takes no step."""
        if state not in ("running", "waiting for approval", "waiting for a word"):
            return
        opened = self.seen.opened
        lacking = self.lacking(len(opened) - 1, now) if opened else ""
        if not lacking:
            short = len(opened) < len(self.plan.rings) and not self._approved(len(opened), approvals, need)
            self.must(short and state == "waiting for approval", f"nothing is lacking, and it is {state}")
        elif lacking == "word":
            self.must(state == "waiting for a word", f"a person is to say a word, and it is {state}")
        elif lacking == "soak":
            self.must(state == "running", f"it soaks, and is {state}")
        else:
            wordless = not self.counts[len(opened) - 1][UNSAID]
            held = lacking == "decided" and self.plan.silent == "hold" and wordless
            wanted = "waiting for a word" if held else "running"
            self.must(state == wanted, f"{lacking} is lacking, and it is {state}")
            self.must(held or not wordless, f"{lacking} is lacking, nobody is left to decide, and it goes on")

    def _opening(self, place: int, opened: Sequence[int], now: float, approvals: Sequence[int], need: int) -> None:
        self.must(self.seen.state == "running", f"a ring opens while it is {self.seen.state}")
        self.must(list(opened[:-1]) == self.seen.opened and len(opened) == place + 1, "more than one ring opens")
        self.must(now - 1 < opened[-1] <= now, "a ring opens at another time than now")
        self.must(self._approved(place, approvals, need), "a ring opens without approvals")
        if place:
            self.must(
                not self.lacking(place - 1, now), f"ring {place} opens: {self.lacking(place - 1, now)} is lacking"
            )

    def _approved(self, place: int, approvals: Sequence[int], need: int) -> bool:
        return not self.plan.rings[place].approval or len([one for one in approvals if one > place]) >= need

    def _share(self, place: int, count: int, of: int) -> float:
        return at_least_share(count, of) if self.counts[place][UNSAID] else count / of

    def must(self, so: bool, otherwise: str) -> None:
        """Raise `BrokenRuleError` with ``otherwise`` where it is not ``so``."""
        if not so:
            raise BrokenRuleError(otherwise)

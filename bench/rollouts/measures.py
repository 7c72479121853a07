"""What one look at a whole company's rollouts takes."""

import random
import time

from bench.rollouts.world import BEGIN, DAY, HERE
from p2pdist.shared.manifest.rollout_plan import RolloutPlan
from seed_server.fleet.ring_counts import PcOutcome, RingCounts, away_since
from seed_server.fleet.ring_templates import parse_ring_template
from seed_server.fleet.rollout import RolloutProgress, RolloutReason, RolloutState, RolloutWhy, decide
from seed_server.fleet.shipped_rings import shipped_rings

REPORTS = 2_000  # that come between two looks
SILENT_AFTER = (DAY, 3 * DAY, 7 * DAY)  # of three templates in use


def look_seconds(rollouts: int, pcs: int, times: int) -> list[float]:
    """Return what each of some looks at ``rollouts`` live ones takes, with the reports since the one before."""
    chance = random.Random(1)
    template = parse_ring_template(shipped_rings("rings"), "rings")
    plans, counts = [], []
    for number in range(rollouts):
        plan = RolloutPlan(
            format=1, patch_id=f"patch-{number}", version="1", number=number + 1, manifest_sha256="0" * 64,
            salt=bytes(16), rings=template.rings, silent_after_seconds=SILENT_AFTER[number % len(SILENT_AFTER)],
        )  # fmt: skip
        one = RingCounts(len(plan.rings))
        one.grow(pcs)
        for pc, letter in enumerate(chance.randbytes(pcs)):
            one.place(pc, 0 if letter < 2 else 1 if letter < 5 else 2 if letter < 25 else 3 if letter < 128 else 4)
            if letter % 16:
                one.observe(pc, PcOutcome.INSTALLED)
        plans.append(plan)
        counts.append(one)
    opened = tuple(int(BEGIN - days * DAY) for days in (9, 8, 7, 6, 4))
    progress = RolloutProgress(RolloutState.RUNNING, RolloutWhy(RolloutReason.TO_OPEN, BEGIN), opened)
    seen_at = [HERE if chance.random() < 0.7 else BEGIN - chance.random() * 9 * DAY for _ in range(pcs)]
    found = []
    for look in range(times):
        now = BEGIN + 2.0 * look
        begun = time.perf_counter()
        for _ in range(REPORTS):
            counts[chance.randrange(rollouts)].observe(chance.randrange(pcs), PcOutcome.INSTALLED)
        away = {seconds: away_since(seen_at, now - seconds) for seconds in SILENT_AFTER}
        for plan, one in zip(plans, counts, strict=True):
            moment = now - plan.silent_after_seconds
            one.sweep(away[plan.silent_after_seconds], [place for place, at in enumerate(opened) if at <= moment])
            decide(plan, progress, one.tallies(), now)
        found.append(time.perf_counter() - begun)
    return found

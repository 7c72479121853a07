"""What one look at a whole company's rollouts takes, and whether server and PC agree on rings."""

import random
import secrets
import time
from collections.abc import Iterator

from bench.rollouts.world import BEGIN, DAY, HERE
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.manifest.facts import Facts, Packages
from p2pdist.shared.manifest.ring_facts import ring_facts, told_facts
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RingRules, RolloutPlan
from p2pdist.shared.manifest.staged import StagedEntry, StagedRollouts, decode_staged, encode_staged
from p2pdist.shared.manifest.versions import Ecosystem, parse_version
from p2pdist.shared.wire import codec
from seed_server.fleet.ring_counts import PcOutcome, RingCounts, away_since
from seed_server.fleet.ring_templates import parse_ring_template
from seed_server.fleet.rollout import RolloutProgress, RolloutReason, RolloutState, RolloutWhy, decide
from seed_server.fleet.shipped_rings import shipped_rings

REPORTS = 2_000  # that come between two looks
SILENT_AFTER = (DAY, 3 * DAY, 7 * DAY)  # of three templates in use
_SHARES = (100, 1_000, 5_000, 10_000)


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


def _random_facts(chance: random.Random) -> Facts:
    family = chance.choice(["debian", "windows", "rhel"])
    return Facts(
        {
            "site": chance.choice(["osaka", "tokyo", "kobe", ""]),
            "tags": tuple(chance.sample(["test", "lab", "kiosk", "till"], chance.randrange(3))),
            "hostname": f"pc-{chance.randrange(30_000)}",
            "os.family": family,
            "os.id": family,
            "os.release": parse_version(chance.choice(["12", "22.04", "10.0", "9"]), Ecosystem.GENERIC),
            "os.build": chance.choice([0, 19_045, 22_631]),
            "os.language": chance.choice(["ja-jp", "en-us"]),
            "arch": chance.choice(["amd64", "arm64"]),
            "ram_mb": chance.choice([4_000, 16_000]),
            "battery_percent": chance.randrange(101),
        },
        Packages({Ecosystem.DEB: {"openssl": "3.0"}}),
    )


_RULES = (
    '"test" in tags', "", 'os.family == "windows" and os.build >= 19045', 'site in ("osaka", "kobe")',
    'arch == "arm64" or not os.language == "ja-jp"', 'os.release >= version("12")', "ram_mb < 8000",
)  # fmt: skip


def _plans(chance: random.Random, number: int) -> Iterator[RolloutPlan]:
    for _ in range(number):
        rings = tuple(
            PlannedRing(name=f"ring {place}", who=chance.choice(_RULES), share=chance.choice(_SHARES))
            for place in range(chance.randint(1, 5))
        )
        yield RolloutPlan(
            format=1, patch_id="acme", version="1", number=1, manifest_sha256="0" * 64, salt=secrets.token_bytes(16),
            rings=rings, silent_after_seconds=DAY,
        )  # fmt: skip


def rings_that_differ(pairs: int, pcs: int = 5_000) -> tuple[int, int]:
    """Return of how many pairs of a PC and a rollout both sides were asked, and how often they did not agree.

    The server knows what was told; the PC has all of its facts, and the plan out of the signed document.
    """
    chance = random.Random(2)
    people = []
    for _ in range(pcs):
        facts = _random_facts(chance)
        site, tags = str(facts.values["site"]), tuple(facts.values["tags"])  # type: ignore[arg-type]
        sent = codec.encode(told_facts(facts))
        told: dict[str, int | str] = codec.decode(sent, dict[str, int | str], max_bytes=4_096)
        name = EndpointId(f"pc-{secrets.token_hex(16)}")
        on_pc = ring_facts(told_facts(facts), site=site, tags=tags)
        people.append((name, on_pc, ring_facts(told, site=site, tags=tags)))
    asked = differing = 0
    for plan in _plans(chance, max(1, pairs // pcs)):
        entry = StagedEntry(sequence=1, plan=plan, opened_at=(1,))
        (signed,) = decode_staged(encode_staged(StagedRollouts(format=1, entries=(entry,)))).entries
        ours, theirs = RingRules(plan), RingRules(signed.plan)
        for name, on_pc, on_server in people:
            asked += 1
            differing += ours.ring_of(name, on_server) != theirs.ring_of(name, on_pc)
    return asked, differing

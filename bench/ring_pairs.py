"""Server and PC find the same ring: random PCs and plans, each side by what it really has.

python -m bench.ring_pairs [--pairs 1000000] [--seed 1]

The PC reads the plan from the signed document, and evaluates its facts as it gathered them. The server has the plan
that it signed, and what the PC's message told it. Prints how many pairs disagree, and the share of each ring.
"""

import argparse
import time
from collections import Counter
from random import Random

from p2pdist.shared.identifiers import EndpointId, endpoint_id_of_public_key
from p2pdist.shared.manifest.facts import Facts, FactValue, Packages
from p2pdist.shared.manifest.ring_facts import ring_facts, told_facts
from p2pdist.shared.manifest.rollout_plan import MAX_RINGS, WHOLE, PlannedRing, RingRules, RolloutPlan
from p2pdist.shared.manifest.staged import StagedEntry, StagedRollouts, decode_staged, encode_staged
from p2pdist.shared.manifest.versions import Ecosystem, parse_version
from p2pdist.shared.wire.channels import decode_from_endpoint, encode_message
from p2pdist.shared.wire.messages import FactsChanged

PLANS = 300  # rollouts at the same time
SITES = ("tokyo", "oslo", "rome", "plant", "")
TAGS = ("lab", "pilot", "kiosk", "office")
RELEASES = ("10.0", "11", "12", "22.04", "24.04", "9.4-beta")
TERMS = (
    'site == "{site}"', 'site != "{site}"', '"{tag}" in tags', 'not "{tag}" in tags', 'os.family == "debian"',
    'os.release >= version("{release}")', 'os.release < version("{release}")', "ram_mb > {number}",
    "os.build >= {number}", 'arch in ("amd64", "arm64")', 'hostname == "pc-{number}"', 'os.language == "ja-jp"',
    'os.id != "ubuntu"', "true",
)  # fmt: skip


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    begun = time.perf_counter()
    different, rings = compare(arguments.pairs, Random(arguments.seed))
    seconds = time.perf_counter() - begun
    print(f"{arguments.pairs} pairs, {different} different, {seconds:.1f} s")
    for ring, count in sorted(rings.items()):
        print(f"  {'no ring' if ring < 0 else f'ring {ring}':>8} {count / arguments.pairs:7.2%}")


def compare(pairs: int, random: Random) -> tuple[int, Counter[int]]:
    """Return how many of so many (PC, rollout) pairs differ, and how many are in which ring (-1: in none)."""
    plans = [_plan(random, n) for n in range(min(PLANS, pairs))]
    signed = StagedRollouts(format=1, entries=tuple(StagedEntry(n + 1, plan, ()) for n, plan in enumerate(plans)))
    read = [entry.plan for entry in decode_staged(encode_staged(signed)).entries]
    at_server, at_pc = [RingRules(plan) for plan in plans], [RingRules(plan) for plan in read]
    different, rings = 0, Counter[int]()
    for number in range(-(-pairs // len(plans))):
        endpoint, facts = _pc(random, number)
        said = decode_from_endpoint(encode_message(FactsChanged(values=told_facts(facts))))
        assert isinstance(said, FactsChanged)
        site, tags = str(facts.values["site"]), facts.values["tags"]
        assert isinstance(tags, tuple)
        here = ring_facts(told_facts(facts), site=site, tags=tags)
        there = ring_facts(said.values, site=site, tags=tags)
        for one, other in list(zip(at_server, at_pc, strict=True))[: pairs - number * len(plans)]:
            ring = other.ring_of(endpoint, here)
            different += one.ring_of(endpoint, there) != ring
            rings[-1 if ring is None else ring] += 1
    return different, rings


def _pc(random: Random, number: int) -> tuple[EndpointId, Facts]:
    values: dict[str, FactValue] = {
        "site": random.choice(SITES), "tags": tuple(random.sample(TAGS, random.randrange(len(TAGS)))),
        "hostname": f"pc-{random.randrange(50)}", "os.family": random.choice(("debian", "windows", "rhel")),
        "os.id": random.choice(("debian", "ubuntu", "windows")), "os.build": random.choice((0, 19045, 26100)),
        "os.release": parse_version(random.choice(RELEASES), Ecosystem.GENERIC),
        "os.language": random.choice(("ja-jp", "en-us")), "arch": random.choice(("amd64", "arm64", "riscv64")),
        "ram_mb": random.randrange(1, 64_000), "battery_percent": random.randrange(101),
    }  # fmt: skip
    for name in random.sample(sorted(values.keys() - {"site", "tags"}), random.randrange(3)):
        del values[name]  # could not be gathered
    key = random.randbytes(32) + number.to_bytes(4)
    return endpoint_id_of_public_key(key), Facts(values, Packages({Ecosystem.DEB: {"openssl": "3.0.1"}}))


def _plan(random: Random, number: int) -> RolloutPlan:
    rings = tuple(
        PlannedRing(f"ring {n}", who=_expression(random), share=random.choice((1, 100, 500, 2_500, WHOLE)))
        for n in range(random.randint(1, MAX_RINGS))
    )
    return RolloutPlan(
        format=1, patch_id=f"patch-{number}", version="1", number=1, manifest_sha256="0" * 64,
        salt=random.randbytes(16), rings=rings, silent_after_seconds=0,
    )  # fmt: skip


def _expression(random: Random) -> str:
    terms = [
        random.choice(TERMS).format(
            site=random.choice(SITES), tag=random.choice(TAGS), release=random.choice(RELEASES),
            number=random.randrange(50_000),
        )
        for _ in range(random.randrange(4))
    ]  # fmt: skip
    return random.choice((" and ", " or ")).join(terms)


if __name__ == "__main__":
    main()

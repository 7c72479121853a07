"""Prints a digest of each of about thirty different simulations: two copies of the simulator agree when these do.

`make bench-compiled-check` runs it interpreted and compiled and compares the
lines. Every queue, every business and every scavenger appears.
"""

import hashlib
import sys
from dataclasses import replace
from typing import Any

from bandwidth.simulator import events
from bandwidth.simulator.building import BUSINESS, SCAVENGERS
from bandwidth.simulator.scenario import Scenario, simulate

QUEUES = ("20 packets", "1 bdp", "250 ms", "codel", "fq_codel", "pie")


def scenarios() -> dict[str, Scenario]:
    """Return the simulations by name."""
    base = Scenario(line_mbit=8.0, duration_seconds=20, business_from_seconds=6, business_until_seconds=16)
    found: list[Scenario] = []

    def add(**changes: Any) -> None:
        found.append(replace(base, seed=len(found) + 1, **changes))

    for queue in QUEUES:
        for visible in (True, False):
            add(queue=queue, business="mix+on/off", business_visible=visible)
    for business in ("idle", *BUSINESS):
        add(business=business, capacity_configured=False, radio=business in ("idle", "web"))
    for number, scavenger in enumerate(sorted({*SCAVENGERS, "none"})):
        add(scavenger=scavenger, queue=QUEUES[number % len(QUEUES)], business="2 cubic+voip+video")
    add(business="bbr+4 cubic", kernel_window=False, business_visible=False)
    add(business="web", line_mbit=2.0, rtt_seconds=0.1, capacity_configured=False, duration_seconds=80)
    add(business="on/off", line_mbit=100.0, rtt_seconds=0.01, queue="20 packets")
    return {f"{number:2} {one.queue}, {one.business}, {one.scavenger}": one for number, one in enumerate(found)}


def main() -> None:
    """Run them all."""
    compiled = not str(events.__file__).endswith(".py")
    print("compiled" if compiled else "interpreted", file=sys.stderr)
    for name, scenario in scenarios().items():
        print(hashlib.sha256(repr(simulate(scenario)).encode()).hexdigest()[:16], name, flush=True)


if __name__ == "__main__":
    main()

"""A seed server that heeds nothing: its controller sends more than the line carries, whatever it hears.

    python harmful_server.py LINE_MBIT MINUTE_SECONDS HOME      serves HOME
    python harmful_server.py LINE_MBIT MINUTE_SECONDS part ...  is one of its parts
    python harmful_server.py 0 MINUTE_SECONDS HOME              the same with the shipped controller

There is no such switch in the product: this program changes the product's classes in its own process. Minutes of the
bound on harm may be shorter, of which a quarter makes one harmful, as ever.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import trio

from bandwidth.core import controller
from bandwidth.core.decision import Decision
from bandwidth.core.signals import Sample
from bandwidth.core.states import Reason, State
from bandwidth.core.units import MBIT, BytesPerSecond
from seed_server.line import site_harm, site_law
from seed_server.line.harm_bound import HarmBound, HarmRule
from seed_server.origin import data_link
from seed_server.service import part
from seed_server.service.supervisor import serve
from seed_server.settings.home import ServerHome

TOO_MUCH = 1.3  # times the line


class HarmfulController(controller.Controller):
    """Sends at one rate."""

    rate = BytesPerSecond(0)

    def update(self, sample: Sample, now: float, **policy: Any) -> Decision:
        """As `Controller.update`, with another decision unless nothing may be sent."""
        if policy.get("blackout"):
            return super().update(sample, now, **policy)
        return Decision(self.rate, Reason.AT_CAPACITY, State.SCAVENGE)


def be_harmful(line_mbit: float, minute_seconds: float) -> None:
    """Change this process."""
    rule = HarmRule(minute_seconds=minute_seconds, harmful_seconds=max(2, round(minute_seconds / 4)))
    changes: dict[tuple[Any, str], Any] = {(site_harm, "HarmBound"): partial(HarmBound, rule)}
    if line_mbit:
        HarmfulController.rate = BytesPerSecond(int(TOO_MUCH * line_mbit * MBIT))
        changes[site_law, "Controller"] = HarmfulController
        # CUBIC, as the lab's routes say: it fills whatever buffer there is
        changes[data_link, "use_known_control"] = lambda _socket: False
    for (module, name), value in changes.items():
        assert hasattr(module, name)
        setattr(module, name, value)


def main() -> None:
    """Run the server, or one of its parts."""
    line_mbit, minute_seconds, what, *rest = sys.argv[1:]
    if what == "part":
        be_harmful(float(line_mbit), float(minute_seconds))
        sys.argv = [sys.argv[0], *rest]
        part.main()
    command = [sys.executable, __file__, line_mbit, minute_seconds, "part"]
    trio.run(partial(serve, ServerHome(Path(what)), part_command=command))


if __name__ == "__main__":
    main()

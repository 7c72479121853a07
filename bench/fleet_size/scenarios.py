"""All scenarios, and how one of them is run."""

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import trio

from bench.fleet_size import (
    connecting,
    history,
    inventories,
    judging,
    looking,
    reporting,
    restoring,
    targets,
    telling,
    weighing,
)
from bench.fleet_size.machine import revision, this_machine
from bench.fleet_size.records import Outcome, Run
from bench.fleet_size.sizes import Sizes
from bench.lab.processor import machine_time
from p2pdist import __version__

Play = Callable[[Sizes, Path], Awaitable[Outcome]]

SCENARIOS: Mapping[str, Play] = {
    targets.CONNECTIONS: connecting.connections,
    targets.REPORTS: reporting.reports,
    targets.REPORTS_POSTGRESQL: reporting.reports_postgresql,
    targets.RETURN: connecting.returning,
    targets.LATENESS: looking.lateness,
    targets.PUBLICATION: weighing.publication,
    targets.STANDING: weighing.standing,
    targets.STANDING_POSTGRESQL: weighing.standing_postgresql,
    targets.HISTORY: history.history,
    targets.HISTORY_POSTGRESQL: history.history_postgresql,
    targets.INVENTORY: inventories.inventory,
    targets.INVENTORY_POSTGRESQL: inventories.inventory_postgresql,
    targets.RESTORE: restoring.restore,
    targets.JUDGING: judging.judging,
    targets.INVENTORY_RETURN: telling.inventory_return,
}


async def run_scenario(name: str, sizes: Sizes, directory: Path) -> Run:
    """Run one scenario in an empty directory."""
    at, before, begun = time.time(), machine_time(), trio.current_time()
    outcome = await SCENARIOS[name](sizes, directory)
    return Run(
        scenario=name,
        sizes=sizes,
        machine=this_machine(),
        version=__version__,
        revision=revision(),
        measured_at=round(at),
        seconds=round(trio.current_time() - begun, 1),
        busy_share=round(machine_time().busy_share_since(before), 3),
        kind=outcome.kind,
        figures={figure: round(value, 6) for figure, value in outcome.figures.items()},
        missing=outcome.missing,
        notes=outcome.notes,
    )

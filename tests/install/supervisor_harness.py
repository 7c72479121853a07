"""Kills the supervisor of an upgrade with SIGKILL at each of its writes, and starts it again.

Run by `test_supervisor_kills.py`: ``supervisor_harness.py DIRECTORY WELL`` prints a JSON list, one object for each
point of death. Each life is a forked child, as in `kill_harness.py`; the installer is a real process.
"""

import functools
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from p2pdist.install import supervised_processes, supervisor

MAX_POINTS = 60
MAX_LIVES = 8
PACE = {"poll_seconds": 0.01, "probe_seconds": 0.0, "steady_seconds": 0.0, "said_seconds": 60.0}


def order(place: Path, dies_at: int) -> dict[str, Any]:
    """Return an order whose installer counts its runs; ``dies_at`` 0: it kills its supervisor, and goes on a while."""
    deadly = "kill -9 $PPID; sleep 0.05;" if dies_at == 0 else ""

    def command(word: str, before: str = "") -> dict[str, Any]:
        return {
            "argv": ["/bin/sh", "-c", f"echo {word} >> {place}/runs; {before} echo {word} > {place}/there"],
            "timeout_seconds": 20, "success_codes": [0], "reboot_codes": [], "busy_codes": [],
        }  # fmt: skip

    return {
        "id": "1-install-ab", "install": command("new", deadly), "back": command("old"), "repair": command("repair"),
        "restart": None, "contact_seconds": 0.03, "server": None, "environment": {"PATH": "/usr/bin:/bin"},
        "limits": {}, "pace": PACE, "locked": [],
    }  # fmt: skip


def life(place: Path, wanted: dict[str, Any], dies_at: int, *, well: bool) -> None:
    """Run one supervisor that dies before (odd) or after (even) one of its writes."""
    writes = 0

    def write(path: Path, value: dict[str, Any]) -> None:
        nonlocal writes
        writes += 1
        if dies_at == 2 * writes - 1:
            os.kill(os.getpid(), signal.SIGKILL)
        supervised_processes.write(path, value)
        if dies_at == 2 * writes:
            os.kill(os.getpid(), signal.SIGKILL)

    vars(supervisor)["write"] = write
    one = supervisor.UpgradeSupervisor(place, wanted)
    new = {"process": {"boot": supervised_processes.boot(), "began": supervised_processes.up_seconds() + 60}}
    one._said = lambda: {**new, "spoken": True} if well else None  # type: ignore[method-assign]
    one.run()


def forked(work: Callable[[], None]) -> bool:
    """Return whether the forked child was killed."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), status
    return status == signal.SIGKILL


def story(place: Path, dies_at: int, *, well: bool) -> dict[str, Any]:
    """Kill a supervisor at one point, start others until one comes to its end, and return what they did."""
    place.mkdir()
    wanted = order(place, dies_at)
    killed = forked(functools.partial(life, place, wanted, dies_at, well=well))
    lives = 1
    while forked(functools.partial(life, place, wanted, -1, well=well)) and lives < MAX_LIVES:
        lives += 1
    progress = supervised_processes.read(place / supervisor.PROGRESS)
    assert progress is not None
    return {
        "dies_at": dies_at, "killed": killed, "runs": (place / "runs").read_text().split(),
        "there": (place / "there").read_text().strip(), "result": progress["result"], "known": progress["known"],
        "repairs": progress.get("repairs", 0),
    }  # fmt: skip


def main(place: Path, *, well: bool) -> None:
    """Print what came of each point."""
    place.mkdir()
    results = []
    for dies_at in range(MAX_POINTS):
        results.append(story(place / str(dies_at), dies_at, well=well))
        if not results[-1]["killed"]:
            break
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), well=sys.argv[2] == "well")

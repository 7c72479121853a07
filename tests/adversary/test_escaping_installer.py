"""An installer that is late, for its daemon or the next one, with children that left its session, group and parents."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from p2pdist.install import processes
from p2pdist.install.findings import unknown
from p2pdist.shared.manifest.recipe import CommandCheck, ScriptInstall
from tests.helpers.install_place import Place

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or not Path("/usr/bin/setsid").exists(), reason="walks /proc, needs setsid"
)

ESCAPES = {
    "a session of its own": "setsid sh {child} &",
    "an orphan in a session of its own": "setsid -f sh {child}",
    "an orphan's orphan": "setsid -f sh -c 'setsid -f sh {child}'",
    "an orphan that ignores all it can": "(trap '' TERM HUP INT; setsid -f sh {child}) &",
    "one that goes on forking and leaving": "setsid -f sh {runner}",
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def pids(tmp_path: Path) -> Iterator[Path]:
    """Return the file in which each process notes itself; those that still run are ended."""
    path = tmp_path / "pids"
    path.touch()
    yield path
    (tmp_path / "runner.sh").unlink(missing_ok=True)
    for process_id in living(path):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process_id, signal.SIGKILL)


def living(pids: Path) -> list[int]:
    """Return the noted processes that run and are ours."""
    found = []
    for word in pids.read_text().split():
        try:
            state = Path(f"/proc/{word}/stat").read_text().rpartition(")")[2].split()[0]
            ours = str(pids.parent).encode() in Path(f"/proc/{word}/cmdline").read_bytes()
        except OSError:
            continue
        if state not in "ZX" and ours:
            found.append(int(word))
    return found


def script(place: Place, pids: Path, escape: str) -> str:
    child, runner = place.directory / "child.sh", place.directory / "runner.sh"
    child.write_text(f"echo $$ >> {pids}\nwhile :; do sleep 1000; done\n")
    # each lives for a moment, and leaves a successor in a session of its own
    runner.write_text(f"echo $$ >> {pids}\nsleep 0.02\nsetsid -f sh {runner}\n")
    started = escape.format(child=child, runner=runner)
    return f"{started}\nwhile [ ! -s {pids} ]; do sleep 0.01; done\necho $$ >> {pids}\nsleep 1000"


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
async def test_a_late_installer_leaves_no_process_whatever_it_has_left(place: Place, pids: Path, escape: str) -> None:
    body = script(place, pids, escape)
    outcome = await place.script(body, ScriptInstall(interpreter="sh", timeout_seconds=2))
    assert outcome.words == "sh did not end within 2 s and was stopped"
    noted = pids.read_text()
    assert noted
    assert living(pids) == []
    await trio.sleep(0.1)
    assert living(pids) == []
    assert len(pids.read_text()) == len(noted)


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
async def test_one_that_outlives_its_daemon_neither_when_it_is_late(place: Place, pids: Path, escape: str) -> None:
    body = script(place, pids, escape)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(place.script, body)
        with trio.fail_after(10):
            while len(pids.read_text().split()) < 2 or not living(pids):  # noqa: ASYNC110 - a file
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    with trio.fail_after(10):
        while not living(pids):  # noqa: ASYNC110 - between one that has left and its successor's first line is nobody
            await trio.sleep(0.01)
    await processes.end_of_outlived(place.directory / "scratch/running", 0.0)
    assert living(pids) == []


async def test_a_late_check_neither(place: Place, pids: Path) -> None:
    command = place.program(script(place, pids, ESCAPES["an orphan in a session of its own"]))
    answer = await place.detector.check(CommandCheck(command=(command,), timeout_seconds=2))
    assert answer == unknown(f"{place.root}/check gave no answer within 2 s", late=True)
    assert pids.read_text()
    assert living(pids) == []


async def test_a_service_that_an_installer_has_started_goes_on_when_that_ends_in_time(place: Place, pids: Path) -> None:
    place.limit(linger_seconds=0.05)
    body = script(place, pids, ESCAPES["an orphan in a session of its own"]).replace("sleep 1000", "exit 0")
    assert (await place.script(body)).succeeded
    await place.script("exit 0")
    late = ScriptInstall(interpreter="sh", timeout_seconds=1)
    assert not (await place.script("sleep 1000", late)).succeeded
    assert len(living(pids)) == 1, "what another run has started is none of this one's"

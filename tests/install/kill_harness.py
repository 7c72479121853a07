"""Kills the patch life with SIGKILL at every write of its journal, one after the other, and lets it go on.

Run by `test_kill_at_every_step.py`: ``kill_harness.py DIRECTORY KIND HEALTHY`` prints a JSON list, one object for each
point of death. Each life is a forked child: an interpreter of its own for each would take a minute.
"""

import functools
import hashlib
import io
import json
import os
import signal
import sys
import tarfile
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import trio
from trio.testing import MockClock

from p2pdist.install import journal as install_journal
from p2pdist.install.installer import Installer
from p2pdist.install.lifecycle import Journal
from p2pdist.install.loop import DaemonHooks, Installs
from p2pdist.install.outcomes import Outcome
from p2pdist.install.packages import PackageFile
from p2pdist.install.plan import Candidate
from p2pdist.settings import EndpointHome
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.logs import configure_log
from p2pdist.shared.manifest.documents import Manifest, Payload
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    CommandCheck,
    FileCheck,
    HealthCheck,
    Install,
    ScriptInstall,
)

MAX_POINTS = 60
RATE = 10.0  # the time that a health check is given passes this much faster
SCRIPT = b"""#!/bin/sh
echo "$1" >> "$2/runs"
if [ "$1" = install ]; then
    touch "$2/there"
    if [ -e "$2/deadly" ]; then rm "$2/deadly"; kill -9 $PPID; fi
else
    rm -f "$2/there"
fi
"""


class CountingInstaller(Installer):
    """Notes each installation that is ordered, on disk."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, root / "scratch", scripts_on_host=True)
        self._calls = root / "calls"

    async def install(
        self,
        install: Install,
        version: str,
        file: Path,
        sha256: str,
        *,
        downgrade: bool = False,
        package: PackageFile | None = None,
    ) -> Outcome:
        """Note it, then do it."""
        with self._calls.open("a") as calls:
            calls.write("install\n")
        return await super().install(install, version, file, sha256, downgrade=downgrade, package=package)


class HastyClock:
    """Each look at it is an hour later: whatever is tried again is due."""

    def __init__(self) -> None:
        self._wall = 1e9

    def now(self) -> float:
        """Return Unix seconds."""
        self._wall += 4_000
        return self._wall

    def monotonic(self) -> float:
        """Return the same."""
        return self.now()


def life(root: Path, kind: str, healthy: bool, die_at: int | None, before: bool) -> Installs:
    """Return the patch life of one PC; the process dies at the ``die_at``-th write of the journal."""
    home = EndpointHome(root / "home")
    payload, install = archive(root) if kind == "archive" else script(root)
    file = home.patches / "acme" / "1" / "payload"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(payload)
    check = CommandCheck(command=("/check",), exit_code=0 if healthy else 1)
    described = Payload(
        file_name="payload",
        length_bytes=len(payload),
        sha256=hashlib.sha256(payload).hexdigest(),
        torrent_hash="1" * 64,
    )
    manifest = Manifest(
        format=1,
        patch_id="acme",
        version="1",
        title="",
        severity="high",
        cvss=None,
        published_at=0,
        payloads=[described],
        install=install,
        detect=() if kind == "archive" else (FileCheck(path="/there"),),
        health=HealthCheck(checks=(check,), within_seconds=300 if healthy else 1),
    )
    written = 0
    save = install_journal.save_journal

    async def save_and_die(path: Path, journal: Journal) -> None:
        nonlocal written
        written += 1
        if written == die_at and before:
            os.kill(os.getpid(), signal.SIGKILL)
        await save(path, journal)
        if written == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    install_journal.save_journal = save_and_die

    async def damaged(_torrent_hash: str) -> None:
        raise AssertionError("nothing is damaged")

    return Installs(
        home,
        CountingInstaller(root),
        lambda: [Candidate(manifest, 1, described, str(file))],
        DaemonHooks(lambda: None, damaged, lambda: None),
        HastyClock(),
        may_restart=False,
        zone=lambda _now: UTC,
    )


def script(root: Path) -> tuple[bytes, Install]:
    """Return a script that notes each of its runs."""
    return SCRIPT, ScriptInstall(
        interpreter="sh", arguments=("install", str(root)), rollback_arguments=("undo", str(root))
    )


def archive(root: Path) -> tuple[bytes, Install]:
    """Return an archive with one file."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        member = tarfile.TarInfo("version.txt")
        member.size = 2
        tar.addfile(member, io.BytesIO(b"1\n"))
    return data.getvalue(), ArchiveInstall(directory="/app")


async def settle(installs: Installs) -> dict[str, Any]:
    """Step until the patch is in its final state, and return what became of it."""
    await installs.load()
    record = None
    for _ in range(40):
        await installs.step()
        record = installs.journal.record(PatchRef("acme", "1"))
        if record is not None and (record.state == "installed" or (record.failure == "health" and not record.retry_at)):
            break
    assert record is not None
    return {"state": record.state, "failure": record.failure, "decisions": installs.journal.decisions}


def in_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a forked process, and return how that ended."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the child must not go on as the parent
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def main(directory: Path, kind: str, healthy: bool) -> None:
    """Try every point of death, and print what became of each."""
    configure_log("error")
    results = []
    for number in range(MAX_POINTS):
        before, point = number % 2 == 0, number // 2
        root = directory / str(number)
        (root / "scratch").mkdir(parents=True)
        (root / "check").write_text("#!/bin/sh\n")
        (root / "check").chmod(0o755)
        deadly = number < 2 and kind == "script"  # the first two die in the middle of the installer instead
        if deadly:
            (root / "deadly").touch()

        def live(die_at: int | None, root: Path = root, before: bool = before) -> None:
            found = trio.run(settle, life(root, kind, healthy, die_at, before), clock=MockClock(rate=RATE))
            (root / "result").write_text(json.dumps(found))

        ended = in_child(functools.partial(live, None if deadly else point))
        if os.WIFEXITED(ended) and not deadly and point > 0:
            break  # it came to its end before it was to die: every point has been tried
        again = in_child(functools.partial(live, None))
        orders = (root / "calls").read_text().split() if (root / "calls").exists() else []
        runs = (root / "runs").read_text().split() if (root / "runs").exists() else []
        results.append(
            json.loads((root / "result").read_text())
            | {
                "point": "in the installer" if deadly else f"{'before' if before else 'after'} write {point}",
                "killed": os.WIFSIGNALED(ended),
                "ended_well": again == 0,
                "orders": len(orders),
                "installs": runs.count("install"),
                "there": (root / "there").exists() or (root / "app" / "current" / "version.txt").exists(),
            }
        )
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "healthy")

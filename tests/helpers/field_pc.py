"""A PC as it is met in the field: the real installer in a root of its own, the real loop and journal, a still clock."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from p2pdist.install.installer import Installer
from p2pdist.install.lifecycle import InstallRecord
from p2pdist.install.limits import InstallLimits
from p2pdist.install.loop import DaemonHooks, Installs
from p2pdist.install.plan import Candidate, PlanRow
from p2pdist.install.proven_files import KeptPayload
from p2pdist.install.requests import InstallRequests
from p2pdist.pc import system
from p2pdist.settings import EndpointHome
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.recipe import Check, FileCheck, Install
from tests.helpers.fake_clock import FakeClock
from tests.helpers.install_place import manifest

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()  # a Wednesday


class FieldPc:
    """One PC with one patch at a time, `acme`; ``monkeypatch`` lets it restart."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.root = directory / "root"
        (self.root / "opt").mkdir(parents=True)
        self.home = EndpointHome(directory / "home")
        self.clock = FakeClock(NOON)
        self.candidates: list[Candidate] = []
        self.boot = 1
        self.spoken = True
        """Whether the server has welcomed the daemon."""
        monkeypatch.setattr(system, "boot_id", lambda: f"boot {self.boot}")
        self.installer = Installer(self.root, directory / "scratch", InstallLimits(), scripts_on_host=True)
        self.installs = self.start()

    def start(self) -> Installs:
        """Start the daemon's loop (again): what it does not find in the journal, it has forgotten."""

        async def damaged(_torrent_hash: str) -> None:
            raise AssertionError("nothing is damaged")

        hooks = DaemonHooks(lambda: None, damaged, lambda: None, spoken=lambda: self.spoken)
        self.installs = Installs(
            self.home, self.installer, lambda: self.candidates, hooks, self.clock,
            may_restart=False, zone=lambda _now: UTC,
        )  # fmt: skip
        return self.installs

    def offer(self, version: str, file: KeptPayload, install: Install, *detect: Check, **fields: Any) -> None:
        """Roll out this version, instead of what was."""
        made = replace(manifest(version, install, *detect), **fields)
        payload = replace(made.payloads[0], sha256=file.sha256, file_name=file.file.name)
        self.candidates[:] = [Candidate(replace(made, payloads=[payload]), 1, payload, str(file.file))]

    async def settle(self) -> InstallRecord:
        """Let the loop do what is due now; return what has become of the patch."""
        for _ in range(30):
            if await self.installs.step() > 0:
                record = self.installs.journal.record(self.candidates[0].ref)
                assert record is not None
                return record
        raise AssertionError(f"it does not come to rest: {self.said()}")

    async def later(self, minutes: float) -> InstallRecord:
        """Settle again after some time."""
        self.clock.wall += minutes * 60
        return await self.settle()

    async def restarted(self) -> InstallRecord:
        """Restart the PC, and settle."""
        self.boot += 1
        await self.start().load()
        return await self.later(1)

    def record(self, version: str) -> InstallRecord:
        """Return what the journal has of a version."""
        found = self.installs.journal.record(PatchRef("acme", version))
        assert found is not None
        return found

    @property
    def row(self) -> PlanRow:
        """What the plan says of the patch."""
        (row,) = self.installs.plan()
        return row

    @property
    def orders(self) -> InstallRequests:
        """What this PC's user can ask."""
        return InstallRequests(self.installs, self.clock)

    def said(self) -> list[str]:
        """Return the history, without the installer's output."""
        return [entry.what for entry in self.installs.journal.history]

    # --- programs that are installed by scripts --------------------------------------------------

    @property
    def program(self) -> Path:
        """A program of the company's; its content is its version."""
        return self.root / "opt" / "program"

    def script(self, body: str) -> KeptPayload:
        """Return a script that finds the program as ``$P``."""
        data = f"P={self.program}\n{body}\n".encode()
        path = self.directory / "script"
        path.write_bytes(data)
        return KeptPayload(path, hashlib.sha256(data).hexdigest(), "")

    def is_program(self, version: str) -> FileCheck:
        """Return the check that the program has this version."""
        return FileCheck(path="/opt/program", sha256=hashlib.sha256(f"{version}\n".encode()).hexdigest())

"""A PC on which p2pdist's own package is upgraded: real dpkg, real daemons, a manager of services like systemd."""

import contextlib
import json
import shlex
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from p2pdist.install.installer import Installer
from p2pdist.install.lifecycle import Journal
from p2pdist.install.loop import DaemonHooks, Installs
from p2pdist.install.plan import Candidate
from p2pdist.install.proven_files import KeptPayload
from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.manifest.recipe import DebInstall
from p2pdist.shared.wire import codec
from tests.helpers.debian_packages import Packages
from tests.helpers.install_place import manifest
from tests.helpers.pki import TestCA
from tests.helpers.service_manager import ServiceManager
from tests.helpers.sources import ROOT

UNIT = "p2pdist"
WITHIN_SECONDS = 60.0  # each takes a few; a machine may be busy
POLL_SECONDS = 0.05


class UpgradedPc:
    """One PC with p2pdist 1.0, installed by p2pdist; its package stops and starts the daemon."""

    def __init__(self, directory: Path, *, systemd: bool = True, own: bool = True) -> None:
        self.directory = directory
        self.own = own
        self.systemd = systemd
        self.network = directory / "network"
        self.network.touch()
        self.ran = directory / "ran"
        self.server: dict[str, Any] | None = None
        self.manager = ServiceManager(directory, control_group=systemd)
        self.packages = Packages(directory)
        (directory / "root/var/lib/dpkg/updates").mkdir(parents=True)

    def build(self, version: str, more: str = "") -> KeptPayload:
        """Return the package of a version; its postinst restarts the daemon, and does ``more`` before."""
        client = shlex.join(self.manager.client(f"restart={UNIT}"))
        mark = f'echo "$1 {version}" >> {self.ran}'
        return self.packages.build(version, name="p2pdist", postinst=f"{mark}\n{more}\n{client}")

    async def install_first(self, version: str = "1.0") -> None:
        """Have a version installed as any other package: the daemon does not run yet."""
        package = self.build(version)
        made = manifest(version, DebInstall(package="p2pdist", timeout_seconds=60))
        payload = replace(made.payloads[0], sha256=package.sha256, file_name=package.file.name)
        candidate = Candidate(replace(made, payloads=[payload]), 1, payload, str(package.file))

        async def damaged(_torrent_hash: str) -> None:
            raise AssertionError("nothing is damaged")

        installer = Installer(self.directory / "root", self.directory / "scratch", scripts_on_host=True)
        installs = Installs(
            EndpointHome(self.directory / "home"), installer, lambda: [candidate],
            DaemonHooks(lambda: None, damaged, lambda: None), SystemClock(), may_restart=False, zone=lambda _now: UTC,
        )  # fmt: skip
        await installs.load()
        while await installs.step() == 0:
            pass
        assert self.version == version
        self.ran.unlink()

    def offer(self, version: str, package: KeptPayload, number: int = 2) -> None:
        """Roll out a version, and start the daemon."""
        manager = self.manager.client() if self.systemd else []
        offered = {
            "version": version, "file": str(package.file), "sha256": package.sha256, "number": number,
            "own": self.own, "server": self.server, "manager": manager,
        }  # fmt: skip
        (self.directory / "offer.json").write_text(json.dumps(offered))
        daemon = ["/usr/bin/env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.helpers.upgraded_daemon"]
        self.manager.start(UNIT, [*daemon, str(self.directory)])

    @property
    def version(self) -> str:
        """Which version's files are there."""
        return (self.directory / "root/opt/p2pdist/version").read_text().strip()

    @property
    def dpkg_says(self) -> str:
        """Version and state of the package."""
        asked = ["dpkg-query", f"--admindir={self.directory}/root/var/lib/dpkg", "-W", "-f", "${Version} ${Status}"]
        return subprocess.run([*asked, "p2pdist"], check=True, capture_output=True, text=True).stdout

    @property
    def row(self) -> dict[str, Any]:
        """What the daemon that runs last has said of the patch."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            row: dict[str, Any] = json.loads((self.directory / "plan.json").read_text())[0]
            return row
        return {"state": "", "reason": ""}

    @property
    def starts(self) -> list[str]:
        """The versions of the daemons that were started, one after the other."""
        return (self.directory / "starts").read_text().split()

    @property
    def postinsts(self) -> list[str]:
        """What maintainer scripts ran."""
        return self.ran.read_text().splitlines() if self.ran.exists() else []

    @property
    def history(self) -> list[str]:
        """The journal's history."""
        data = EndpointHome(self.directory / "home").installs.read_bytes()
        journal: Journal = codec.decode(data, Journal, max_bytes=1 << 24)
        return [entry.what for entry in journal.history]

    def wait_until(self, holds: Callable[[], bool], what: str, seconds: float = WITHIN_SECONDS) -> None:
        """Wait until something holds."""
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until:
                history = self.history if EndpointHome(self.directory / "home").installs.exists() else []
                raise AssertionError(f"not {what}: {self.row} {self.starts} {self.postinsts} {history}")
            time.sleep(POLL_SECONDS)

    def serve(self) -> None:
        """Let the server answer this PC, whatever its daemon does."""
        authority = TestCA()
        leaf = authority.issue("127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile("w") as pem:
            pem.write(leaf.certificate + leaf.key)
            pem.flush()
            context.load_cert_chain(pem.name)
        listener = socket.create_server(("127.0.0.1", 0))
        self.server = {"address": "127.0.0.1", "port": listener.getsockname()[1], "authority": authority.pem}

        def answer() -> None:
            while True:
                with contextlib.suppress(OSError):
                    connection, _ = listener.accept()
                    context.wrap_socket(connection, server_side=True).close()

        threading.Thread(target=answer, daemon=True).start()  # noqa: TID251 - the other side, not ours

    def close(self) -> None:
        """End everything."""
        self.manager.close()

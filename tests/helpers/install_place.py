"""A root of its own with an installer in it, and what is installed there."""

import hashlib
from pathlib import Path
from typing import Any

from p2pdist.install.installer import Installer
from p2pdist.install.limits import InstallLimits
from p2pdist.install.outcomes import Outcome
from p2pdist.install.proven_files import KeptPayload
from p2pdist.shared.manifest.documents import Manifest, Payload
from p2pdist.shared.manifest.recipe import ArchiveInstall, Check, Install, ScriptInstall

SH = ScriptInstall(interpreter="sh", timeout_seconds=20)
ARCHIVE = ArchiveInstall(directory="/opt/acme")


class Place:
    """A root of its own, and an installer in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.root.mkdir()
        self.limit()

    def limit(self, **limits: Any) -> None:
        """Install with these of `InstallLimits` from now on."""
        self.installer = Installer(self.root, self.directory / "scratch", InstallLimits(**limits), scripts_on_host=True)
        self.detector = self.installer.detector

    def file(self, content: str | bytes, name: str = "payload") -> KeptPayload:
        data = content.encode() if isinstance(content, str) else content
        path = self.directory / name
        path.write_bytes(data)
        return KeptPayload(path, hashlib.sha256(data).hexdigest(), "1")

    async def script(self, body: str, install: ScriptInstall = SH) -> Outcome:
        payload = self.file(body)
        return await self.installer.install(install, "1", payload.file, payload.sha256)

    async def unpack(self, version: str, payload: KeptPayload, install: ArchiveInstall = ARCHIVE) -> Outcome:
        return await self.installer.install(install, version, payload.file, payload.sha256)

    def program(self, body: str) -> str:
        """Put a program into the root; return its path in there."""
        path = self.root / "check"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return "/check"


def manifest(version: str, install: Install | None, *detect: Check) -> Manifest:
    payload = Payload(file_name="acme", length_bytes=1, sha256="a" * 64, torrent_hash="b" * 64)
    return Manifest(
        format=1,
        patch_id="acme",
        version=version,
        title="Acme",
        severity="low",
        cvss=None,
        published_at=0,
        payloads=[payload],
        install=install,
        detect=detect,
    )

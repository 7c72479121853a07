"""Debian packages for tests, built by the real dpkg-deb."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from p2pdist.install.proven_files import KeptPayload

NEEDS_DPKG = [
    pytest.mark.skipif(
        not all(Path("/usr/bin", name).exists() for name in ("dpkg", "dpkg-deb", "dpkg-query")),
        reason="dpkg is missing",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="dpkg installs as root only"),
]


class Packages:
    """Builds packages below a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def build(self, version: str, *, name: str = "acme", **scripts: str) -> KeptPayload:
        """Return the package of this version; ``scripts`` are the bodies of its maintainer scripts."""
        tree = self.directory / f"tree-{name}-{version.replace(':', '_')}"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "opt" / name).mkdir(parents=True)
        (tree / "opt" / name / "version").write_text(f"{version}\n")
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: Test <test@example.com>\nDescription: for a test\n"
        )
        for script, body in scripts.items():
            (tree / "DEBIAN" / script).write_text(f"#!/bin/sh\n{body}\n")
            (tree / "DEBIAN" / script).chmod(0o755)
        file = self.directory / f"{name}_{version.replace(':', '_')}.deb"
        subprocess.run(["dpkg-deb", "-Znone", "--build", tree, file], check=True, capture_output=True)
        return KeptPayload(file, hashlib.sha256(file.read_bytes()).hexdigest(), version)

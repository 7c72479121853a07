"""Installs the programs of the alternatives with Debian's package tool, and starts none of their services."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from bench.lab.namespaces import LabError
from bench.lab.rivals import missing_packages

POLICY = Path("/usr/sbin/policy-rc.d")  # Debian asks it whether an installed service may start
START_NOTHING = "#!/bin/sh\nexit 101\n"
INSTALL_SECONDS = 600.0


def install_missing(console: Console) -> None:
    """Install the packages that are missing. Raises `LabError` where that is not possible."""
    packages = missing_packages()
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise LabError(f"the alternatives need {', '.join(packages)}: install them, or leave them out with --methods")
    console.print(f"installing {', '.join(packages)}; their services stay off")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with services_stay_off():
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", "-qq", *words],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=INSTALL_SECONDS,
            )
            if done.returncode != 0:
                raise LabError(f"apt-get {words[0]} failed: {done.stderr.strip()[-1000:]}")


@contextmanager
def services_stay_off(policy: Path = POLICY) -> Iterator[None]:
    """Keep newly installed services from starting; if the machine has a policy of its own, that one stays."""
    if policy.exists():
        yield
        return
    policy.write_text(START_NOTHING)
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()

"""A minimal Debian below a directory, made once by debootstrap, and copies of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.helpers.sources import ROOT

TOOLS = ("debootstrap", "unshare", "nsenter", "ip", "dpkg-deb")
NEEDS_DEBIAN_ROOT = [
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root makes a root"),
    pytest.mark.skipif(
        any(shutil.which(tool) is None for tool in TOOLS), reason=f"one of these is missing: {', '.join(TOOLS)}"
    ),
]
SUITE = "bookworm"
# what our packages depend on, and a manager of services
INCLUDED = ("adduser", "dbus", "libstdc++6", "python3", "systemd-sysv", "tzdata", "zlib1g")
BASE = ROOT / "build" / f"debian-{SUITE}"
DEBOOTSTRAP_SECONDS = 1_200.0  # takes two minutes; a mirror may be slow


def copy_debian(target: Path) -> Path:
    """Copy the minimal Debian to ``target``, which must not be there. Skips the test where no mirror answers."""
    _make_base()
    subprocess.run(["cp", "-a", "--reflink=auto", str(BASE), str(target)], check=True)
    return target


def _make_base() -> None:
    BASE.parent.mkdir(exist_ok=True)
    with FileLock(f"{BASE}.lock"):
        if BASE.exists():
            return
        made = BASE.with_suffix(".new")
        shutil.rmtree(made, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(INCLUDED)}", SUITE, str(made), *_mirror()]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=DEBOOTSTRAP_SECONDS, check=False)
        if ended.returncode != 0:
            pytest.skip(f"debootstrap has failed: {ended.stdout[-300:]}{ended.stderr[-300:]}")
        for file in (made / "var/cache/apt/archives").glob("*.deb"):
            file.unlink()
        made.rename(BASE)


def _mirror() -> list[str]:
    """Return this machine's own mirror, if apt knows one for the suite."""
    if shutil.which("apt-get") is None:
        return []
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {SUITE}"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()[:1]

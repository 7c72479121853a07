"""The release before this one: built as a wheel from its commit, and installed in an environment of its own.

Once for each commit and Python, below ``build/``. The dependencies are those of the tests' environment, so nothing is
fetched from anywhere.
"""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from filelock import FileLock

from bench.fleet import Place
from tests.helpers.sources import ROOT

PREVIOUS_RELEASE = "0.2.0"
BUILD_SECONDS = 120.0  # takes five; a machine may be busy
GIT_SECONDS = 30.0


def place_of_previous_release(address: str) -> Place:
    """Return a place at which each command is that of the previous release."""
    python = python_of_previous_release()
    # neither PYTHONPATH nor the directory may lead to the present one
    return Place(address, prefix=("/usr/bin/env", "-u", "PYTHONPATH", "-C", str(python.parent), str(python)))


def python_of_previous_release() -> Path:
    """Return the interpreter that imports the previous release. Skips the test where its history is not there."""
    commit = _commit()
    home = ROOT / "build" / f"release-{PREVIOUS_RELEASE}-{commit[:12]}-py{sysconfig.get_python_version()}"
    python, done = home / "bin" / "python", home / "done"
    home.parent.mkdir(exist_ok=True)
    with FileLock(f"{home}.lock"):
        if not done.exists():
            _run("-m", "venv", "--clear", "--without-pip", str(home))
            source, wheels = home / "source", home / "wheels"
            source.mkdir()
            archive = subprocess.run(
                ["git", "archive", commit], cwd=ROOT, check=True, capture_output=True, timeout=GIT_SECONDS
            )
            subprocess.run(["tar", "-x", "-C", str(source)], input=archive.stdout, check=True, timeout=GIT_SECONDS)
            offline = ("--no-index", "--no-deps", "--quiet", "--disable-pip-version-check")
            _run("-m", "pip", "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(wheels), str(source))
            (wheel,) = wheels.iterdir()
            _run("-m", "pip", "--python", str(python), "install", *offline, str(wheel))
            (packages,) = home.glob("lib/python*/site-packages")
            (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
            shutil.rmtree(source)
            shutil.rmtree(wheels)
            done.touch()
    return python


def _commit() -> str:
    """Return the commit of the previous release: the one that says so in its subject."""
    subject = f"^Release {PREVIOUS_RELEASE.replace('.', '[.]')}: "
    found = subprocess.run(
        ["git", "log", "-1", "--format=%H", f"--grep={subject}"],
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=GIT_SECONDS,
    )  # fmt: skip
    if found.returncode or not found.stdout.strip():
        pytest.skip(f"the commit of release {PREVIOUS_RELEASE} is not in this checkout's history")
    return found.stdout.strip()


def _run(*arguments: str) -> None:
    """Run this Python. Raises `AssertionError` with what it printed where it fails."""
    result = subprocess.run(
        [sys.executable, *arguments], check=False, capture_output=True, text=True, timeout=BUILD_SECONDS
    )
    assert result.returncode == 0, result.stdout + result.stderr

"""An environment with one of our programs, complete and movable: what a Debian package has below /opt/p2pdist.

It has no pip and no bytecode (the package's scripts make that), names no place of the machine that built it, and uses
the system's Python.
"""

import csv
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from bench.release.running import run

SYSTEM_PYTHON = "/usr/bin/python3"
LEFT_OUT_DIRECTORIES = ("tests", "_tests", "test_data", "__pycache__")  # of libraries


def make_environment(staging: Path, place: str, *, wheel: Path, requirements: Path, without: Collection[str]) -> None:
    """Install ``requirements``, then ``wheel``, for ``place`` below ``staging``; ``without`` are packages of ours."""
    if place in {"", "/"}:
        raise ValueError("an environment has a place of its own")
    home = staging / place.lstrip("/")
    run([SYSTEM_PYTHON, "-m", "venv", "--without-pip", str(home)], cwd=staging)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(home / "bin/python3")]
    pip += ["install", "--no-compile", "--no-deps", "--only-binary=:all:"]
    run([*pip, "--require-hashes", "--requirement", str(requirements)], cwd=staging, PYTHONPATH="")
    run([*pip, "--no-index", str(wheel)], cwd=staging, PYTHONPATH="")
    (modules,) = home.glob("lib/python3*/site-packages")
    for name in without:
        shutil.rmtree(modules / name)
    _forget_the_builder(home, modules)
    _leave_out(modules)


def _forget_the_builder(home: Path, modules: Path) -> None:
    configuration = home / "pyvenv.cfg"
    kept = [line for line in configuration.read_text().splitlines() if not line.startswith("command")]
    configuration.write_text("\n".join(kept) + "\n")
    for path in (home / "bin").iterdir():
        if path.name not in {"python", "python3"}:
            path.unlink()
    for name in ("include", "lib64", "share"):  # headers and pages of libraries
        path = home / name
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)
    for info in modules.glob("*.dist-info"):
        for name in ("direct_url.json", "REQUESTED"):
            (info / name).unlink(missing_ok=True)


def _leave_out(modules: Path) -> None:
    """Remove what nobody runs, and make modules of what libraries have as scripts."""
    for directory in [path for name in LEFT_OUT_DIRECTORIES for path in modules.rglob(name)]:
        shutil.rmtree(directory)
    for path in modules.rglob("*"):
        if path.is_dir():
            continue
        path.chmod(0o644)
        if path.suffix in {".py", ".sh"} and (text := path.read_bytes()).startswith(b"#!"):
            path.write_bytes(b"#" + text[2:])
        elif path.name.startswith(".git"):
            path.unlink()
    for record in modules.glob("*.dist-info/RECORD"):
        rows = csv.reader(record.read_text(encoding="utf-8").splitlines())
        here = [row for row in rows if (modules / row[0]).exists()]
        with record.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(here)

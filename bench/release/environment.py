"""An environment with one of our programs, complete and movable: what a Debian package has below /opt/p2pdist.

It has no pip, names no place of the machine that built it, and carries its bytecode, checked against nothing: dpkg
replaces both together. It uses the system's Python.
"""

import csv
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from bench.release.running import run

SYSTEM_PYTHON = "/usr/bin/python3"
_SCRIPT = """#!{python} -I
import sys

from {module} import main

sys.exit(main())
"""
# a file that does not compile is no failure: some libraries still carry one for Python 2
_COMPILE = """
import compileall, py_compile, sys
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
compileall.compile_dir(sys.argv[1], stripdir=sys.argv[2], prependdir="/", quiet=2, invalidation_mode=mode)
"""


def make_environment(
    staging: Path, place: str, *, wheel: Path, requirements: Path, programs: Collection[tuple[str, str]]
) -> None:
    """Install ``requirements``, then ``wheel``, for ``place`` below ``staging``; ``programs`` are names and modules."""
    home = staging / place.lstrip("/")
    run([SYSTEM_PYTHON, "-m", "venv", "--without-pip", str(home)], cwd=staging)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(home / "bin/python3")]
    pip += ["install", "--no-compile", "--no-deps", "--only-binary=:all:"]
    run([*pip, "--require-hashes", "--requirement", str(requirements)], cwd=staging, PYTHONPATH="")
    run([*pip, "--no-index", str(wheel)], cwd=staging, PYTHONPATH="")
    _forget_the_builder(home, place)
    for program, module in programs:
        path = home / "bin" / program
        path.write_text(_SCRIPT.format(python=f"{place}/bin/python3", module=module), encoding="utf-8")
        path.chmod(0o755)
    # in one process, in one order, and without a seed for its sets: else bytecode differs from time to time
    run([SYSTEM_PYTHON, "-c", _COMPILE, str(home / "lib"), str(staging)], cwd=staging, PYTHONHASHSEED="0")


def _forget_the_builder(home: Path, place: str) -> None:
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
    for info in home.glob("lib/python3*/site-packages/*.dist-info"):
        for name in ("direct_url.json", "REQUESTED"):
            (info / name).unlink(missing_ok=True)
        record = info / "RECORD"
        rows = list(csv.reader(record.read_text(encoding="utf-8").splitlines()))
        gone = ("../../../", f"{info.name}/direct_url.json", f"{info.name}/REQUESTED")
        with record.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(row for row in rows if not row[0].startswith(gone))
    if place in {"", "/"}:
        raise ValueError("an environment has a place of its own")

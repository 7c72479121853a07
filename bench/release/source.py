"""A clean copy of the sources, and the wheel that is built of it."""

import os
import shutil
import sys
from pathlib import Path

from bench.release.running import run

ROOT = Path(__file__).parents[2]


def release_time(root: Path = ROOT) -> int:
    """Return the time that all built files bear: ``SOURCE_DATE_EPOCH``, else that of the last commit."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(given) if given else int(run(["git", "log", "-1", "--format=%ct"], cwd=root))


def copy_sources(target: Path, root: Path = ROOT) -> None:
    """Copy what belongs to the project into the new directory ``target``, with the same rights whatever the umask."""
    names = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root).split("\0")
    for name in sorted(filter(None, names)):
        file, copy = root / name, target / name
        if not file.is_file():  # removed, and not yet committed
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        copy.chmod(0o755 if os.access(file, os.X_OK) else 0o644)
    for directory in (target, *(path for path in target.rglob("*") if path.is_dir())):
        directory.chmod(0o755)


def build_wheel(source: Path, target: Path, time: int) -> Path:
    """Build the wheel of the copy ``source`` into the directory ``target``, and return its path."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--wheel-dir", str(target), str(source)]
    before = set(target.glob("*.whl"))
    run(command, cwd=source, SOURCE_DATE_EPOCH=str(time))
    (wheel,) = set(target.glob("*.whl")) - before
    return wheel

"""Gets the packages of a pair with pip and apt-get, and proves that they are those that were measured before."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from bench.delta.pairs import Pair, Release

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "bench" / "delta"
DOWNLOAD_SECONDS = 900.0
SAID_CHARS = 300


class CannotBeHadError(Exception):
    """A pair's file is not to be had here, or is another one. The text says why."""


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256. Blocking."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_of(pair: Pair, kept: Path = KEPT) -> tuple[Path, Path]:
    """Return the former file and the new one, which are downloaded unless they are kept. Raises `CannotBeHadError`."""
    return _file_of(pair, pair.former, kept / "files"), _file_of(pair, pair.new, kept / "files")


def _file_of(pair: Pair, release: Release, folder: Path) -> Path:
    wanted = folder / f"{release.sha256}{pair.suffix}"
    if wanted.exists() and sha256_of(wanted) == release.sha256:
        return wanted
    fresh = folder / "fresh" / release.sha256
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        download(pair, release, fresh)
        found = list(fresh.iterdir())
        if len(found) != 1:
            raise CannotBeHadError(f"{pair.package_of(release)} {release.version} came as {len(found)} files")
        if (sha256 := sha256_of(found[0])) != release.sha256:
            raise CannotBeHadError(f"{found[0].name} is another file than was measured before: SHA-256 {sha256}")
        found[0].replace(wanted)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return wanted


def download(pair: Pair, release: Release, folder: Path) -> None:
    """Let the package's own tool put it into an empty folder. Raises `CannotBeHadError`."""
    command = command_for(pair, release)
    if shutil.which(command[0]) is None:
        raise CannotBeHadError(f"{command[0]} is not installed")
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=DOWNLOAD_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise CannotBeHadError(f"{command[0]} did not end within {DOWNLOAD_SECONDS:.0f} s") from None
    if done.returncode != 0:
        said = done.stderr.strip()[-SAID_CHARS:].replace("\n", " ")
        raise CannotBeHadError(f"{pair.package_of(release)} {release.version}: {said or done.returncode}")


def command_for(pair: Pair, release: Release) -> list[str]:
    """Return the command that puts the package into the current folder."""
    name = pair.package_of(release)
    if pair.kind == "deb":
        return ["apt-get", "-qq", "download", f"{name}={release.version}"]
    return [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--python-version", "3.11", "--only-binary=:all:", f"{name}=={release.version}",
    ]  # fmt: skip

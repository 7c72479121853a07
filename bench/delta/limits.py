"""What a pair needs at least: `zstd -19 --patch-from` with the former version at hand, kept by the files' hashes."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec

from bench.delta.files import KEPT, CannotBeHadError, sha256_of

OPTIONS = ("-19", "--long=31")
"""--long: else a former version of over 128 MB is not looked at as a whole."""


class Limits:
    """The results so far, kept in a file: one takes minutes."""

    def __init__(self, kept: Path = KEPT) -> None:
        self._path = kept / "limits.json"
        self._known: dict[str, int] = msgspec.json.decode(self._path.read_bytes()) if self._path.exists() else {}

    def of(self, former: Path, new: Path) -> int:
        """Return how many bytes the new file takes. Raises `CannotBeHadError` without zstd. Blocking."""
        key = f"{sha256_of(former)} {sha256_of(new)} {' '.join(OPTIONS)}"
        if key not in self._known:
            self._known[key] = patch_bytes(former, new)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(msgspec.json.encode(self._known))
        return self._known[key]


def patch_bytes(former: Path, new: Path) -> int:
    """Return the length of the patch that zstd makes. Raises `CannotBeHadError`. Blocking."""
    program = shutil.which("zstd")
    if program is None:
        raise CannotBeHadError("zstd is not installed: apt-get install zstd")
    with tempfile.TemporaryDirectory(prefix="bench-delta-") as name:
        patch = Path(name) / "patch.zst"
        command = [program, "-q", *OPTIONS, f"--patch-from={former}", str(new), "-o", str(patch)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CannotBeHadError(f"zstd: {done.stderr.strip()}")
        return patch.stat().st_size

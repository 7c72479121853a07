"""What a pair needs at least: `zstd -19 --patch-from` with the former version at hand, kept by the files' hashes."""

import shutil
import tempfile
from pathlib import Path

import msgspec
import trio

from bench.delta.files import KEPT, CannotBeHadError, sha256_of

OPTIONS = ("-19", "--long=31")
"""--long: else a former version of over 128 MB is not looked at as a whole."""


class Limits:
    """The results so far, kept in a file: one takes minutes."""

    def __init__(self, kept: Path = KEPT) -> None:
        self._path = kept / "limits.json"
        self._known: dict[str, int] = msgspec.json.decode(self._path.read_bytes()) if self._path.exists() else {}

    async def of(self, former: Path, new: Path) -> int:
        """Return how many bytes the new file takes. Raises `CannotBeHadError` without zstd."""
        hashes = [await trio.to_thread.run_sync(sha256_of, path) for path in (former, new)]
        key = " ".join([*hashes, *OPTIONS])
        if key not in self._known:
            self._known[key] = await patch_bytes(former, new)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(msgspec.json.encode(self._known))
        return self._known[key]


async def patch_bytes(former: Path, new: Path) -> int:
    """Return the length of the patch that zstd makes. Raises `CannotBeHadError`."""
    program = shutil.which("zstd")
    if program is None:
        raise CannotBeHadError("zstd is not installed: apt-get install zstd")
    with tempfile.TemporaryDirectory(prefix="bench-delta-") as name:
        patch = Path(name) / "patch.zst"
        command = [program, "-q", *OPTIONS, f"--patch-from={former}", str(new), "-o", str(patch)]
        done = await trio.run_process(command, capture_stderr=True, check=False)
        if done.returncode != 0:
            raise CannotBeHadError(f"zstd: {done.stderr.decode(errors='replace').strip()}")
        return patch.stat().st_size

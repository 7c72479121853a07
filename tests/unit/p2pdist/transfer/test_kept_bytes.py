"""`p2pdist.transfer.kept_bytes`: how often the directory is listed. What is taken: `tests/swarm/test_transfers.py`."""

from pathlib import Path

import pytest
import trio
import trio.testing

from p2pdist.transfer.kept_bytes import LISTED_SECONDS, KeptBytes
from tests.helpers.patch_views import transfer


async def test_the_directory_is_listed_once_for_all_that_begin_within_a_second(
    tmp_path: Path, mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, cache = tmp_path / "kept", tmp_path / "cache"
    cache.mkdir()
    lists: list[str] = []
    real = Path.glob

    def glob(self: Path, pattern: str) -> object:
        lists.append(pattern)
        return real(self, pattern)

    monkeypatch.setattr(Path, "glob", glob)
    async with trio.open_nursery() as nursery:
        kept_bytes = KeptBytes(kept, cache, nursery, None)
        assert [kept_bytes.looking(transfer(n)) for n in range(500)] == [False] * 500
        assert len(lists) == 1
        (kept / "acme" / "1").mkdir(parents=True)
        (kept / "acme" / "1" / "file").write_bytes(b"x")
        mock_clock.jump(LISTED_SECONDS)
        assert kept_bytes.looking(transfer(500)), "what has been kept since is found"
        assert len(lists) == 2

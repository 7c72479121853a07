import random
import shutil
from pathlib import Path

import pytest

from bench.delta.files import CannotBeHadError
from bench.delta.limits import Limits, patch_bytes

needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    data = random.Random(1).randbytes(200_000)
    former, new = tmp_path / "former", tmp_path / "new"
    former.write_bytes(data)
    new.write_bytes(data[:50_000] + b"something else" + data[50_000:])
    return former, new


@needs_zstd
async def test_a_patch_has_what_is_new_alone(pair: tuple[Path, Path]) -> None:
    former, new = pair
    assert await patch_bytes(former, new) < 200
    assert await patch_bytes(new, former) < 200


@needs_zstd
async def test_it_is_computed_once(pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await Limits(tmp_path / "kept").of(*pair)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await Limits(tmp_path / "kept").of(*pair) == found
    with pytest.raises(CannotBeHadError, match="zstd is not installed"):
        await Limits(tmp_path / "kept").of(pair[1], pair[0])


@needs_zstd
async def test_what_zstd_says_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotBeHadError, match="zstd"):
        await patch_bytes(tmp_path / "none", tmp_path / "neither")

"""`p2pdist.shared.named_memory`: in memory where the system can, else a private file that goes."""

import os
from pathlib import Path

import pytest

from p2pdist.shared.named_memory import named_memory

DATA = b"a key"


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="memory files are Linux's")
def test_memory_has_a_name_and_no_file(tmp_path: Path) -> None:
    with named_memory(DATA, directory=tmp_path, prefix="x-") as name:
        assert Path(name).read_bytes() == DATA
        assert list(tmp_path.iterdir()) == []
    assert not Path(name).exists()


def test_elsewhere_it_is_a_file_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with named_memory(DATA, directory=tmp_path, prefix="x-") as name:
        assert Path(name).read_bytes() == DATA
        assert Path(name).stat().st_mode & 0o777 == 0o600
        assert [path.name[:2] for path in tmp_path.iterdir()] == ["x-"]
    assert list(tmp_path.iterdir()) == []

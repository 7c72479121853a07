"""`p2pdist.transfer.places`: taking a file back from places, whatever the disk says."""

import errno
from pathlib import Path
from typing import Any, cast

import pytest

from p2pdist.transfer import files
from p2pdist.transfer.places import Places
from p2pdist.transfer.states import Place

PLACE = Place("acme", "1.0", "acme.bin")


def places(directory: Path) -> Places:
    return Places(directory, cast("Any", None))


async def test_where_nothing_is_no_thread_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "remove_verified", None)
    assert await places(tmp_path).take_back([PLACE]) == []


async def test_a_disk_that_cannot_be_read_is_left_to_whoever_logs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def broken(_path: Path, **_options: object) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    async def remove(path: Path) -> None:
        asked.append(path)

    monkeypatch.setattr(files, "remove_verified", remove)
    monkeypatch.setattr(Path, "stat", broken)
    assert await places(tmp_path).take_back([PLACE]) == []
    assert asked == [tmp_path / "acme" / "1.0" / "acme.bin"]

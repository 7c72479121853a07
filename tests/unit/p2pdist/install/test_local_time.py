"""`p2pdist.install.local_time`: the zone of the clock on the wall."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from p2pdist.install.local_time import zone

NOW = 1_790_000_000.0


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)


def test_zone_is_what_the_system_links_to(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Europe/Oslo")
    assert zone(NOW, link) == ZoneInfo("Europe/Oslo")


def test_variable_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert zone(NOW, tmp_path / "localtime") == ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize("name", ["", "/usr/share/zoneinfo/No/Such", "/usr/share/zoneinfo/../../x"])
def test_without_a_name_the_offset_of_now(tmp_path: Path, name: str) -> None:
    link = tmp_path / "localtime"
    if name:
        link.symlink_to(name)
    at = datetime.fromtimestamp(NOW, UTC)
    assert at.astimezone(zone(NOW, link)).utcoffset() == at.astimezone().utcoffset()

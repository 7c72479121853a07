"""`p2pdist.install.local_time`: the zone of the clock on the wall."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from p2pdist.install.local_time import zone


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)


def test_zone_is_what_the_system_links_to(tmp_path: Path) -> None:
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/Europe/Oslo")
    assert zone(link) == ZoneInfo("Europe/Oslo")


def test_variable_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert zone(tmp_path / "localtime") == ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize("name", ["", "/usr/share/zoneinfo/No/Such", "/usr/share/zoneinfo/../../x"])
def test_without_a_name_the_offset_of_today(tmp_path: Path, name: str) -> None:
    link = tmp_path / "localtime"
    if name:
        link.symlink_to(name)
    assert datetime.now(zone(link)).utcoffset() == datetime.now(UTC).astimezone().utcoffset()

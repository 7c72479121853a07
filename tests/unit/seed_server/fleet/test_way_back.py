"""`seed_server.fleet.way_back`; from what is in the database: `test_rolling_back`."""

from pathlib import Path

from seed_server.fleet.context import Context
from seed_server.fleet.way_back import BackWord, GoneBack, known_ways_back, way_back
from seed_server.settings.home import ServerHome
from tests.helpers.fake_clock import FakeClock


def test_pcs_are_told_apart_by_what_they_say() -> None:
    said = [
        ("rolled_back", "recalled: loses data; and time", 7),
        ("rolled_back", "not healthy", 1),
        ("installed", "recalled: loses data; and time", 2),
        ("installed", "recalled: loses data; and time; it was here already", 1),
        ("failed", "recalled: loses data; and time; not rolled back: exit code 1", 3),
        ("not_applicable", "recalled: loses data; and time", 5),
        ("restart_pending", "", 1),
    ]
    words = [BackWord(install, text, True) for install, text, count in said for _ in range(count)]
    words += [BackWord("installed", "", False), BackWord("rolled_back", "recalled: loses data", False)]
    told = {"not rolled back: exit code 1": 3, "it was here already": 1}
    assert way_back(words, ["loses data; and time", "loses data"]) == GoneBack(8, 3, 1, told)


def test_who_only_looks_is_shown_the_rest_where_it_cannot_be_read(tmp_path: Path) -> None:
    assert known_ways_back(Context(ServerHome(tmp_path / "none"), FakeClock(0.0))) == {}

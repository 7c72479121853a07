"""`seed_server.fleet.way_back`; from what is in the database: `test_rolling_back`."""

from seed_server.fleet.way_back import BackWord, GoneBack, way_back


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

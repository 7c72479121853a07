"""`seed_server.fleet.way_back`."""

from seed_server.fleet.way_back import GoneBack, way_back


def test_pcs_are_told_apart_by_what_they_say() -> None:
    words = [
        ("rolled_back", "recalled: loses data; and time", 7),
        ("installed", "recalled: loses data; and time", 2),
        ("installed", "recalled: loses data; and time; it was here already", 1),
        ("failed", "recalled: loses data; and time; not rolled back: exit code 1", 3),
        ("not_applicable", "recalled: loses data; and time", 5),
    ]
    told = {"it was here already": 1, "not rolled back: exit code 1": 3}
    assert way_back(words, ["loses data; and time", "loses data"]) == GoneBack(7, 2, told)

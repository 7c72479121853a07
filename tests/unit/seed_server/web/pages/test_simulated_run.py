from xml.etree import ElementTree as ET

from p2pdist.shared.language import speaking
from seed_server.web.pages.simulated_run import ShownPassing, ShownRun, ShownSecond, run_picture


def run(seconds: list[ShownSecond]) -> ShownRun:
    passing = ShownPassing("2027-01-15T20:00:00+09:00", "2027-01-16T06:00:00+09:00", 72, 4, None)
    return ShownRun("2027-01-15T10:00:00+09:00", 1.0, 0.5, None, passing, [], {}, seconds)


def test_rates_and_waits_are_drawn_second_by_second() -> None:
    seconds = [ShownSecond(number, 250_000, 1_000_000, 500_000, 0.25, "x") for number in range(20)]
    picture = ET.fromstring(run_picture(run(seconds), "The run", "office"))
    words = list(picture.itertext())
    for expected in ("The run", "office", "business", "patches", "allowed", "Mbit/s", "ms", "20", "8"):
        assert any(expected in word for word in words), expected


def test_what_no_limiter_allowed_is_a_gap() -> None:
    seconds = [ShownSecond(0, 0, 0, None, 0.0, None), ShownSecond(1, 0, 0, 125_000, 0.0, None)]
    assert run_picture(run(seconds), "t", "s").startswith("<svg ")
    assert run_picture(run([]), "t", "s").startswith("<svg ")


def test_a_picture_is_in_the_reader_s_language() -> None:
    seconds = [ShownSecond(0, 1, 1, 1, 0.1, None)]
    with speaking("ja"):
        shown = run_picture(run(seconds), "", "")
    assert "Mbit/s" in shown

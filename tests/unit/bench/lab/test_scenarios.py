import dataclasses
from collections import Counter
from pathlib import Path

from bench.lab.lab_fleet import site_map
from bench.lab.random_lines import LINES, random_lines
from bench.lab.rivals import RIVALS
from bench.lab.scenario import OURS, Scenario
from bench.lab.scenarios import all_scenarios
from bench.lab.topology import Branch, Host, Lab, LabShape
from bench.lab.usual_lines import USUAL
from bench.lab.wan_link import WanLine

ALL = all_scenarios(tuple(RIVALS), "0.1.0")
RELEASES = [f"0.{number}.0" for number in range(50)]


def test_no_two_scenarios_have_the_same_key() -> None:
    assert max(Counter(each.key for each in ALL).values()) == 1


def test_about_half_of_our_runs_are_on_lines_that_nobody_configured() -> None:
    runs = Counter[bool]()
    for each in ALL:
        if each.method == OURS:
            runs[each.configured] += each.repeats
    assert 0.45 <= runs[False] / runs.total() <= 0.55


def test_groups_can_be_chosen() -> None:
    assert {each.group for each in all_scenarios(("curl",), "x", ["real"])} == {"real"}
    assert len(all_scenarios(("curl",), "x", ["random"])) == 2 * LINES


def test_a_fingerprint_is_of_what_is_measured() -> None:
    scenario = Scenario("x", USUAL, 1000)
    assert dataclasses.replace(scenario, repeats=5).fingerprint == scenario.fingerprint
    for change in ({"file_bytes": 1001}, {"configured": False}, {"line": dataclasses.replace(USUAL, up=USUAL.down)}):
        changed = dataclasses.replace(scenario, **change)
        assert (changed.fingerprint == scenario.fingerprint) == (changed == scenario)
    assert scenario.fingerprint == "3f8a72f53861", "the same on every machine"


def test_a_seed_draws_the_same_lines_again_and_another_seed_others() -> None:
    assert random_lines("0.1.0") == random_lines("0.1.0")
    assert random_lines("0.1.0") != random_lines("0.2.0")


def test_random_lines_are_within_their_bounds_and_half_of_them_lose_nothing() -> None:
    for seed in RELEASES:
        lines = [each.line for each in random_lines(seed)]
        assert len(lines) == LINES
        for line in lines:
            assert 2 <= line.down.rate_mbit <= 200
            assert 1 <= line.up.rate_mbit <= line.down.rate_mbit
            assert 2.5 <= line.down.delay_ms <= 150
            assert 20 <= line.down.buffer_ms <= 400
            assert 0 <= line.down.loss <= 0.02
        assert sum(line.down.loss == 0 for line in lines) >= LINES / 2
        assert Counter(line.down.queue for line in lines) == {"fifo": LINES / 2, "fq": LINES / 2}
        rates = sorted(line.down.rate_mbit for line in lines)
        assert rates[0] < 3, "every draw has slow ones"
        assert rates[-1] > 130, "and fast ones"


def test_a_random_line_is_twelve_seconds_of_file_for_every_method() -> None:
    line = random_lines("x")[5]
    ours, curl = line.scenario(), line.scenario("curl")
    assert dataclasses.replace(curl, method=OURS) == ours
    assert ours.file_bytes * 8 / (ours.line.down.rate_mbit * 1e6) == 12
    assert ours.endpoints == 4
    assert random_lines("x")[-1].scenario().endpoints == 2


def test_a_line_that_nobody_configured_is_not_in_the_site_map() -> None:
    class Line(WanLine):
        def __init__(self) -> None:
            pass

    lab = Lab(LabShape((USUAL,), 1), Path(), Host("", ""), [Branch(1, Host("", ""), Line())])
    assert "line_mbit = 20" in site_map(lab)
    assert "line_mbit" not in site_map(lab, configured=False)
    assert 'name = "branch1"' in site_map(lab, configured=False)

from collections import Counter

import pytest

from bandwidth.simulator.building import BUSINESS, SCAVENGERS
from bandwidth.simulator.ours import STEADY_WINDOW
from bench.control.cells import (
    ALONE,
    BUSINESSES,
    IDLE,
    LINES,
    NO_RIVALS,
    OURS,
    OURS_HIDDEN,
    OURS_LEARNED,
    RIVALS,
    SEEDS,
    VIDEO,
    Run,
    Selection,
)
from bench.control.runner import run_key
from bench.control.sources import ROOT, check_imports, source_files


def test_the_whole_matrix_is_about_30_000_runs_and_none_comes_twice() -> None:
    runs = list(Selection().runs())
    assert len(set(runs)) == len(runs)
    by_sender = Counter(run.sender for run in runs if run.cell.business != IDLE and not run.cell.loss)
    learned = by_sender.pop(OURS_LEARNED)
    assert learned == 4 * 5 * 4 * 4 * SEEDS
    assert set(by_sender.values()) == {4 * 5 * 4 * 8 * SEEDS}
    assert set(by_sender) == {ALONE, OURS, OURS_HIDDEN, *RIVALS}
    assert Counter(run.sender for run in runs if run.cell.business == IDLE and not run.cell.loss) == dict.fromkeys(
        (OURS, OURS_LEARNED, *RIVALS), 4 * 5 * 4
    )
    assert 28_000 < len(runs) < 30_000


def test_lines_that_lose_packets_are_measured_with_our_senders_alone() -> None:
    lossy = [run for run in Selection().runs() if run.cell.loss]
    assert {run.sender for run in lossy} == {ALONE, OURS, OURS_HIDDEN, OURS_LEARNED}
    assert {run.scenario.loss for run in lossy} == {0.002, 0.01, 0.03}
    assert min(run.cell.line.down_mbit for run in lossy) == 10
    cells = {run.cell for run in lossy}
    assert len(cells) == 3 * 3 * 2 * 2 * 3
    # what is lost is random, also on an idle line
    assert {cell.seeds for cell in cells} == {SEEDS}
    assert all(str(cell).endswith(f"loss {cell.loss:g} %") for cell in cells)


@pytest.mark.parametrize(
    ("queue", "packets"), [("20 packets", 20), ("1 bdp", 2 * 1e6 / 8 * 0.06 / 1_500), ("250 ms", 41.7)]
)
def test_a_buffer_is_told_in_full_packets(cell, queue: str, packets: float) -> None:
    assert cell("cubic", 60, queue).buffer_packets == pytest.approx(packets, abs=0.05)


def test_every_rival_of_the_simulator_is_in() -> None:
    assert set(RIVALS) == set(SCAVENGERS) - set(NO_RIVALS)
    assert (VIDEO == "video call") == ("video call" in BUSINESS)
    assert VIDEO in BUSINESSES


def test_every_seed_is_done_before_the_next_begins_and_costs_are_mixed() -> None:
    runs = list(Selection().runs())
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)
    first = [run for run in runs if run.seed == 1]
    half = sum(run.cost for run in first[: len(first) // 2]) / sum(run.cost for run in first)
    assert 0.47 < half < 0.53
    assert runs == list(Selection().runs())


def test_business_has_idle_time_before_and_after_it() -> None:
    for run in Selection(seeds=1).runs():
        scenario = run.scenario
        if run.cell.business == IDLE:
            assert scenario.business_from_seconds == scenario.duration_seconds > 60
        else:
            assert scenario.business_from_seconds >= 4
            assert scenario.duration_seconds - scenario.business_until_seconds >= 4


def test_what_our_sender_is_told_is_the_sender(cell) -> None:
    here, idle = cell("web"), cell(IDLE)
    assert here.scenario(OURS, 2).business_visible
    assert {here.scenario(sender, 2).window for sender in (OURS, OURS_HIDDEN, OURS_LEARNED)} == {STEADY_WINDOW}
    assert not here.scenario(OURS_HIDDEN, 2).business_visible
    assert here.scenario(OURS_HIDDEN, 2).capacity_configured
    assert not idle.scenario(OURS_LEARNED, 1).capacity_configured
    assert not here.scenario(OURS_LEARNED, 1).business_visible
    assert here.scenario(ALONE, 2).scavenger == "none"
    assert here.scenario("ledbat", 2).scavenger == "ledbat"


def test_the_up_rate_makes_acknowledgements_late(cell) -> None:
    assert cell("web", rtt_ms=30, line=0).scenario(OURS, 1).rtt_seconds == 0.03 + 78 * 8 / 1e6
    assert LINES[0].up_mbit == 1


def test_a_part_of_the_matrix_knows_that_it_is_one() -> None:
    assert Selection().is_whole
    assert not Selection(seeds=2).is_whole
    assert not Selection(lines=LINES[:1]).is_whole


def test_a_change_of_our_law_repeats_our_runs_alone() -> None:
    law = ROOT / "bandwidth" / "core" / "controller.py"
    ours = ROOT / "bandwidth" / "simulator" / "ours.py"
    for sender in (OURS, OURS_HIDDEN, OURS_LEARNED):
        assert {law, ours} <= set(source_files(sender))
    for sender in (ALONE, *RIVALS):
        assert law not in source_files(sender)
        assert ours not in source_files(sender)


def test_no_rival_needs_our_sender() -> None:
    rivals = ROOT / "bandwidth" / "simulator" / "rivals"
    assert not [path for path in rivals.glob("*.py") if "simulator.ours" in path.read_text()]


def test_a_rivals_run_depends_on_the_rivals_and_business_alone_does_not() -> None:
    rival = ROOT / "bandwidth" / "simulator" / "rivals" / "ledbat.py"
    assert rival in source_files("ledbat")
    assert rival not in source_files(ALONE)
    assert ROOT / "bandwidth" / "simulator" / "link.py" in source_files(ALONE)


def test_every_run_has_a_key_of_its_own() -> None:
    runs = list(Selection(lines=LINES[:1], rtts_ms=(30,), seeds=2).runs())
    assert len({run_key(run) for run in runs}) == len(runs)


def test_the_simulator_here_is_made_of_these_sources() -> None:
    check_imports()


def test_a_run_says_what_it_is(cell) -> None:
    assert str(Run(cell("web"), "ledbat", 3)) == "ledbat beside web: 2/1 Mbit/s, 30 ms, queue 1 bdp, seed 3"

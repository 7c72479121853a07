"""`bandwidth simulate` and `bandwidth compare`: run as a person runs them."""

import json
from pathlib import Path
from xml.etree import ElementTree

from click.testing import CliRunner, Result

from bandwidth.cli import bandwidth


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(bandwidth, arguments)


def test_compare_puts_ours_and_every_rival_on_the_same_line() -> None:
    result = invoke("compare", "--seconds", "30", "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert set(answer["results"]) == {"ours", "cake-autorate", "fixed share", "ledbat", "ledbat++", "tcp-lp"}
    ours = answer["results"]["ours"]
    assert ours["business_keeps"] > answer["results"]["ledbat"]["business_keeps"]
    assert ours["idle_use"] >= 0.95
    assert invoke("compare", "--seconds", "30", "--json").output == result.output, "the same seed, the same numbers"


def test_compare_is_a_table_for_people() -> None:
    result = invoke("compare", "--seconds", "20", "--business", "idle")
    assert result.exit_code == 0
    assert "cake-autorate" in result.output
    assert "idle line" in result.output


def test_simulate_holds_a_profile_to_its_ceiling_and_draws_it(tmp_path: Path) -> None:
    profile = tmp_path / "cap.toml"
    profile.write_text('name = "cap"\ntime_zone = "Europe/Berlin"\n[[limit]]\ncap = "4 Mbit/s"\n')
    picture = tmp_path / "line.svg"
    result = invoke("simulate", str(profile), "--scenario", "idle", "--seconds", "20", "--json", "-o", str(picture))
    assert result.exit_code == 0, result.output
    assert 0.19 <= json.loads(result.output)["idle_use"] <= 0.20, "4 of 20 Mbit/s"
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    table = invoke("simulate", str(profile), "--scenario", "idle", "--seconds", "20")
    assert table.exit_code == 0
    assert "ours, Mbit/s" in table.output


def test_what_cannot_be_simulated_is_named() -> None:
    result = invoke("compare", "--queue", "nonsense")
    assert result.exit_code == 7
    assert "no such queue: 'nonsense'" in result.output
    assert invoke("compare", "--line-mbit", "100000").exit_code == 2
    assert invoke("simulate", "no-such-file").exit_code == 7

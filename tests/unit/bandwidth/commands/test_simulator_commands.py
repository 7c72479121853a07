"""`bandwidth simulate` and `bandwidth compare`: run as a person runs them."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from bandwidth.commands.main import bandwidth


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(bandwidth, arguments, env={"COLUMNS": "80"})


@pytest.mark.uncounted
def test_compare_puts_ours_and_every_rival_on_the_same_line() -> None:
    result = invoke("compare", "--seconds", "30", "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert set(answer["results"]) == {"ours", "cake-autorate", "fixed share", "ledbat", "ledbat++", "tcp-lp"}
    ours = answer["results"]["ours"]
    assert ours["business_keeps"] > answer["results"]["ledbat"]["business_keeps"]
    assert ours["idle_use"] >= 0.95
    assert invoke("compare", "--seconds", "30", "--json").output == result.output, "the same seed, the same numbers"


def test_compare_is_a_table_for_people_and_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "rivals.svg"
    result = invoke("compare", "--seconds", "20", "--business", "voip+web", "-o", str(picture))
    assert result.exit_code == 0
    assert result.output.startswith("The limiter and its rivals beside: voip+web\n20 Mbit/s, 40 ms")
    assert max(map(len, result.output.splitlines()[:-1])) <= 80
    words = list(ElementTree.parse(picture).getroot().itertext())
    for expected in ("ours", "cake-autorate", "rate, Mbit/s", "queue delay, ms", "business alone"):
        assert expected in words
    assert any("calls +" in line and "pages +" in line and "business keeps" in line for line in words)


def test_what_there_was_not_is_not_told_as_a_number() -> None:
    answer = json.loads(invoke("compare", "--seconds", "20", "--scenario", "idle", "--json").output)
    ours = answer["results"]["ours"]
    assert (ours["voip_added_p95_seconds"], ours["page_growth_p50"], ours["yield_seconds"]) == (None, None, None)
    assert ours["yields_missed"] == 0


@pytest.fixture
def cap(tmp_path: Path) -> str:
    profile = tmp_path / "cap.toml"
    profile.write_text(
        'name = "cap"\ntime_zone = "Europe/Berlin"\n[[limit]]\ncap = "4 Mbit/s"\n'
        '[[site]]\nname = "slow"\nline = "5 Mbit/s"\n'
        '[[blackout]]\nname = "rest"\nfrom = "12:00"\nto = "13:00"\nsites = ["slow"]\n'
    )
    return str(profile)


def test_simulate_holds_a_profile_to_its_ceiling_and_draws_it(cap: str, tmp_path: Path) -> None:
    picture = tmp_path / "line.svg"
    result = invoke("simulate", cap, "--scenario", "idle", "--seconds", "20", "--json", "-o", str(picture))
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert 0.19 <= answer["idle_use"] <= 0.20, "4 of 20 Mbit/s"
    assert len(answer["seconds"]) == 20
    second = answer["seconds"][10]
    assert (second["allowed"], second["ceiling"], second["reason"]) == (500_000, 500_000, "policy ceiling")
    assert 0 < second["queue_p95_seconds"] < 0.01
    assert answer["reason_seconds"]["policy ceiling"] > 15
    words = list(ElementTree.parse(picture).getroot().itertext())
    for expected in (
        "patches",
        "allowed by the limiter",
        "profile's ceiling",
        "queue delay, ms (p95 of each second)",
        "why",
    ):
        assert expected in words


def test_simulate_is_a_table_of_rates_queue_and_why_and_what_business_notices(cap: str) -> None:
    result = invoke("simulate", cap, "--scenario", "office", "--seconds", "30", "--every", "10")
    assert result.exit_code == 0
    heads = result.output.splitlines()[3]
    assert heads.split() == ["from", "patches", "business", "allowed", "queue"]
    assert [line.split()[0] for line in result.output.splitlines()[5:8]] == ["0", "10", "20"]
    for expected in ("call delay p99, ms", "web page median, s", "video quality", "time for: policy ceiling"):
        assert expected in result.output


def test_simulate_follows_the_site_s_clock_and_line(cap: str) -> None:
    arguments = ["simulate", cap, "--scenario", "idle", "--seconds", "20", "--site", "slow", "--json"]
    answer = json.loads(invoke(*arguments, "--at", "2026-06-01T11:59:50").output)  # without an offset: Berlin's
    assert answer["at"] == "2026-06-01T11:59:50+02:00"
    assert answer["scenario"]["line_mbit"] == 5
    assert [second["reason"] for second in answer["seconds"][8:12]] == [
        *["policy ceiling"] * 2,
        *["policy forbids sending"] * 2,
    ]
    assert json.loads(invoke(*arguments, "--line", "8 Mbit/s").output)["scenario"]["line_mbit"] == 8


def test_simulated_seconds_are_seconds_where_the_clock_is_put_back(tmp_path: Path) -> None:
    profile = tmp_path / "night.toml"
    profile.write_text('name = "n"\ntime_zone = "Europe/Berlin"\n[[blackout]]\nfrom = "03:00"\nto = "04:00"\n')
    arguments = ["simulate", str(profile), "--scenario", "idle", "--seconds", "20", "--json", "--at"]
    before_the_second_time = json.loads(invoke(*arguments, "2026-10-25T02:59:50+02:00").output)
    assert "policy forbids sending" not in {second["reason"] for second in before_the_second_time["seconds"]}
    after_it = json.loads(invoke(*arguments, "2026-10-25T02:59:50+01:00").output)
    assert after_it["seconds"][12]["reason"] == "policy forbids sending"


def test_a_percent_of_spare_follows_business(tmp_path: Path) -> None:
    profile = tmp_path / "spare.toml"
    profile.write_text('name = "s"\ntime_zone = "UTC"\n[[limit]]\npercent_of_spare = 50\n')
    answer = json.loads(invoke("simulate", str(profile), "--scenario", "download", "--seconds", "30", "--json").output)
    ceilings = [second["ceiling"] for second in answer["seconds"]]
    assert ceilings[4] == 1_250_000, "half of an idle line of 20 Mbit/s"
    assert ceilings[15] < 100_000, "a download leaves nothing"


@pytest.mark.uncounted
def test_a_minimum_rate_and_a_boost_hold_whatever_the_queue_says(tmp_path: Path) -> None:
    profile = tmp_path / "floor.toml"
    profile.write_text(
        'name = "f"\ntime_zone = "UTC"\n[[business_hours]]\nfrom = "08:00"\nto = "18:00"\n'
        '[[limit]]\nmin_rate = "2 Mbit/s"\n[[boost]]\nsince = 2026-06-01T04:00:00\nuntil = 2026-06-01T05:00:00\n'
        'rate = "10 Mbit/s"\n'
    )

    def least(at: str) -> int:
        answer = invoke("simulate", str(profile), "--scenario", "download", "--seconds", "20", "--json", "--at", at)
        return min(int(second["allowed"]) for second in json.loads(answer.output)["seconds"])

    assert least("2026-06-01T10:00") < 10_000
    assert least("2026-06-01T02:00") == 250_000
    assert least("2026-06-01T04:00") == 1_250_000


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["compare", "--queue", "nonsense"], 2, "no such queue: 'nonsense'"),
        (["compare", "--queue", "inf ms"], 2, "no such queue: 'inf ms'"),
        (["compare", "--queue", "-5 ms"], 2, "no such queue: '-5 ms'"),
        (["compare", "--business", "vopi"], 2, "no such business: 'vopi'; the nearest is 'voip'"),
        (["compare", "--business", "cubic+"], 2, "a name is missing"),
        (["compare", "--business", "60 cubic+41 bbr"], 2, "101 flows"),
        (["compare", "--seconds", "nan"], 2, "not a number"),
        (["simulate", "gentle", "--rtt-ms", "nan"], 2, "not a number"),
        (["compare", "--scenario", "offfice"], 2, "'office'"),
        (["compare", "--line-mbit", "100000"], 2, "--line-mbit"),
        (["compare", "--line", "2 Gbit/s"], 7, "cannot be simulated"),
        (["compare", "--line", "20"], 2, "not a rate"),
        (["compare", "--line", "2 Mbit/s", "--line-mbit", "2"], 2, "give one of them"),
        (["compare", "-o", "rivals.gif"], 2, "neither .svg nor .png"),
        (["simulate", "no-such-file"], 7, "office-hours"),
        (["simulate", "gentle", "--at", "noon"], 2, "not a date and time"),
        (["simulate", "gentle", "-o", "/no-such-folder/line.png"], 1, "there is no folder"),
    ],
)
def test_what_cannot_be_simulated_is_named(arguments: list[str], code: int, told: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == code
    assert told in result.output
    assert "Traceback" not in result.output


def test_a_time_that_the_clocks_skip_is_refused(cap: str) -> None:
    result = invoke("simulate", cap, "--at", "2026-03-29T02:30")
    assert result.exit_code == 7
    assert "does not exist in Europe/Berlin" in result.output


def test_simulate_says_how_much_passes_in_a_night_and_when_a_file_is_there() -> None:
    given = ("simulate", "overnight", "--seconds", "20", "--scenario", "idle", "--at", "2026-06-01T10:00")
    text = invoke(*given, "--file-gb", "9").output
    assert "85.5 GB in the night from Mon 2026-06-01 20:00 to Tue 2026-06-02 06:00" in text
    assert "a file of 9.0 GB is there at Mon 2026-06-01 21:05" in text
    answer = json.loads(invoke(*given, "--json").output)["passing"]
    assert (answer["file_bytes"], answer["file_there_at"][:16]) == (4_000_000_000, "2026-06-01T20:30")

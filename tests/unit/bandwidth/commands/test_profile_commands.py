import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from bandwidth.commands.main import bandwidth
from bandwidth.commands.profile_commands import MAX_FILE_BYTES

BRANCHES = """name = "branches"
time_zone = "Europe/Berlin"
[[site]]
name = "leeds"
time_zone = "Europe/London"
line = "20 Mbit/s"
[[limit]]
name = "half"
percent_of_line = 50
[[window]]
name = "small hours"
from = "02:15"
to = "04:00"
cap = "1 Mbit/s"
[[holiday]]
name = "A <Special> Day"
date = 2026-10-21
"""


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(bandwidth, arguments, env={"COLUMNS": "120", "NO_COLOR": "1"})
    assert "Traceback" not in result.output
    assert "\x1b" not in result.output
    return result


@pytest.fixture
def branches(tmp_path: Path) -> str:
    path = tmp_path / "branches.toml"
    path.write_text(BRANCHES)
    return str(path)


@pytest.mark.parametrize("command", [[], ["check"], ["explain"], ["plot"], ["simulate"], ["compare"]])
def test_help_has_examples_and_exit_codes_and_fits_a_terminal(command: list[str]) -> None:
    result = CliRunner().invoke(bandwidth, [*command, "--help"], terminal_width=80)
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert "Exit codes:" in result.output
    assert "..." not in result.output.replace("[ARGS]...", "")  # a cut summary
    assert [line for line in result.output.splitlines() if len(line) > 80] == []


def test_check_tells_good_from_bad(branches: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(BRANCHES.replace("percent_of_line", "percent_of_lime"))
    assert run("check", branches, "gentle", "overnight", "office-hours").exit_code == 0
    result = run("check", branches, str(bad))
    assert result.exit_code == 7
    assert f"{branches}: good" in result.stdout
    assert f"error: {bad}:9: unknown key 'percent_of_lime'" in result.stderr
    assert "'percent_of_line'" in result.stderr


def test_check_as_json(branches: str, tmp_path: Path) -> None:
    result = run("check", branches, str(tmp_path / "missing.toml"), "--json")
    assert result.exit_code == 7
    good, bad = json.loads(result.stdout)
    assert (good["ok"], good["name"], good["sites"]) == (True, "branches", 1)
    assert (bad["ok"], bad["line"]) == (False, None)
    assert "cannot be read" in bad["error"]


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe")
    result = run("check", str(path))
    assert result.exit_code == 7
    assert "not UTF-8" in result.stderr


@pytest.mark.parametrize(
    ("size", "words"),
    [(MAX_FILE_BYTES, "has more than 1000000 characters"), (MAX_FILE_BYTES + 1, "it is over 4194304")],
)
def test_what_is_too_large_for_a_profile_is_told(tmp_path: Path, size: int, words: str) -> None:
    path = tmp_path / "large.toml"
    path.write_bytes(b"#" * size)
    result = run("check", str(path))
    assert result.exit_code == 7
    assert words in result.stderr


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "notepad.toml"
    path.write_text(BRANCHES.replace("\n", "\r\n"), encoding="utf-8-sig", newline="")
    assert run("check", str(path)).exit_code == 0


def test_explain_names_the_winner_and_every_rule(branches: str) -> None:
    result = run("explain", branches, "--at", "2026-06-01T03:00", "--site", "leeds")
    assert result.exit_code == 0
    assert "limit  1 Mbit/s  by window 'small hours'" in result.output
    assert "Mon 2026-06-01 03:00 (UTC+01:00)" in result.output
    assert "half" in result.output
    assert "adaptive" in result.output


def test_explain_as_json(branches: str) -> None:
    result = run("explain", branches, "--at", "2026-06-01T12:00Z", "--site", "leeds", "--json")
    found = json.loads(result.stdout)
    assert (found["rate"], found["floor"], found["blackout"], found["boost"]) == (1_250_000, 0, False, False)
    assert found["rule"] == {"kind": "percent of line", "name": "half", "measure": "percent of line"}
    assert [rule["state"] for rule in found["considered"]] == ["not at this time", "in force", "in force"]


def test_explain_an_hour_that_comes_twice_and_one_that_does_not_come(branches: str) -> None:
    twice = run("explain", branches, "--at", "2026-10-25T02:10", "--json")  # the second reading is in the window
    found = json.loads(twice.stdout)
    assert (found["ambiguous"], found["rate"], found["at"]) == (True, 125_000, "2026-10-25T02:10:00+01:00")
    skipped = run("explain", branches, "--at", "2026-03-29T02:30")
    assert skipped.exit_code == 7
    assert "does not exist in Europe/Berlin" in skipped.stderr


def test_explain_with_every_fact(branches: str) -> None:
    facts = ["--line", "8 Mbit/s", "--spare", "1 Mbit/s", "--network", "vpn", "--remaining-bytes", "36000000"]
    result = run("explain", branches, "--at", "2026-06-01T12:00", *facts, "--deadline", "2026-06-01T22:00", "--json")
    found = json.loads(result.stdout)
    assert (found["rate"], found["floor"]) == (500_000, 1_200)
    lan = run("explain", branches, "--at", "2026-06-01T12:00", "--lan-class", "wifi", "--json")
    assert json.loads(lan.stdout)["rate"] is None


def test_explain_says_what_is_missing_for_a_percentage() -> None:
    assert "a percent of line counts where it is known; here give --line" in run("explain", "gentle").output
    assert "here give --line" not in run("explain", "gentle", "--line", "20 Mbit/s").output


def test_explain_now() -> None:
    assert run("explain", "gentle").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["explain", "FILE", "--site", "leds"], 7, "the nearest is 'leeds'"),
        (["explain", "FILE", "--site", ""], 7, "--site is empty"),
        (["explain", "FILE", "--at", "yesterday"], 2, "not a date and time"),
        (["explain", "FILE", "--line", "20"], 2, "not a rate"),
        (["explain", "FILE", "--deadline", "2026-01-01T00:00"], 2, "--remaining-bytes"),
        (["explain", "missing.toml"], 7, "office-hours"),
        (["plot", "FILE", "-o", "week.jpg"], 2, "neither .svg nor .png"),
        (["plot", "FILE", "-o", "week"], 2, "neither .svg nor .png"),
        (["plot", "FILE", "-o", "/proc/none/week.svg"], 1, "cannot be written"),
        (["plot", "FILE", "--week", "2026-02-30"], 2, "not a day"),
        (["check"], 2, "FILE"),
    ],
)
def test_a_mistake_has_its_exit_code_and_says_what_to_do(
    branches: str, arguments: list[str], code: int, told: str
) -> None:
    result = run(*(branches if argument == "FILE" else argument for argument in arguments))
    assert result.exit_code == code
    assert told in result.stderr


def test_plot_in_the_terminal_and_as_svg(branches: str, tmp_path: Path) -> None:
    picture = tmp_path / "week.svg"
    result = run("plot", branches, "--site", "leeds", "--week", "2026-10-21", "-o", str(picture))
    assert result.exit_code == 0
    assert "Mon 19 Oct 2222111122" in result.output
    assert "Wed 21 Oct" in result.output
    assert "A <Special> Day" in result.output
    assert "comes twice" in result.output  # Sunday, 25 October
    words = "".join(ET.fromstring(picture.read_text()).itertext())
    for expected in ("branches: leeds", "10 Mbit/s", "1 Mbit/s", "Mon 19 Oct", "Sun 25 Oct", "A <Special> D…", "×2"):
        assert expected in words


def test_plot_as_json_has_the_whole_week(branches: str) -> None:
    found = json.loads(run("plot", branches, "--week", "2026-03-29", "--json").stdout)
    assert [day["date"] for day in found["days"]] == [f"2026-03-{day}" for day in range(23, 30)]
    for day in found["days"]:
        assert [run["start_minute"] for run in day["runs"]] == [0, *(run["end_minute"] for run in day["runs"][:-1])]
        assert day["runs"][-1]["end_minute"] == 1440
    assert [(run["start_minute"], run["skipped"]) for run in found["days"][6]["runs"]] == [
        (0, False),
        (120, True),
        (180, False),
        (240, False),
    ]


def test_plot_this_week_without_a_line() -> None:
    result = run("plot", "office-hours")
    assert result.exit_code == 0
    assert "line 100 Mbit/s (assumed: give --line)" in result.output


def test_check_warns_of_a_profile_by_which_nothing_is_ever_sent(tmp_path: Path) -> None:
    file = tmp_path / "stop.toml"
    file.write_text('name = "stop"\ntime_zone = "Europe/Oslo"\n[[stop]]\nname = "all"\n')
    said = CliRunner().invoke(bandwidth, ["check", str(file)])
    assert said.exit_code == 0
    assert "warning: nothing is ever sent to every site: emergency stop 'all' has no end" in said.output
    (answer,) = json.loads(CliRunner().invoke(bandwidth, ["check", str(file), "--json"]).output)
    assert answer["warnings"] == ["nothing is ever sent to every site: emergency stop 'all' has no end"]


def test_a_picture_whose_letters_no_font_has_is_an_svg_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bandwidth.pictures.png._missing_signs", lambda svg: "支" if "支" in svg else "")
    profile = tmp_path / "branches.toml"
    profile.write_text(BRANCHES.replace('"branches"', '"支 branches"'), encoding="utf-8")
    result = run("plot", str(profile), "-o", str(tmp_path / "week.png"))
    assert (result.exit_code, (tmp_path / "week.png").exists()) == (1, False)
    assert "no font here has 支. Write an .svg file" in result.output
    assert run("plot", str(profile), "-o", str(tmp_path / "week.svg")).exit_code == 0

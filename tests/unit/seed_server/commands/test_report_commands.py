"""`seed-server report sla`, `missing`, `follow-up` and `patch`, as people and programs see them."""

import csv
import io
import json
from pathlib import Path
from typing import get_args

import click
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from p2pdist.shared.errors import UserError
from seed_server.commands.main import seed_server
from seed_server.commands.report_commands import FOLLOW_UP_STATES
from seed_server.commands.report_compliance_view import show_compliance
from seed_server.commands.report_levels_view import LevelsOptions, show_levels
from seed_server.commands.report_missing_view import MissingOptions, show_follow_up, show_missing
from seed_server.commands.report_patch_view import show_patch
from seed_server.reporting.documents import MissingDocument, ServiceLevelDocument
from seed_server.reporting.missing_pcs import FollowUp
from tests.helpers.report_company import with_reports
from tests.helpers.rollout_company import ADA, TESTERS, Company

LEVELS = LevelsOptions("", "", 90, False, 7, False, False, None, False)
MISSING = MissingOptions("", "", "", "", 7, 0, "", False, False, None, False)


@pytest.fixture
def reported(company: Company) -> Company:
    return with_reports(company)


def test_options_say_what_the_room_knows() -> None:
    assert tuple(one.value for one in FollowUp) == FOLLOW_UP_STATES
    assert set(FOLLOW_UP_STATES) == set(get_args(get_args(MissingDocument.__annotations__["follow_up"])[0]))


def test_service_levels_in_all_forms(reported: Company, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    show_levels(reported.context, LEVELS)
    shown = capsys.readouterr().out
    assert "1 broken" in shown
    assert "50.0 %" in shown
    show_levels(reported.context, replace(LEVELS, as_json=True))
    document = json.loads(capsys.readouterr().out)
    assert (document["levels"][0]["verdict"], document["fleet"]) == ("broken", 10)
    show_levels(reported.context, replace(LEVELS, as_lines=True))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == document["levels"][0]
    show_levels(reported.context, replace(LEVELS, as_csv=True))
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert list(row) == list(ServiceLevelDocument.__struct_fields__)
    assert (row["missing"], row["verdict"], row["deadline"]) == ("3", "broken", "2027-01-22T08:00Z")
    show_levels(reported.context, replace(LEVELS, page=tmp_path / "levels.html"))
    assert "<svg" not in (tmp_path / "levels.html").read_text()
    assert "Written: " in capsys.readouterr().out
    with pytest.raises(click.UsageError, match="give one of them"):
        show_levels(reported.context, replace(LEVELS, as_csv=True, as_json=True))


def test_no_patch_under_a_rule_is_said(reported: Company, capsys: pytest.CaptureFixture[str]) -> None:
    show_levels(reported.context, replace(LEVELS, days=1))
    assert "No patch is under a rule." in capsys.readouterr().out


def test_missing_pcs_in_all_forms(reported: Company, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    show_missing(reported.context, MISSING)
    shown = capsys.readouterr().out
    assert "an exception holds it back" in shown
    assert "Sato" in shown
    show_missing(reported.context, replace(MISSING, size=1))
    assert "1 of 4 shown" in capsys.readouterr().out
    show_missing(reported.context, replace(MISSING, as_json=True))
    document = json.loads(capsys.readouterr().out)
    assert document["total"] == 4
    show_missing(reported.context, replace(MISSING, as_csv=True))
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["hostname"] for row in rows] == [row["hostname"] for row in document["rows"]]
    show_missing(reported.context, replace(MISSING, as_lines=True))
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == document["rows"]
    show_missing(reported.context, replace(MISSING, page=tmp_path / "missing.html"))
    assert (tmp_path / "missing.html").read_text().count("<tr>") == 4 + 4 + 2
    with pytest.raises(UserError, match="4 rows are too many to print"):
        show_missing(reported.context, replace(MISSING, page=tmp_path / "missing.html"), most_rows=3)
    with pytest.raises(UserError, match="There is no reason 'silen'. Did you mean 'silent'"):
        show_missing(reported.context, replace(MISSING, reason="silen"))


def test_what_the_next_page_is_asked_with(reported: Company) -> None:
    options = replace(MISSING, patch="office", site="osaka", reason="silent", silent_days=3)
    assert options.words() == [
        "seed-server", "report", "missing", "office", "--site", "osaka", "--reason", "silent", "--silent-days", "3",
    ]  # fmt: skip


def test_a_follow_up_is_said_and_taken_back(reported: Company, capsys: pytest.CaptureFixture[str]) -> None:
    show_follow_up(reported.context, ADA, TESTERS[1], "ticket", patch="", note="IT-1", as_json=True)
    printed = capsys.readouterr().out
    document = json.loads(printed[printed.index("{\n") :])  # a test sets no level of the log
    assert (document["follow_up"], document["patches"]) == ("ticket", ["office@1"])
    show_missing(reported.context, MISSING)
    assert "1 of them are followed up." in capsys.readouterr().out
    show_follow_up(reported.context, ADA, TESTERS[1], "told", patch="", note="", as_json=False)
    assert "It ends by itself when the PC has them." in capsys.readouterr().out
    show_follow_up(reported.context, ADA, TESTERS[1], "none", patch="", note="", as_json=False)
    assert "any more" in capsys.readouterr().out


def test_a_patch_in_all_forms(reported: Company, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    show_patch(reported.context, "office", silent_days=7, page=None, as_json=False)
    shown = capsys.readouterr().out
    for part in ("What it is", "Who needs it", "What it did", "What went wrong", "Who decided what", "Store IT"):
        assert part in shown
    show_patch(reported.context, "office", silent_days=7, page=None, as_json=True)
    assert json.loads(capsys.readouterr().out)["done"] == 5
    show_patch(reported.context, "office", silent_days=7, page=tmp_path / "office.html", as_json=False)
    assert "data:image/svg+xml" in (tmp_path / "office.html").read_text()


def test_the_command_line_takes_them(reported: Company) -> None:
    home = ["--home", str(reported.context.home.root)]
    for words in (["sla"], ["missing"], ["patch", "office"], ["follow-up", TESTERS[1], "--state", "told"]):
        result = CliRunner().invoke(seed_server, ["report", *words, *home, "--json"])
        assert result.exception is None, (words, result.exception)
        assert json.loads(result.stdout)


def test_how_much_is_done_by_day(reported: Company, capsys: pytest.CaptureFixture[str]) -> None:
    show_compliance(reported.context, 3, as_json=False)
    words = " ".join(capsys.readouterr().out.split())
    assert "1 patches that are offered, 10 PCs" in words
    assert "2027-01-25 9 5 55.5 % 55.5 % –" in words, "by the rule week; no patch is under the other one"
    show_compliance(reported.context, 3, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert [day["share"] for day in document["days"]] == [0.5556, 0.5556, 0.5556]
    gap = document["gaps"][0]
    assert (gap["patch"], gap["severity"], gap["applicable"], gap["missing"]) == ("office@1", "medium", 9, 4)


def test_whoever_is_asked_about_pcs_can_be_named(reported: Company, capsys: pytest.CaptureFixture[str]) -> None:
    show_missing(reported.context, replace(MISSING, owner="Sato, 06-0000-0000", size=1))
    shown = capsys.readouterr().out
    assert "--owner 'Sato, 06-0000-0000'" in " ".join(shown.split())
    show_missing(reported.context, replace(MISSING, owner="Suzuki", as_json=True))
    assert json.loads(capsys.readouterr().out)["total"] == 0

"""`seed-server site`: what limits a site, and what its line did."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from bandwidth.core.states import Reason
from p2pdist.shared.errors import UserError
from seed_server.commands.main import seed_server
from seed_server.commands.site_history_view import show_history, show_why
from seed_server.fleet.sites import never_sent
from seed_server.store.minute_rows import LineSlot, WatchedSlot, slot_of
from tests.helpers.rollout_company import BEGIN, Company

SLOT = slot_of(BEGIN) - 2
ROW = LineSlot(
    "osaka", SLOT, active=300.0, sent=60_000_000, allowed=3e8, cause=Reason.CEILING.value, cause_seconds=290.0,
    harm_seconds=2.0,
)  # fmt: skip


@pytest.fixture
def sent(company: Company) -> Company:
    company.database.add_line_minutes([ROW], [WatchedSlot(SLOT, 1, 600.0)])
    limit = msgspec.structs.replace(never_sent("osaka"), at=BEGIN - 60, reason=Reason.CEILING.value)
    company.database.save_site_limits([limit])
    return company


def test_people_read_the_sums_and_what_limited_it(sent: Company, capsys: pytest.CaptureFixture[str]) -> None:
    show_history(sent.context, "osaka", 24, as_json=False, file=None)
    said = " ".join(capsys.readouterr().out.split())
    assert "osaka, the last 24 hours: 60.0 MB sent; business suffered for 2.0 s while we sent." in said
    assert "The server ran for 10 m 00 s of it; of the rest, nothing is known." in said
    assert "8 Mbit/s" in said
    assert "policy ceiling" in said


def test_where_nothing_was_sent_it_says_so(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    show_history(company.context, "osaka", 24, as_json=False, file=None)
    assert "Nothing was to be sent there in this time." in capsys.readouterr().out


def test_programs_get_the_same(sent: Company, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    show_history(sent.context, "osaka", 24, as_json=True, file=None)
    document = json.loads(capsys.readouterr().out)
    assert (document["sent_bytes"], document["harm_seconds"], len(document["steps"])) == (60_000_000, 2.0, 144)
    assert document["stretches"][0]["reason"] == "policy ceiling"
    show_history(sent.context, "osaka", 24, as_json=False, file=tmp_path / "line.svg")
    assert (tmp_path / "line.svg").read_text().startswith("<svg")


def test_another_form_than_svg_is_refused(sent: Company, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not end in .svg"):
        show_history(sent.context, "osaka", 24, as_json=False, file=tmp_path / "line.png")
    with pytest.raises(UserError, match="Cannot write"):
        show_history(sent.context, "osaka", 24, as_json=False, file=tmp_path / "nowhere" / "line.svg")


def test_why_is_one_sentence(sent: Company, capsys: pytest.CaptureFixture[str]) -> None:
    show_why(sent.context, "osaka", as_json=False)
    assert capsys.readouterr().out.startswith("The server does not run, so nothing is sent. Last, 1 m ago: policy ceil")
    show_why(sent.context, "osaka", as_json=True)
    assert json.loads(capsys.readouterr().out)["reason"] == "policy ceiling"


def test_the_commands_take_a_site(sent: Company) -> None:
    home = str(sent.context.home.root)
    for words in (["site", "why", "osaka"], ["site", "history", "osaka", "--hours", "168"]):
        done = CliRunner().invoke(seed_server, [*words, "--home", home])
        assert (done.exit_code, done.stderr) == (0, "")
    done = CliRunner().invoke(seed_server, ["site", "why", "oska", "--home", home])
    assert "Did you mean 'osaka'" in str(done.exception)

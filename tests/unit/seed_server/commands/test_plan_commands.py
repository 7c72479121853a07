"""`seed-server plan`, as people run it."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.commands.main import seed_server
from seed_server.reporting.plan_answers import keep_plan
from seed_server.reporting.plan_sentences import PLAN_HEADINGS
from tests.helpers.rollout_company import OTHERS, Company


def run(company: Company, *words: str) -> Result:
    return CliRunner().invoke(
        seed_server, ["plan", *words, "--home", str(company.context.home.root)], catch_exceptions=True
    )


@pytest.fixture(autouse=True)
def today(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands' clock be that of the company."""
    monkeypatch.setattr("p2pdist.shared.clock.SystemClock.now", lambda _: company.clock.wall)


def test_a_plan_is_a_table_a_document_and_csv(company: Company) -> None:
    shown = run(company, "office")
    assert (shown.exit_code, "office@1 to every PC at once" in shown.output) == (0, True), shown.output
    assert "osaka" in shown.output
    assert "not known" in shown.output, "its line"
    document = json.loads(run(company, "office", "--json").output)
    assert [site["site"] for site in document["sites"]] == ["osaka"]
    rows = list(csv.DictReader(run(company, "office", "--csv").output.splitlines()))
    assert (tuple(rows[0]), rows[0]["pcs"], rows[0]["line_known"]) == (PLAN_HEADINGS, "10", "False")


def test_a_plan_by_a_template_from_a_time_on(company: Company) -> None:
    shown = run(company, "office", "--template", "rings", "--from", "2028-01-01T08:00")
    assert (shown.exit_code, "by the rings of rings, from 2028-01-01 08:00 UTC on" in shown.output) == (0, True)
    assert "broad" in shown.output


def test_what_was_planned_is_shown_beside_what_became_of_it(company: Company, tmp_path: Path) -> None:
    kept = company.start()
    company.look()
    keep_plan(company.context, company.database, kept, next(iter(company.repository.manifests())))
    shown = run(company, "office")
    assert "It is not there yet." in shown.output
    company.clock.wall += 600
    company.say(dict.fromkeys([*OTHERS, "pc-test-0", "pc-test-1", "pc-test-2"], "verified"))
    shown = run(company, "office")
    assert "rollout 1: planned on" in shown.output
    assert "the median error is" in shown.output


def test_two_forms_at_once_are_refused(company: Company) -> None:
    assert run(company, "office", "--csv", "--json").exit_code == 2


def test_a_picture_has_the_plan_and_what_became_of_it(company: Company, tmp_path: Path) -> None:
    kept = company.start()
    company.look()
    keep_plan(company.context, company.database, kept, next(iter(company.repository.manifests())))
    file = tmp_path / "office.svg"
    assert run(company, "office", "--picture", str(file)).exit_code == 0
    drawn = file.read_text()
    assert drawn.count("<polyline") == 3
    assert "office@1" in drawn


def test_a_picture_of_another_form_or_in_no_folder_is_refused(company: Company, tmp_path: Path) -> None:
    for name, kind in (("office.png", FaultKind.BAD_INPUT), ("nowhere/office.svg", FaultKind.STORAGE)):
        refused = run(company, "office", "--picture", str(tmp_path / name)).exception
        assert isinstance(refused, UserError)
        assert refused.kind is kind

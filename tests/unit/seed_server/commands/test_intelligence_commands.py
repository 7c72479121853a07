"""`seed-server intelligence` and `priority`: what they print, and how they end."""

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from p2pdist.shared.errors import UserError
from seed_server.commands.main import seed_server
from tests.helpers.intelligence_texts import epss_text, kev_entry, kev_text, written
from tests.helpers.rollout_company import Company
from tests.helpers.weak_company import FIRST, SECOND, publish


def run(company: Company, *words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(seed_server, [*words, "--home", str(company.context.home.root)], env={"COLUMNS": "200"})
    if not isinstance(done.exception, UserError):
        assert done.exit_code == code, done.output
    return done


@pytest.fixture
def files(company: Company, tmp_path: Path) -> list[str]:
    """Publish a patch; return a catalogue that has its weakness, and scores."""
    publish(company, tmp_path, "acme", FIRST, title="Acme agent")
    entry = kev_entry(FIRST, knownRansomwareCampaignUse="Known", vulnerabilityName="Acme \x1b[2JAgent")
    kev = written(tmp_path / "kev.json", kev_text([entry, SECOND], day="2025-06-01"))
    return [
        str(kev),
        str(written(tmp_path / "epss.gz", epss_text({FIRST: (0.5, 0.99)}, day="2025-06-02"), packed=True)),
    ]


def test_an_import_says_what_it_has_brought_and_what_it_has_moved(company: Company, files: list[str]) -> None:
    shown = run(company, "intelligence", "import", *files).output
    assert "KEV of 2025-06-01: 2 CVEs; 2 new, 0 gone." in shown
    assert "EPSS of 2025-06-02: 1 CVEs; 1 new, 0 gone." in shown
    assert f"More urgent now: acme@1 has the priority Out-of-cycle: {FIRST} is exploited" in shown
    assert "Every PC is offered it." in shown
    assert "→ seed-server status acme@1" in shown
    again = run(company, "intelligence", "import", *files).output
    assert "2 CVEs; 0 new, 0 gone." in again
    assert "Before, it was that of 2025-06-01." in again
    assert "No open patch has another priority by it." in again


def test_documents_have_the_same(company: Company, files: list[str]) -> None:
    done = json.loads(run(company, "intelligence", "import", *files, "--json").stdout)
    assert [(one["kind"], one["rows"], one["new"], one["before_dated_at"]) for one in done["files"]] == [
        ("kev", 2, 2, None),
        ("epss", 1, 1, None),
    ]
    assert [(one["patch"], one["before"], one["after"]) for one in done["moved"]] == [
        ("acme@1", "scheduled", "out-of-cycle")
    ]
    state = json.loads(run(company, "intelligence", "show", "--json").stdout)
    assert [(one["kind"], one["imported_by"].startswith("local:")) for one in state["sources"]] == [
        ("kev", True),
        ("epss", True),
    ]
    cve = json.loads(run(company, "intelligence", "show", FIRST, "--json").stdout)
    assert (cve["exploited"]["ransomware"], cve["exploited"]["name"]) == (True, "Acme ?[2JAgent")
    assert (cve["score"], cve["patches"]) == ({"probability": 0.5, "percentile": 0.99}, ["acme@1"])
    answer = json.loads(run(company, "priority", "acme", "--json").stdout)
    (patch,) = answer["patches"]
    assert (patch["priority"], patch["cve"], patch["leaf"]) == (
        "out-of-cycle", FIRST, "active, controlled, likely, high → out-of-cycle",
    )  # fmt: skip
    assert (patch["template"], patch["approvals"], patch["command"]) == ("emergency", 1, "seed-server status acme@1")
    assert [one["source"] for one in patch["inputs"]] == ["kev", "kev", "tags", "tags", "recipe"]


def test_what_is_known_is_shown_with_its_age(company: Company, files: list[str]) -> None:
    nothing = run(company, "intelligence", "show")
    assert "No KEV file was ever imported" in nothing.stderr
    run(company, "intelligence", "import", *files)
    shown = run(company, "intelligence", "show").output
    assert f"2027-01-10 {FIRST} Acme ?[2JAgent" in shown
    one = run(company, "intelligence", "show", FIRST.lower()).output
    assert "It is exploited since 2027-01-10." in one
    assert "Ransomware is known to use it." in one
    assert "CISA wants it mended by 2027-01-31." in one
    assert "within 30 days with 50.00 %; 99.0 % of all CVEs are no more likely." in one
    assert "Patches that mend it: acme@1" in one
    other = run(company, "intelligence", "show", "CVE-2020-0001").output
    assert "CVE-2020-0001 is not known to be exploited." in other
    assert "EPSS has no score for CVE-2020-0001." in other
    assert "No patch that was published here names it." in other


def test_the_list_and_one_of_it(company: Company, files: list[str]) -> None:
    run(company, "intelligence", "import", *files)
    listed = run(company, "priority").stdout
    assert listed.index("acme@1") < listed.index("office@1")
    assert "Out-of-cycle" in listed
    short = run(company, "priority", "acme").stdout
    assert f"acme@1 has the priority Out-of-cycle: {FIRST} is exploited since 2027-01-10, also by ransomware;" in short
    assert "Acme agent" in short
    assert "It goes by the rings" not in short, "every PC is offered it already"
    assert "Place in the table" not in short
    whole = run(company, "priority", "acme", "--why").stdout
    assert "Place in the table: active, controlled, likely, high → out-of-cycle" in whole
    assert "ransomware is known to use it, so attacks on many are likely" in whole
    assert "KEV" in whole


def test_what_is_offered_to_nobody_yet_is_told_its_rings_and_its_command(company: Company, tmp_path: Path) -> None:
    publish(company, tmp_path, "viewer", SECOND, offered=False)
    shown = run(company, "priority", "viewer").stdout
    assert "It goes by the rings of rings, and 1 have to approve that." in shown
    assert "It is offered to nobody yet." in shown
    command = "seed-server rollout start viewer@1 --template rings --reason 'priority Scheduled'"
    assert f"→ {command}" in shown
    started = run(company, *shlex.split(command)[1:])
    assert "Rollout 1 of viewer@1 has begun." in started.stdout
    assert "Rollout 1 offers it by the rings of rings." in run(company, "priority", "viewer").stdout


def test_a_wrong_file_is_refused_with_the_code_for_bad_input(company: Company, tmp_path: Path) -> None:
    done = run(company, "intelligence", "import", str(written(tmp_path / "x", b"hello")))
    assert isinstance(done.exception, UserError) or done.exit_code == 7

"""What people are shown is so: counted as it is, short enough to be read, and with what mends it.

Two hundred PCs and twenty-five patches are fed to the server's store; no PC is run.
"""

import io
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec import json as msgspec_json
from msgspec.structs import replace
from rich.cells import cell_len
from rich.console import Console

from bandwidth.core.quantities import DAY_SECONDS
from bandwidth.core.units import BytesPerSecond
from p2pdist.commands.limiter_view import line_view
from p2pdist.install.lifecycle import HistoryEntry
from p2pdist.local_api.delivery_answers import LineLimit
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.language import use
from p2pdist.status.patches import last_outputs
from p2pdist.status.projections import sentence
from p2pdist.status.reasons import WhyReason
from p2pdist.status.why import Circumstances, detail_of
from seed_server.answers.status_documents import status_document
from seed_server.commands.main import seed_server
from seed_server.fleet.problems import connection_problems, expiry_problems, harm_problems
from seed_server.fleet.standing import StatusQuestion
from seed_server.initialising import initialise
from seed_server.line.site_rate import Line, Policy, SiteRate
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.role_policy import RoleExpiry
from seed_server.store.count_rows import EndpointCounts
from seed_server.store.database import Database
from seed_server.store.rows import HarmPauseRow
from tests.helpers.daemon_answers import LIMITER
from tests.helpers.large_fleet import (
    DELIVERED,
    FAILING,
    FETCHING,
    OLD,
    PATCHES,
    PCS,
    WHY_FAILED,
    WITHDRAWN,
    endpoint_id,
    large_fleet,
)
from tests.helpers.patch_views import file, plan_row
from tests.helpers.stored_fleet import large_screen
from tests.helpers.stored_fleet import shown as shown_screen

MOST_LINES = 30  # a screen


@pytest.fixture(autouse=True)
def _english_again():
    yield
    use("en")


def shown(columns: int = 80, question: StatusQuestion = StatusQuestion(size=PATCHES)) -> list[str]:  # noqa: B008
    return shown_screen(large_screen(question), columns).splitlines()


def of_patch(number: int) -> StatusQuestion:
    return StatusQuestion(patch=f"acme-product-{number:02}")


def row(lines: list[str], number: int) -> list[str]:
    (line,) = [line for line in lines if line.startswith(f"acme-product-{number:02} 2.1 ") and ":" not in line]
    return line.split()


# --- seed-server status: the fleet -----------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ja"])
def test_two_hundred_pcs_and_twenty_five_patches_fit_on_a_screen(language: str) -> None:
    use(language)
    lines = shown(80, StatusQuestion())
    assert len(lines) <= MOST_LINES
    assert max(map(cell_len, lines)) <= 80


def test_what_was_replaced_is_history_and_counted_nowhere() -> None:
    lines = shown()
    assert not [line for line in lines if line.startswith(f"acme-product-{OLD:02} 1.0 ")]
    assert [line for line in lines if f"acme-product-{OLD:02}@1.0 → 2.1" in line]
    document = status_document(large_fleet())
    (old,) = [patch for patch in document.patches if patch.version == "1.0"]
    assert (old.replaced, old.replaced_by) == (True, "2.1")
    assert sum(patch.replaced for patch in document.patches) == 1


def test_every_pc_is_counted_also_those_that_are_off_or_never_reported() -> None:
    for patch in status_document(large_fleet()).patches:
        counts = msgspec_json.decode(msgspec_json.encode(patch.reached))
        assert counts.pop("endpoints") == PCS - 1, "the denied one counts nowhere"
        assert sum(counts.values()) == PCS - 1
        assert counts["silent"] == 10, "as many were never seen"
    fetching = next(p for p in status_document(large_fleet()).patches if p.id == f"acme-product-{FETCHING}")
    assert (fetching.reached.away, fetching.reached.under_way) == (9, 165)
    assert row(shown(), FETCHING)[2:] == ["–", "–", "165", "–", "9", "10", "15", "?"]


def test_what_was_only_delivered_is_not_called_installed() -> None:
    assert row(shown(), DELIVERED)[2:4] == ["–", "174"]
    (line,) = [line for line in shown(200, of_patch(DELIVERED)) if " 99.9 MB: " in line]
    assert "installed" not in line
    assert "verified on 174 of 199 endpoints" in line


def test_a_patch_that_is_not_for_a_pc_has_one_line_for_all_of_them() -> None:
    lines = shown(80, of_patch(FAILING))
    said = " ".join(" ".join(lines).split())
    assert "15 PCs (pc-013, pc-026, pc-039, pc-052, …) not applicable: no variant for windows" in said
    assert "not applicable: not applicable" not in said
    assert said.count("no variant") == 1


def test_pcs_that_failed_for_one_reason_share_a_line_and_come_first() -> None:
    said = " ".join(" ".join(shown()).split())
    assert f"acme-product-{FAILING:02} 2.1: 11 PCs (pc-017, pc-034, pc-051, pc-068, …) failed: {WHY_FAILED}" in said
    assert f"acme-product-{WITHDRAWN:02} 2.1: withdrawn: crashes on start" in said
    table = [line for line in shown(80, of_patch(FAILING)) if "100%" in line]
    assert ["failed" in line for line in table].index(False) == 11


def test_a_patch_that_was_never_published_is_named(tmp_path: Path) -> None:
    home = _home(tmp_path)
    result = _run(home, "status", "acme")
    assert result.exception is not None
    assert "No patch 'acme' was published here" in str(result.exception)


QUESTIONS = (
    StatusQuestion(), StatusQuestion(size=PATCHES), StatusQuestion(site="leeds"), of_patch(FETCHING), of_patch(FAILING),
    StatusQuestion(patch=f"acme-product-{FETCHING}", lacking=True), StatusQuestion(lacking=True),
    StatusQuestion(state="failed"), StatusQuestion(state="silent", site="osaka"), StatusQuestion(reason="no variant"),
    StatusQuestion(reason="nobody says this"),
)  # fmt: skip


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_every_answer_fits_every_width_and_says_how_it_goes_on(question: StatusQuestion, language: str) -> None:
    use(language)
    screen = large_screen(question)
    for columns in (80, 90, 100, 110, 118, 120, 140, 240):
        text = shown_screen(screen, columns)
        lines = text.splitlines()
        assert max(map(cell_len, lines)) <= columns
        assert len(lines) <= 45
        after = screen.after or (screen.page.after if screen.page else "")
        assert (f"--after {after}" in " ".join(text.split())) == bool(after)


# --- what only the log said ------------------------------------------------------------


def _home(tmp_path: Path) -> ServerHome:
    home = ServerHome(tmp_path / "server")
    initialise(home, ServerSettings(name="hq", address="127.0.35.1"), passphrase=None, now=SystemClock().now())
    return home


def _run(home: ServerHome, *arguments: str) -> Result:
    return CliRunner().invoke(seed_server, [*arguments, "--home", str(home.root)])


@pytest.mark.parametrize("command", ["status", "sites"])
def test_a_broken_site_map_is_said_where_people_look(tmp_path: Path, command: str) -> None:
    home = _home(tmp_path)
    assert "site map" not in _run(home, command).stdout
    home.sites.write_text('[[site]]\nname = "leeds"\nnetworks = ["10.1.0.0/33"]\n')
    said = " ".join(_run(home, command).stdout.split())
    assert "The site map cannot be used; a running server keeps the last good one." in said
    assert "10.1.0.0/33" in said
    assert f"→ correct {home.sites}" in said.replace(" /", "/").replace("correct/", "correct /")
    (problem,) = json.loads(_run(home, command, "--json").stdout)["problems"]
    assert problem["urgent"]


@pytest.mark.parametrize(("language", "place"), [("en", ", line "), ("ja", "（")])
def test_each_mistake_of_a_site_map_has_a_line_of_its_own(tmp_path: Path, language: str, place: str) -> None:
    home = _home(tmp_path)
    home.sites.write_text('[[site]]\nnam = "leeds"\nnetwork = ["10.1.0.0/24"]\n')
    use(language)
    for command in ("status", "sites"):
        said = _run(home, command).stdout
        places = [line.count(f"{home.sites}{place}") for line in said.splitlines()]
        assert sum(places) > 1
        assert max(places) == 1, said
        assert "?/" not in said


@pytest.mark.parametrize(
    ("days", "words", "urgent"),
    [
        (31, None, False),
        (29.5, "expires in 29 days", False),
        (1.5, "expires within two days", False),
        (0, "has expired", True),
        (-400, "has expired", True),
    ],
)
def test_the_first_expiry_is_said_from_thirty_days_before_with_its_command(
    days: float, words: str | None, urgent: bool
) -> None:
    now = 1_000_000.0
    expiries = [RoleExpiry("root", now + 300 * DAY_SECONDS), RoleExpiry("patches", now + days * DAY_SECONDS)]
    found = expiry_problems(expiries, now)
    assert [words in problem.text for problem in found if words] == ([True] if words else [])
    assert [(problem.mend, problem.urgent) for problem in found] == ([("seed-server renew", urgent)] if words else [])


def counts(**changes: object) -> EndpointCounts:
    some = EndpointCounts(
        everyone=5, connected=2, claiming=0, shared=0, allowed=5, allowed_connected=2, refusing=0
    )  # fmt: skip
    return replace(some, **changes)


def test_a_server_that_nobody_reaches_says_so() -> None:
    (problem,) = connection_problems(counts(allowed_connected=0), serving=True)
    assert "No PC is connected (5 enrolled)" in problem.text
    assert connection_problems(counts(allowed_connected=0), serving=False) == [], "then the reason is another"
    assert connection_problems(counts(allowed=0, allowed_connected=0), serving=True) == []
    assert connection_problems(counts(), serving=True) == []


def test_pcs_that_refuse_what_is_signed_here_are_counted_with_their_reason() -> None:
    expired = "The signed metadata of the seed server has expired."
    (problem,) = connection_problems(counts(refusing=1, refusing_host="pc-001", refuses=expired), serving=True)
    assert "(1 of 2 connected)" in problem.text
    assert "pc-001 says: The signed metadata" in problem.text


# --- names that people type ------------------------------------------------------------


def _with_pcs(home: ServerHome, *names: str) -> list[str]:
    ids = [endpoint_id(number) for number in range(len(names))]
    with Database.open(home.database) as database:
        for name, one in zip(names, ids, strict=True):
            database.add_endpoint(one, name, 1.0)
    return ids


def test_deny_takes_a_host_name_or_the_beginning_of_an_id(tmp_path: Path) -> None:
    home = _home(tmp_path)
    one, two, three = _with_pcs(home, "PC-7", "pc-8", "pc-8")
    assert f"PC-7 ({one}) is denied" in _run(home, "deny", "pc-7").stdout
    assert f"pc-8 ({two}) is denied" in _run(home, "deny", two[:8]).stdout
    assert f"PC-7 ({one}) is allowed" in _run(home, "allow", "PC-7").stdout
    both = str(_run(home, "deny", "pc-8").exception)
    assert "names 2 endpoints" in both
    assert two in both
    assert three in both
    for nobody in ("pc-9", "", "%", one[:3]):
        assert "is enrolled here" in str(_run(home, "deny", nobody).exception)


def test_a_pc_that_is_gone_can_be_forgotten(tmp_path: Path) -> None:
    home = _home(tmp_path)
    one, two = _with_pcs(home, "old-laptop", "stolen")
    assert f"old-laptop ({one}) is forgotten." in _run(home, "endpoints", "forget", "old-laptop").stdout
    assert [row["id"] for row in json.loads(_run(home, "endpoints", "--json").stdout)] == [two]
    _run(home, "deny", "stolen")
    assert "stays refused" in str(_run(home, "endpoints", "forget", "stolen").exception)


def test_pcs_that_are_gone_are_forgotten_by_a_rule(tmp_path: Path) -> None:
    home = _home(tmp_path)
    _with_pcs(home, "one", "two")
    shown = _run(home, "endpoints", "forget", "--not-seen-days", "180", "--dry-run").stdout
    assert "never seen" in shown
    assert "2 PCs would be forgotten." in shown
    assert len(json.loads(_run(home, "endpoints", "forget", "--not-seen-days", "180", "--json").stdout)) == 2
    assert "No PC was unseen for so long." in _run(home, "endpoints", "forget", "--not-seen-days", "180").stdout
    for wrong in ([], ["one", "--not-seen-days", "1"], ["one", "--site", "leeds"], ["one", "--even-many"]):
        assert _run(home, "endpoints", "forget", *wrong).exit_code == 2


def test_of_several_names_all_are_pcs_or_nobody_is_forgotten(tmp_path: Path) -> None:
    home = _home(tmp_path)
    _with_pcs(home, "one", "two", "three")
    assert "is enrolled here" in str(_run(home, "endpoints", "forget", "one", "nobody").exception)
    assert "2 PCs are forgotten." in _run(home, "endpoints", "forget", "one", "two", "ONE").stdout
    assert [row["hostname"] for row in json.loads(_run(home, "endpoints", "--json").stdout)] == ["three"]


def test_a_profile_for_a_site_that_nobody_knows_is_a_typing_error(tmp_path: Path) -> None:
    home = _home(tmp_path)
    home.sites.write_text('[[site]]\nname = "leeds"\nnetworks = ["10.1.0.0/16"]\n')
    profile = tmp_path / "office.toml"
    profile.write_text('name = "office"\n[default]\nlimit = "5 Mbit/s"\n')
    result = _run(home, "profile", "set", "leds", str(profile))
    assert "No site 'leds' is known" in str(result.exception)
    assert "Did you mean 'leeds'?" in str(result.exception)
    assert not re.search("in force", result.stdout)


# --- what an installer wrote -----------------------------------------------------------


def test_what_an_installer_wrote_reaches_the_operator() -> None:
    entries = [
        HistoryEntry(at=1.0, patch_id="acme", version="1", decision=1, what="installing"),
        HistoryEntry(at=2.0, patch_id="acme", version="1", decision=1, what="ended", output="old\n"),
        HistoryEntry(at=3.0, patch_id="acme", version="1", decision=2, what="ended", output="Unpacking …\n\nno room\n"),
        HistoryEntry(at=4.0, patch_id="acme", version="1", decision=2, what="rolled back"),
    ]
    outputs = last_outputs(entries)
    assert outputs == {PatchRef("acme", "1"): "Unpacking … | no room"}
    said = "\n".join(shown(80, of_patch(FAILING)))
    assert said.count("its installer wrote: no room") == 1


def test_sites_where_business_suffered_are_named_and_many_of_them_are_urgent() -> None:
    pause = HarmPauseRow("connections of others were slowed down while we sent", 0.0, 900.0, 1, 1)
    assert harm_problems({"leeds": None}, serving=True) == []
    (one,) = harm_problems({"leeds": None, "oslo": pause}, serving=True)
    assert "business suffered at 1 of 2 active sites while we sent (oslo)" in one.text
    (many,) = harm_problems({"leeds": pause, "oslo": pause}, serving=True)
    assert (one.urgent, many.urgent) == (False, True)
    assert harm_problems({"oslo": pause}, serving=False) == []


# --- reasons that held once, and words that were said twice ----------------------------


def test_a_site_under_an_emergency_stop_is_not_said_to_ramp_up() -> None:
    rate = SiteRate(Line(BytesPerSecond(1_000_000)), 0.0)
    assert "learning" in rate.standing(0.0).reason
    rate.set_policy(Policy(ceiling=BytesPerSecond(0), blackout=True, rule="emergency stop 'all'"))
    standing = rate.standing(1.0)
    assert (standing.allowance, standing.reason) == (0, "policy forbids sending: emergency stop 'all'")


def test_a_reason_that_held_when_something_was_sent_last_is_not_said_to_hold() -> None:
    line = LineLimit(
        rate=1_000_000, capacity=None, configured=False, state="ramp", reason="ramping up", seconds={},
        yield_seconds=0.0, current=False,
    )  # fmt: skip
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(line_view(replace(LIMITER, line=line)))
    assert isinstance(console.file, io.StringIO)
    said = " ".join(console.file.getvalue().split())
    assert "nothing is sent to this site now" in said
    assert "it was last ramping up" in said
    assert "8 Mbit/s" not in said


def test_why_a_patch_does_not_apply_is_said_once() -> None:
    row = plan_row(
        PatchRef("acme", "1"), life=None, here=False, not_applicable="not applicable: no variant for windows"
    )
    assert sentence(row) == "it does not apply to this PC: no variant for windows"


@pytest.mark.parametrize(("number", "words"), [(0, "0 neighbours"), (1, "one neighbour"), (2, "2 neighbours")])
def test_one_neighbour_is_not_several(number: int, words: str) -> None:
    view = file("fetching", neighbours=number)
    assert detail_of(WhyReason.WAITING_FOR_LEASE, view, Circumstances()) == f"{words} connected"

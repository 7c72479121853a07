"""`seed-server rollout` and `seed-server exception`, as people run them on a home where a patch is published."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from p2pdist.shared.errors import UserError
from p2pdist.shared.wire.messages import PatchReport
from seed_server.commands.main import seed_server
from seed_server.fleet import rollout_operations
from seed_server.fleet.context import Context
from seed_server.fleet.rollout_engine import RolloutEngine
from seed_server.fleet.shipped_rings import shipped_rings
from seed_server.settings.home import ServerHome

Run = Callable[..., Result]


def refused(result: Result) -> str:
    """Return what a person is told; `main` prints it."""
    assert isinstance(result.exception, UserError)
    return result.exception.message


@pytest.fixture
def run(tmp_path: Path) -> Run:
    home = tmp_path / "home"

    def invoke(*words: str) -> Result:
        where = [] if words[1:2] == ("templates",) else ["--home", str(home)]
        return CliRunner().invoke(seed_server, [*words, *where], catch_exceptions=True)

    assert invoke("init", "--name", "hq", "--address", "127.0.0.1").exit_code == 0
    (tmp_path / "office.msi").write_text("payload")
    return invoke


def test_a_patch_is_published_by_rings_watched_and_stopped(run: Run, tmp_path: Path) -> None:
    with Context(ServerHome(tmp_path / "home")).database() as database:
        database.add_endpoint("pc-1", "pc-1", time.time(), ["test"])
        database.save_facts({"pc-1": {"hostname": "pc-1"}})
    options = ("--patch-id", "office", "--version", "1", "--template", "rings", "--title", "Acme Office")
    published = run("publish", str(tmp_path / "office.msi"), *options)
    assert (published.exit_code, "Rollout 1 of office@1 has begun." in published.output) == (0, True), published.output
    assert "  test: 1 PC\n" in published.output
    (row,) = json.loads(run("rollout", "list", "--json").output)
    assert row["title"] == json.loads(run("rollout", "show", "1", "--json").output)["title"] == "Acme Office"
    assert all("Acme Office" in run("rollout", *words).output for words in (("list",), ("show", "1")))
    assert (row["patch"], row["template"], row["state"], row["rings"]) == ("office@1", "rings", "running", 5)
    shown = json.loads(run("rollout", "show", "1", "--json").output)
    assert [ring["name"] for ring in shown["rings"]] == ["test", "first", "fast", "broad", "last"]
    assert (shown["rings"][0]["waiting"], shown["not_known"]) == (1, 0)
    assert "test" in run("rollout", "show", "1").output
    assert (shown["serving"], shown["fault"]) == (False, "")
    for looked in (("show", "1"), ("why", "1"), ("list",)):
        assert "The server does not run: no ring opens" in " ".join(run("rollout", *looked).output.split())
    assert "is running. Abort it before" in refused(run("rollout", "start", "office", "--template", "rings"))
    halted = run("rollout", "halt", "1", "--reason", "crashes on start")
    assert "Rollout 1 of office@1: halted." in halted.output
    assert "crashes on start" in run("rollout", "why", "1").output
    assert "halted: It was halted at" in run("rollout", "watch", "1").output
    assert "Rollout 1 is halted, so this cannot be done." in refused(run("rollout", "pause", "1", "--reason", "x"))
    assert "somebody else has to approve it" in refused(run("rollout", "approve", "1"))
    assert "running" in run("rollout", "resume", "1").output
    assert "aborted" in run("rollout", "abort", "1", "--reason", "no").output
    assert "office goes by rings. Begin its rollout: seed-server rollout start office@1" in refused(
        run("offer", "office")
    )
    assert "aborted" in run("rollout", "list").output
    assert "The server does not run" not in run("rollout", "list").output


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may act for who called it")
def test_who_approves_is_told_for_what_and_what_it_waits_for_now(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("publish", str(tmp_path / "office.msi"), "--patch-id", "office", "--version", "1", "--template", "rings")
    monkeypatch.setenv("SUDO_USER", "bob")
    said = run("rollout", "approve", "1", "--rings", "2")
    assert "You have approved 2 of its 5 rings." in said.output, (said.output, said.exception)
    assert json.loads(run("rollout", "why", "1", "--json").output)["why"] in said.output


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may act for who called it")
def test_what_waits_for_whom_is_listed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Nothing waits for approval." in run("rollout", "approvals").output
    run("publish", str(tmp_path / "office.msi"), "--patch-id", "office", "--version", "1", "--template", "rings")
    said = " ".join(run("rollout", "approvals").output.split())
    assert "You have started rollout 1 yourself, so somebody else has to approve it. No account here could." in said
    (row,) = json.loads(run("rollout", "approvals", "--json").output)
    assert (row["rollout"], row["ring"], row["approvals"], row["required"], row["mine"]) == (1, "first", 0, 1, False)
    (tmp_path / "password").write_text("a quiet morning in May")
    run("people", "add", "cy", "--role", "approver", "--password-file", str(tmp_path / "password"))
    assert "These could: cy." in " ".join(run("rollout", "approvals").output.split())
    monkeypatch.setenv("SUDO_USER", "bob")
    assert "You can: seed-server rollout approve 1" in " ".join(run("rollout", "approvals").output.split())


def test_an_emergency_by_hand_says_why(run: Run, tmp_path: Path) -> None:
    file, options = str(tmp_path / "office.msi"), ("--patch-id", "office", "--template", "emergency")
    silent = refused(run("publish", file, "--version", "1", *options))
    assert "this one has no CVSS score. Say why with --reason" in silent
    assert "No patches yet" in run("list").output
    said = run("publish", file, "--version", "2", *options, "--reason", "exploited since today")
    assert "Rollout 1 of office@2 has begun." in said.output
    assert json.loads(run("rollout", "show", "1", "--json").output)["note"] == "exploited since today"


def test_what_is_signed_elsewhere_takes_no_template_of_the_command_line(run: Run, tmp_path: Path) -> None:
    options = ("--patch-id", "office", "--version", "1", "--template", "rings")
    prepared = run("publish", str(tmp_path / "office.msi"), *options, "--prepare", str(tmp_path / "bundle"))
    assert (prepared.exit_code, "set it there" in prepared.output) == (2, True)
    finished = run("publish", "--finish", str(tmp_path / "bundle"), "--template", "rings")
    assert (finished.exit_code, "give nothing else with it" in finished.output) == (2, True)


def test_templates_are_listed_and_a_wrong_name_is_met_with_the_nearest(run: Run) -> None:
    listed = run("rollout", "templates").output
    assert "rings: Five rings in a week (test, first, fast, broad, last)" in listed
    assert "all-at-once: Every PC at once (every PC at once)" in listed
    wrong = run("rollout", "start", "office", "--template", "ring")
    assert "There is no template ring. Did you mean rings?" in refused(wrong)


def test_an_exception_is_made_listed_and_ended(run: Run) -> None:
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86_400))
    words = ("--who", '"till" in tags', "--until", day, "--reason", "Christmas trade", "--owner", "Store IT")
    made = run("exception", "add", "--patch", "acme", *words)
    assert made.exit_code == 0, made.output
    (row,) = json.loads(run("exception", "list", "--json").output)
    assert (row["number"], row["patch"], row["owner"], row["ended_at"]) == (1, "acme", "Store IT", None)
    assert "Christmas trade" in run("exception", "list").output
    assert "Exception 1 has ended." in run("exception", "end", "1").output
    assert json.loads(run("exception", "list", "--json").output) == []
    assert "no day" in refused(run("exception", "add", *words[:2], "--until", "soon", *words[4:]))


@pytest.mark.parametrize(("days", "is_taken"), [(-1, False), (0, True), (180, True), (181, False)])
def test_an_exception_s_last_day_is_one_of_today_and_the_next_180(run: Run, days: int, is_taken: bool) -> None:
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * 86_400))
    made = run("exception", "add", "--who", "", "--until", day, "--reason", "demo", "--owner", "Ada")
    if is_taken:
        assert f"Exception 1 holds until {day} 23:59 UTC." in made.output
    else:
        today = time.strftime("%Y-%m-%d", time.gmtime())
        assert f"The last day of an exception is from {today} to " in refused(made)


def test_in_a_narrow_terminal_each_sentence_says_whose_it_is(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
    for reason in ("Christmas trade in all the shops", "A demo for a customer of ours"):
        run("exception", "add", "--who", "", "--until", day, "--reason", reason, "--owner", "Store IT")
    said = run("exception", "list").output
    assert "1: Christmas trade" in said
    assert "2: A demo" in said
    for name in ("office", "word"):
        options = ("--patch-id", name, "--version", "1", "--template", "rings")
        assert run("publish", str(tmp_path / "office.msi"), *options).exit_code == 0
    listed = run("rollout", "list").output
    assert "1: It goes on since" in listed
    assert "2: It goes on since" in listed


def test_an_exception_for_a_patch_that_nobody_has_published_says_so(run: Run, tmp_path: Path) -> None:
    assert run("publish", str(tmp_path / "office.msi"), "--patch-id", "office", "--version", "1").exit_code == 0
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
    words = ("--who", "", "--until", day, "--reason", "demo", "--owner", "Ada")
    for patch, is_known in (("office", True), ("office@1", True), ("ofice", False), ("office@2", False)):
        said = run("exception", "add", "--patch", patch, *words).output
        assert (f"No {patch} is published here yet" in said) is not is_known


def sign_elsewhere(home: Path, bundle: str, *options: str) -> str:
    """Sign a bundle with the offline keys, as another machine that knows the first root does; return what it says."""
    where = ["--keys", str(home / "keys" / "offline"), "--root", str(home / "tuf" / "metadata" / "1.root.json")]
    signed = CliRunner().invoke(seed_server, ["sign", bundle, *where, *options, "--yes"])
    assert signed.exit_code == 0, (signed.output, signed.exception)
    return signed.output


def test_what_was_signed_elsewhere_goes_by_the_rings_of_the_settings(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with (home / "server.toml").open("a") as file:
        file.write('rollout_template = "rings"\n')
    bundle, options = str(tmp_path / "office.bundle"), ("--patch-id", "office", "--version", "1")
    assert run("publish", str(tmp_path / "office.msi"), *options, "--prepare", bundle).exit_code == 0
    sign_elsewhere(home, bundle, "--payload", str(tmp_path / "office.msi"))
    assert "Rollout 1 of office@1 has begun." in run("finish", bundle).output
    assert Context(ServerHome(home)).repository().current_rollouts().entries == []


def test_a_withdrawal_that_was_signed_elsewhere_ends_the_rollout(run: Run, tmp_path: Path) -> None:
    home, bundle = tmp_path / "home", str(tmp_path / "office.bundle")
    options = ("--patch-id", "office", "--version", "1", "--template", "rings")
    assert run("publish", str(tmp_path / "office.msi"), *options).exit_code == 0
    assert run("withdraw", "office", "--reason", "crashes on start", "--prepare", bundle).exit_code == 0
    sign_elsewhere(home, bundle, "--allow-changes")
    assert run("finish", bundle).exit_code == 0
    assert "aborted" in run("rollout", "list").output
    assert Context(ServerHome(home)).repository().current_staged().entries == ()
    assert len(json.loads(run("audit", "list", "--operation", "finish", "--json").output)) == 1


def test_a_ring_goes_back_by_what_another_machine_has_signed_and_all_screens_say_how_far_it_is(
    run: Run, tmp_path: Path
) -> None:
    home, bundle = tmp_path / "home", str(tmp_path / "back.bundle")
    with Context(ServerHome(home)).database() as database:
        for name in ("pc-1", "pc-2"):
            database.add_endpoint(name, name, time.time(), ["test"])
        database.save_facts({name: {"hostname": name} for name in ("pc-1", "pc-2")})
    options = ("--patch-id", "office", "--version", "1", "--template", "rings")
    assert run("publish", str(tmp_path / "office.msi"), *options).exit_code == 0
    report: dict[str, Any] = {
        "patch_id": "office", "version": "1", "state": "verified", "progress": 1.0, "bytes_from_origin": 0,
        "bytes_from_peers": 0, "seconds": 1.0, "bytes_wasted": 0, "error": "", "install": "installed",
    }  # fmt: skip
    with Context(ServerHome(home)).database() as database:
        database.save_reports({name: [PatchReport(**report)] for name in ("pc-1", "pc-2")}, time.time())
    back = ("withdraw", "office", "--reason", "loses data", "--roll-back", "--ring", "test")
    assert run(*back, "--prepare", bundle).exit_code == 0
    assert "went back" not in run("rollout", "show", "1").output, "nothing is in force yet"
    assert "from ring test on, of test (100 % where" in sign_elsewhere(home, bundle, "--allow-changes")
    assert run("finish", bundle).exit_code == 0
    report |= {"state": "waiting", "install": "rolled_back", "install_reason": "recalled: loses data"}
    with Context(ServerHome(home)).database() as database:
        database.save_reports({"pc-1": [PatchReport(**report)]}, time.time())
    words = "1 PCs went back, 0 have still to, 1 are off and had it"
    for screen in (("rollout", "show", "1"), ("status", "office@1"), ("list",)):
        shown = " ".join(run(*screen).output.split())
        assert words in shown, screen
    told = {"went_back": 1, "going_back": 0, "away": 1, "cannot": {}}
    assert json.loads(run("rollout", "show", "1", "--json").output)["back"] == told
    assert json.loads(run("status", "--json").output)["patches"][0]["back"] == told
    assert json.loads(run("list", "--json").output)[0]["back"] == told
    assert "none of them installs office@1 again" in refused(run("rollout", "resume", "1"))
    now = run(*back)
    assert "PCs of these rings go back from office@1" in now.output, (now.output, now.exception)


def setting(tmp_path: Path, line: str) -> None:
    with (tmp_path / "home" / "server.toml").open("a") as file:
        file.write(f"{line}\n")


def test_a_high_cvss_score_starts_the_emergency_rollout_by_itself(run: Run, tmp_path: Path) -> None:
    setting(tmp_path, 'emergency_template = "emergency"\nrollout_template = "rings"')
    file = str(tmp_path / "office.msi")

    def publish(patch_id: str, *options: str) -> str:
        result = run("publish", file, "--patch-id", patch_id, "--version", "1", *options)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    said = publish("worse", "--cvss", "9.0")
    assert "Before ring first opens, somebody else has to approve it (1 in all): seed-server rollout approve 1" in said
    publish("bad", "--cvss", "8.9")
    publish("unknown")
    publish("by-hand", "--cvss", "10", "--template", "rings")
    rows = {row["patch"]: row["template"] for row in json.loads(run("rollout", "list", "--json").output)}
    assert rows == {"worse@1": "emergency", "bad@1": "rings", "unknown@1": "rings", "by-hand@1": "rings"}
    shown = json.loads(run("rollout", "show", "1", "--json").output)
    assert (shown["note"], shown["required_approvals"]) == ("CVSS score of 9 or more", 1)
    assert Context(ServerHome(tmp_path / "home")).repository().current_rollouts().entries == []


def test_a_template_for_emergencies_says_for_which_scores_it_is(run: Run, tmp_path: Path) -> None:
    setting(tmp_path, 'emergency_template = "rings"')
    options = ("--patch-id", "office", "--version", "1")
    assert "does not say for which patches it is" in refused(run("publish", str(tmp_path / "office.msi"), *options))
    assert "No patches yet" in run("list").output


def test_an_emergency_that_cannot_begin_names_the_command_that_begins_it(run: Run, tmp_path: Path) -> None:
    first = ("--patch-id", "first", "--version", "1", "--template", "rings")
    assert run("publish", str(tmp_path / "office.msi"), *first).exit_code == 0
    with Context(ServerHome(tmp_path / "home")).database() as database, database.batch():
        (row,) = database.rollouts()
        for sequence in range(2, rollout_operations.MAX_LIVE_ROLLOUTS + 1):
            database.add_rollout(replace(row, sequence=sequence))
    own = tmp_path / "my own.toml"
    own.write_text(shipped_rings("emergency").replace("9.0", "7.0"))
    setting(tmp_path, f"emergency_template = '{own}'")
    options = ("--patch-id", "office", "--version", "1", "--cvss", "7")
    said = refused(run("publish", str(tmp_path / "office.msi"), *options))
    assert said.endswith(f"Then: seed-server rollout start office@1 --template '{own}'")
    assert "offered to nobody yet" in said


def test_an_emergency_that_was_signed_elsewhere_goes_by_its_score_too(run: Run, tmp_path: Path) -> None:
    home, bundle = tmp_path / "home", str(tmp_path / "office.bundle")
    setting(tmp_path, 'emergency_template = "emergency"')
    options = ("--patch-id", "office", "--version", "1", "--cvss", "9.8")
    assert run("publish", str(tmp_path / "office.msi"), *options, "--prepare", bundle).exit_code == 0
    sign_elsewhere(home, bundle, "--payload", str(tmp_path / "office.msi"))
    assert "Rollout 1 of office@1 has begun." in run("finish", bundle).output
    assert Context(ServerHome(home)).repository().current_rollouts().entries == []


def test_the_list_says_what_why_says_as_far_as_nobody_is_counted(run: Run, tmp_path: Path) -> None:
    context = Context(ServerHome(tmp_path / "home"))
    options = ("--patch-id", "office", "--version", "1", "--template", "rings")
    assert run("publish", str(tmp_path / "office.msi"), *options).exit_code == 0
    with context.database() as database:
        RolloutEngine(context, context.repository(), database).look()
    why = json.loads(run("rollout", "why", "1", "--json").output)["why"]
    assert why.startswith("Ring test is open since")
    assert why in " ".join(run("rollout", "list").output.split())
    (entry,) = json.loads(run("audit", "list", "--operation", "rollout: a ring opens", "--json").output)
    assert entry["reason"] == why

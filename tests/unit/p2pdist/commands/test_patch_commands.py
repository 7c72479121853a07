"""`p2pdist plan`, `history`, `posture`: what people read, in any terminal; and the daemon's answers to orders."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from rich.console import Console, RenderableType

from p2pdist.commands.main import p2pdist
from p2pdist.commands.patch_commands import history_view, plan_view, posture_view
from p2pdist.local_api.install_answers import (
    Accepted,
    Deferred,
    HistoryAnswer,
    HistoryStep,
    PlanAnswer,
    PlanPatch,
    PlanRestart,
    PostureAnswer,
    PosturePatch,
    PostureStatement,
)
from p2pdist.local_api.messages import MAX_CHALLENGE_CHARS, PostureQuestion, Question, Refusal
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import use
from tests.helpers.daemon_answers import enrolled_daemon

ROW = PlanPatch(
    id="acme-office", version="2.1.12345", title="", severity="high", state="waiting", step="to be installed",
    reason="waits for a maintenance window", again_at=1e9, due_at=1.1e9, emergency=False, deferrals_used=0,
    deferrals_allowed=1, restart_needed=True,
)  # fmt: skip
FAILED = PosturePatch(
    id="a", version="1", severity="high", state="rolled_back", reason="", compliant=False, age_seconds=90, due_at=None,
    overdue_seconds=0,
)  # fmt: skip
OVERDUE = replace(FAILED, id="b", state="waiting", due_at=1_000_000_000, overdue_seconds=5)
POSTURE = PostureStatement(
    format=1, endpoint_id="e", hostname="pc", at=1, compliant=False, problem="the catalogue is old",
    patches=[FAILED, OVERDUE],
)  # fmt: skip
STEP = HistoryStep(at=1e9, id="acme", version="1", decision=1, what="installed", output="line 1\nline 2\n")
NOT_HERE = "Nothing is installed on this PC."


def text_of(view: RenderableType, columns: int) -> str:
    console = Console(width=columns, highlight=False)
    with console.capture() as capture:
        console.print(view)
    return capture.get()


def test_titles_are_in_the_language_of_the_screens_and_draw_nothing() -> None:
    row = replace(ROW, title="Acme \x1b[2J\u202eOffice", titles={"ja": "アクメ オフィス"})
    restart = PlanRestart("acme-office", "2", "x", "", None, None, title="Acme", titles={"ja": "アクメ"})
    shown = text_of(plan_view(PlanAnswer("", [row], [restart])), 240)
    assert "Acme ?[2J?Office" in shown
    assert "acme-office 2 (Acme)" in shown
    use("ja")
    try:
        shown = text_of(plan_view(PlanAnswer("", [row], [restart])), 240)
    finally:
        use("en")
    assert "アクメ オフィス" in shown
    assert "acme-office 2 (アクメ)" in shown


@pytest.mark.parametrize(
    ("note", "words"),
    [("", "The deferral of a 1 (Acme) is ended."), ("It is not deferred.", "a 1 (Acme): It is not deferred.")],
)
def test_a_deferral_is_ended(tmp_path: Path, note: str, words: str) -> None:
    answer = Deferred("a", "1", until=1e9, deferrals_left=0, counted=False, note=note, title="Acme")
    with enrolled_daemon(tmp_path, {"defer": msgspec.json.encode(answer)}) as asks:
        ended = CliRunner().invoke(p2pdist, ["defer", "a", "--end", "--home", str(tmp_path)])
    assert ended.output == f"{words}\n"
    assert asks == ['defer {"patch":"a","end":true}']
    both = CliRunner().invoke(p2pdist, ["defer", "a", "--end", "--for", "1h", "--home", str(tmp_path)])
    assert (both.exit_code, "go not together" in both.output) == (2, True)


@pytest.mark.parametrize("columns", [80, 120, 240])
def test_the_plan_has_every_word_in_any_terminal(columns: int) -> None:
    shown = " ".join(text_of(plan_view(PlanAnswer("", [ROW])), columns).split())
    for words in ("acme-office", "2.1.12345", "to be installed", "waits for a maintenance window (until 2001-09-09"):
        assert words in shown
    assert "this PC has to be restarted" in shown


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_state_is_said_once_in_every_language(language: str) -> None:
    delivered = replace(ROW, title="Office", state="delivered", reason="delivered", again_at=None, restart_needed=False)
    use(language)
    try:
        lines = text_of(plan_view(PlanAnswer("", [delivered])), 80).splitlines()
    finally:
        use("en")
    assert "acme-office 2.1.12345 (Office)" in lines


def test_nothing_to_show_is_said() -> None:
    assert "No patches" in text_of(plan_view(PlanAnswer("the disk is full", [])), 80)
    assert "the disk is full" in text_of(plan_view(PlanAnswer("the disk is full", [])), 80)
    assert "Nothing has been done yet" in text_of(history_view(HistoryAnswer([]), with_output=False), 80)


@pytest.mark.parametrize("with_output", [True, False])
def test_history_shows_what_installers_wrote_when_asked(with_output: bool) -> None:
    shown = text_of(history_view(HistoryAnswer([STEP]), with_output=with_output), 100)
    assert ("line 2" in shown) is with_output


def test_posture_says_who_is_overdue_and_who_failed() -> None:
    shown = text_of(posture_view(PostureAnswer(POSTURE, "a.b.c")), 120)
    assert "This PC is not compliant." in shown
    assert "the catalogue is old" in shown
    assert [line.split()[-1] for line in shown.splitlines() if line.startswith(("a ", "b "))] == ["failed", "overdue"]


def asked(tmp_path: Path, answer: msgspec.Struct, *arguments: str) -> tuple[Result, list[str]]:
    """Run a command beside a daemon that has one answer; return how it ended, and what the daemon was asked."""
    command, *rest = arguments
    with enrolled_daemon(tmp_path, {command: msgspec.json.encode(answer)}) as asks:
        return CliRunner().invoke(p2pdist, [command, "--home", str(tmp_path), *rest]), asks


def test_defer_hands_on_the_time_and_says_until_when(tmp_path: Path) -> None:
    result, asks = asked(tmp_path, Deferred("acme", "1", until=1e9, deferrals_left=1), "defer", "acme", "--for", "4h")
    assert asks == ['defer {"patch":"acme","seconds":14400}']
    assert "waits until 2001-09-09" in result.output
    assert "It can be deferred 1 more time." in result.output


def test_defer_without_a_time_leaves_it_to_the_daemon(tmp_path: Path) -> None:
    _, asks = asked(tmp_path, Deferred("acme", "1", until=1e9, deferrals_left=0), "defer", "acme")
    assert asks == ['defer {"patch":"acme"}']


@pytest.mark.parametrize("time", ["4", "h", "4 h", "-4h", "4w", "999999h", "31d"])
def test_times_that_are_none(tmp_path: Path, time: str) -> None:
    result, asks = asked(tmp_path, Question(), "defer", "acme", f"--for={time}")
    assert (result.exit_code, asks) == (2, [])
    assert "is not a duration from 1s to 30d, such as 30m" in result.output


def test_a_pc_that_is_not_compliant_exits_1_and_prints_nothing_but_json(tmp_path: Path) -> None:
    result, _ = asked(tmp_path, PostureAnswer(POSTURE, "a.b.c"), "posture", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)["jws"] == "a.b.c"


@pytest.mark.parametrize("command", [("plan",), ("history",), ("posture",), ("defer", "x"), ("retry", "x")])
def test_a_pc_that_installs_nothing_says_so(tmp_path: Path, command: tuple[str, ...]) -> None:
    result, _ = asked(tmp_path, Refusal(refused=NOT_HERE, kind=FaultKind.REFUSED), *command)
    assert isinstance(result.exception, UserError)
    assert (result.exception.message, result.exception.kind) == (NOT_HERE, FaultKind.REFUSED)


@pytest.mark.parametrize("command", ["rollback", "retry"])
def test_orders_name_the_patch(tmp_path: Path, command: str) -> None:
    result, asks = asked(tmp_path, Accepted("acme", "1"), command, "acme@1")
    assert asks == [f'{command} {{"patch":"acme@1"}}']
    assert result.output.startswith("acme 1 ")


LONGEST = '"' * MAX_CHALLENGE_CHARS


@pytest.mark.parametrize(
    ("options", "question"),
    [
        ((), {}),
        (("--nonce", "5f0c", "--audience", "vpn:1"), {"nonce": "5f0c", "audience": "vpn:1"}),
        ((f"--nonce={LONGEST}", f"--audience={LONGEST}"), {"nonce": LONGEST, "audience": LONGEST}),
    ],
)
def test_posture_hands_on_what_the_statement_has_to_carry(
    tmp_path: Path, options: tuple[str, ...], question: dict[str, str]
) -> None:
    _, (asks,) = asked(tmp_path, PostureAnswer(POSTURE, "a.b.c"), "posture", *options)
    assert json.loads(asks.removeprefix("posture ")) == question


@pytest.mark.parametrize("option", ["--nonce", "--audience"])
@pytest.mark.parametrize("value", ["a b", "x" * (MAX_CHALLENGE_CHARS + 1), "ä", "a\n", "\x1b[0m"])
def test_a_nonce_or_audience_is_printable_and_short(tmp_path: Path, option: str, value: str) -> None:
    result, asks = asked(tmp_path, PostureAnswer(POSTURE, "a.b.c"), "posture", f"{option}={value}")
    assert (result.exit_code, asks) == (2, [])
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({option.strip("-"): value}, PostureQuestion)

"""`p2pdist plan`, `history`, `posture`: what people read, in any terminal; and the daemon's word on orders."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console, RenderableType

from p2pdist.commands import patch_commands
from p2pdist.commands.main import p2pdist
from p2pdist.commands.patch_commands import history_view, plan_view, posture_view
from p2pdist.shared.errors import UserError

ROW = {
    "id": "acme-office", "version": "2.1.12345", "title": "", "severity": "high", "state": "waiting",
    "step": "to be installed", "reason": "waits for a maintenance window", "again_at": 1e9, "due_at": 1.1e9,
    "emergency": False, "deferrals_used": 0, "deferrals_allowed": 1, "restart_needed": True,
}  # fmt: skip
POSTURE = {
    "compliant": False, "problem": "the catalogue is old",
    "patches": [
        {"id": "a", "version": "1", "severity": "high", "state": "rolled_back", "reason": "", "compliant": False,
         "age_seconds": 90, "due_at": None, "overdue_seconds": 0},
        {"id": "b", "version": "1", "severity": "low", "state": "waiting", "reason": "", "compliant": False,
         "age_seconds": 90, "due_at": 1e9, "overdue_seconds": 5},
    ],
}  # fmt: skip


def text_of(view: RenderableType, columns: int) -> str:
    console = Console(width=columns, highlight=False)
    with console.capture() as capture:
        console.print(view)
    return capture.get()


@pytest.mark.parametrize("columns", [80, 120, 240])
def test_the_plan_has_every_word_in_any_terminal(columns: int) -> None:
    shown = " ".join(text_of(plan_view({"problem": "", "patches": [ROW]}, columns), columns).split())
    for words in ("acme-office", "2.1.12345", "to be installed", "waits for a maintenance window (until 2001-09-09"):
        assert words in shown
    assert "this PC has to be restarted" in shown


def test_nothing_to_show_is_said() -> None:
    assert "No patches" in text_of(plan_view({"problem": "the disk is full", "patches": []}), 80)
    assert "the disk is full" in text_of(plan_view({"problem": "the disk is full", "patches": []}), 80)
    assert "Nothing has been done yet" in text_of(history_view({"history": []}, with_output=False), 80)


@pytest.mark.parametrize("with_output", [True, False])
def test_history_shows_what_installers_wrote_when_asked(with_output: bool) -> None:
    entry = {"at": 1e9, "id": "acme", "version": "1", "decision": 1, "what": "installed", "output": "line 1\nline 2\n"}
    shown = text_of(history_view({"history": [entry]}, with_output=with_output), 100)
    assert ("line 2" in shown) is with_output


def test_posture_says_who_is_overdue_and_who_failed() -> None:
    shown = text_of(posture_view({"posture": POSTURE}), 120)
    assert "This PC is not compliant." in shown
    assert "the catalogue is old" in shown
    assert [line.split()[-1] for line in shown.splitlines() if line.startswith(("a ", "b "))] == ["failed", "overdue"]


def asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], *arguments: str
) -> tuple[Any, list[Any]]:
    (tmp_path / "identity").mkdir()
    (tmp_path / "identity" / "identity.json").write_bytes(b"{}")
    asks: list[Any] = []

    async def ask(_socket: Path, command: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
        asks.append((command, given))
        return answer

    monkeypatch.setattr(patch_commands, "ask_daemon", ask)
    command, *rest = arguments
    return CliRunner().invoke(p2pdist, [command, "--home", str(tmp_path), *rest]), asks


def test_defer_hands_on_the_time_and_says_until_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"id": "acme", "version": "1", "until": 1e9, "deferrals_left": 1}
    result, asks = asked(tmp_path, monkeypatch, answer, "defer", "acme", "--for", "4h")
    assert asks == [("defer", {"patch": "acme", "seconds": 14_400})]
    assert "waits until 2001-09-09" in result.output
    assert "It can be deferred 1 more time." in result.output


@pytest.mark.parametrize("time", ["4", "h", "4 h", "-4h", "4w", "999999h", "31d"])
def test_times_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, time: str) -> None:
    result, asks = asked(tmp_path, monkeypatch, {}, "defer", "acme", f"--for={time}")
    assert (result.exit_code, asks) == (2, [])
    assert "is not a duration from 1s to 30d, such as 30m" in result.output


def test_a_pc_that_is_not_compliant_exits_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = asked(tmp_path, monkeypatch, {"posture": POSTURE, "jws": "a.b.c"}, "posture", "--json")
    assert result.exit_code == 1
    assert '"jws": "a.b.c"' in result.output


@pytest.mark.parametrize("command", ["plan", "history", "posture"])
def test_a_pc_that_installs_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    result, _ = asked(tmp_path, monkeypatch, {"disabled": "Nothing is installed on this PC."}, command)
    assert isinstance(result.exception, UserError)
    assert "Nothing is installed on this PC." in result.exception.message


@pytest.mark.parametrize("command", ["rollback", "retry"])
def test_orders_name_the_patch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    result, asks = asked(tmp_path, monkeypatch, {"id": "acme", "version": "1"}, command, "acme@1")
    assert asks == [(command, {"patch": "acme@1"})]
    assert result.output.startswith("acme 1 ")

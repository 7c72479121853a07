"""`p2pdist plan`, `history`, `posture`, `defer`, `rollback`, `retry`: what becomes of patches on this PC."""

import re
from collections.abc import Callable
from datetime import datetime

import click
import trio
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bandwidth.core.quantities import duration_text
from p2pdist.commands.options import check_enrolled, home_option
from p2pdist.local_api.install_answers import HistoryAnswer, PlanAnswer, PlanRestart, PostureAnswer, PosturePatch
from p2pdist.local_api.messages import (
    CHALLENGE_PATTERN,
    DEFER,
    HISTORY,
    MAX_CHALLENGE_CHARS,
    MAX_DEFERRAL_DAYS,
    PLAN,
    POSTURE,
    RETRY,
    ROLLBACK,
    AnswerT,
    Command,
    DeferOrder,
    PatchOrder,
    PostureQuestion,
    QuestionT,
)
from p2pdist.local_api.socket import ask_daemon
from p2pdist.settings import EndpointHome
from p2pdist.shared.console import (
    PIPE_COLUMNS,
    STATE_STYLES,
    WIDE_COLUMNS,
    Duration,
    ExitCode,
    json_option,
    print_json,
    wide_terminal,
)
from p2pdist.shared.identifiers import PatchRef

RESTART = "this PC has to be restarted"


@click.command("plan", short_help="Show what is to be installed, in which order, and when.")
@home_option
@json_option
def plan_command(home: EndpointHome, as_json: bool) -> None:
    """Show what is to be installed here, in which order, when, and why each patch waits.

    \b
    Examples:
      p2pdist plan
      p2pdist plan --json | jq '.patches[] | select(.step == "blocked")'
    """
    answer = _ask(home, PLAN)
    _print(answer, as_json, lambda shown: plan_view(shown, wide_terminal().width))


@click.command("history", short_help="Show each step that was taken.")
@home_option
@json_option
@click.option("--patch", metavar="PATCH", help="Of this patch alone.")
@click.option("--output", "with_output", is_flag=True, help="With what installers wrote.")
def history_command(home: EndpointHome, as_json: bool, patch: str | None, with_output: bool) -> None:
    """Show each step that was taken on this PC, the newest last.

    \b
    Example:
      p2pdist history --patch acme-office --output
    """
    answer = _ask(home, HISTORY)
    if patch is not None:
        answer = HistoryAnswer([step for step in answer.history if PatchRef(step.id, step.version).matches(patch)])
    _print(answer, as_json, lambda shown: history_view(shown, with_output=with_output))


def _challenge(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if len(value) > MAX_CHALLENGE_CHARS or not re.match(CHALLENGE_PATTERN, value):
        raise click.BadParameter(f"use at most {MAX_CHALLENGE_CHARS} printable ASCII characters, without blanks.")
    return value


@click.command("posture", short_help="Say whether this PC is compliant, signed.")
@home_option
@click.option("--nonce", default="", metavar="TEXT", callback=_challenge, help="What the statement has to carry.")
@click.option("--audience", default="", metavar="TEXT", callback=_challenge, help="Whom the statement is for.")
@json_option
def posture_command(home: EndpointHome, nonce: str, audience: str, as_json: bool) -> None:
    """Say whether this PC is compliant: each patch's age against its deadline.

    With --json, the statement and the same as a JWS, signed with this PC's key, for network access control to read:
    'seed-server posture-check' checks it. A nonce that the asker has just made up keeps an old statement from
    being shown again. Exits 1 when it is not compliant.

    \b
    Examples:
      p2pdist posture --json | jq -r .jws
      p2pdist posture --json --nonce 5f0c2e… --audience vpn.example.com
    """
    answer = _ask(home, POSTURE, PostureQuestion(nonce=nonce, audience=audience))
    _print(answer, as_json, posture_view)
    if not answer.posture.compliant:
        raise SystemExit(ExitCode.FAILED)


@click.command("defer", short_help="Put a patch off, where that is allowed.")
@home_option
@click.argument("patch")
@click.option(
    "--for",
    "seconds",
    type=Duration(MAX_DEFERRAL_DAYS),
    metavar="TIME",
    help="Such as 30m, 4h or 1d; by default as long as is allowed.",
)
@json_option
def defer_command(home: EndpointHome, patch: str, seconds: int | None, as_json: bool) -> None:
    """Put PATCH (an id, or ID@VERSION) off, as often and as long as its publisher allows.

    \b
    Example:
      p2pdist defer acme-office --for 4h
    """
    answer = _ask(home, DEFER, DeferOrder(patch, seconds))
    if as_json:
        print_json(answer)
        return
    left = answer.deferrals_left
    again = f"It can be deferred {left} more time{'' if left == 1 else 's'}." if left else "That was the last time."
    words = (f"{answer.id} {answer.version} waits until {clock(answer.until)}.", answer.note, again)
    click.echo(" ".join(word for word in words if word))


@click.command("rollback", short_help="Take an installed patch back.")
@home_option
@click.argument("patch")
@json_option
def rollback_command(home: EndpointHome, patch: str, as_json: bool) -> None:
    """Take PATCH (an id, or ID@VERSION) back to what was there before; it is not installed again by itself.

    \b
    Example:
      p2pdist rollback acme-office        'p2pdist retry acme-office' brings it back
    """
    answer = _ask(home, ROLLBACK, PatchOrder(patch))
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer.id} {answer.version} is being rolled back; 'p2pdist history' shows how it goes.")


@click.command("retry", short_help="Try a failed or rolled back patch again now.")
@home_option
@click.argument("patch")
@json_option
def retry_command(home: EndpointHome, patch: str, as_json: bool) -> None:
    """Try PATCH (an id, or ID@VERSION), which has failed or was rolled back, again now.

    \b
    Example:
      p2pdist retry acme-office
    """
    answer = _ask(home, RETRY, PatchOrder(patch))
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer.id} {answer.version} is tried again; 'p2pdist plan' says when.")


COMMANDS = (plan_command, history_command, posture_command, defer_command, rollback_command, retry_command)


def clock(at: float) -> str:
    """Return a moment in this PC's time."""
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M}"


def plan_view(answer: PlanAnswer, columns: int = PIPE_COLUMNS) -> RenderableType:
    """Show the plan as a table; on a narrow terminal, the reasons stand below it."""
    parts: list[RenderableType] = [Text(answer.problem, style="yellow")] if answer.problem else []
    if not answer.patches:
        return Group(*parts, Text("No patches: the server has published none for this PC."))
    wide = columns >= WIDE_COLUMNS
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("patch", "version", "state", "then", "deadline", *(["because"] if wide else [])):
        table.add_column(column, no_wrap=column not in ("because", "patch"), overflow="fold")
    parts.append(table)
    for row in answer.patches:
        because = row.reason + (f" (until {clock(row.again_at)})" if row.again_at else "")
        if row.restart_needed:
            because = f"{because}; {RESTART}" if because else RESTART
        table.add_row(
            row.id,
            row.version,
            Text(row.state.replace("_", " "), style=STATE_STYLES.get(row.state, "")),
            row.step,
            clock(row.due_at) if row.due_at else "",
            *([because] if wide else []),
        )
        if not wide and because != row.state:
            parts.append(Text(f"{row.id} {row.version}: {because}", style="dim"))
    return Group(*parts, *(Text(restart_line(restart), style="yellow") for restart in answer.restarts))


def restart_line(restart: PlanRestart) -> str:
    """Return one restart that is needed, for people."""
    waits = f"; {restart.why}" if restart.why else ""
    until = f" (until {clock(restart.again_at)})" if restart.again_at else ""
    return f"{restart.id} {restart.version} needs a restart: {restart.by}{waits}{until}"


def history_view(answer: HistoryAnswer, *, with_output: bool) -> RenderableType:
    """Show the steps, one a line."""
    if not answer.history:
        return Text("Nothing has been done yet.")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("when", "patch", "version", "step"):
        table.add_column(column, no_wrap=column != "step", overflow="fold")
    for entry in answer.history:
        table.add_row(clock(entry.at), entry.id, entry.version, entry.what)
        if with_output and entry.output:
            table.add_row("", "", "", Text(entry.output.rstrip(), style="dim"))
    return table


def posture_view(answer: PostureAnswer) -> RenderableType:
    """Show the posture: the verdict, then each patch that is not settled."""
    posture = answer.posture
    verdict = Text("compliant", style="green") if posture.compliant else Text("not compliant", style="red")
    parts: list[RenderableType] = [Text.assemble("This PC is ", verdict, ".")]
    if posture.problem:
        parts.append(Text(posture.problem, style="yellow"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("patch", "version", "severity", "state", "age", "deadline", ""):
        table.add_column(column, no_wrap=True)
    for row in posture.patches:
        table.add_row(
            row.id,
            row.version,
            row.severity,
            Text(row.state.replace("_", " "), style=STATE_STYLES.get(row.state, "")),
            duration_text(row.age_seconds),
            clock(row.due_at) if row.due_at else "",
            Text(_verdict(row), style="red"),
        )
    return Group(*parts, table) if posture.patches else Group(*parts)


def _verdict(row: PosturePatch) -> str:
    if row.compliant:
        return ""
    if row.overdue_seconds:
        return "overdue"
    return "restart" if row.restart_needed else "failed"


def _ask(home: EndpointHome, command: Command[QuestionT, AnswerT], question: QuestionT | None = None) -> AnswerT:
    check_enrolled(home)
    return trio.run(ask_daemon, home.socket, command, question)


def _print(answer: AnswerT, as_json: bool, view: Callable[[AnswerT], RenderableType]) -> None:
    if as_json:
        print_json(answer)
    else:
        wide_terminal().print(view(answer))

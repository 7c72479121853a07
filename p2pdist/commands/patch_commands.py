"""`p2pdist plan`, `history`, `posture`, `defer`, `rollback`, `retry`: what becomes of patches on this PC."""

import re
from collections.abc import Callable
from datetime import datetime

import click
from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.commands.completing import patch_names
from p2pdist.commands.options import ask_here, home_option
from p2pdist.commands.views import title_of, titled
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
    DeferOrder,
    PatchOrder,
    PostureQuestion,
)
from p2pdist.settings import EndpointHome
from p2pdist.shared.console import Duration, ExitCode, json_option, print_json
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.language import in_words, span, tr, trn
from p2pdist.shared.state_words import STATE_STYLES, state_word
from p2pdist.shared.tables import NAME_CELLS, PATCH_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal


@click.command("plan")
@home_option
@json_option
def plan_command(home: EndpointHome, as_json: bool) -> None:
    """Show what is to be installed here, in which order, when, and why each patch waits.

    \b
    Examples:
      p2pdist plan
      p2pdist plan --json | jq '.patches[] | select(.step == "blocked")'
    """
    answer = ask_here(home, PLAN)
    _print(answer, as_json, plan_view)


@click.command("history")
@home_option
@json_option
@click.option("--patch", metavar="PATCH", help="Of this patch alone.", shell_complete=patch_names)
@click.option("--output", "with_output", is_flag=True, help="With what installers wrote.")
def history_command(home: EndpointHome, as_json: bool, patch: str | None, with_output: bool) -> None:
    """Show each step that was taken on this PC, the newest last.

    \b
    Example:
      p2pdist history --patch acme-office --output
    """
    answer = ask_here(home, HISTORY)
    if patch is not None:
        answer = HistoryAnswer([step for step in answer.history if PatchRef(step.id, step.version).matches(patch)])
    _print(answer, as_json, lambda shown: history_view(shown, with_output=with_output))


def _challenge(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if len(value) > MAX_CHALLENGE_CHARS or not re.match(CHALLENGE_PATTERN, value):
        raise click.BadParameter(f"use at most {MAX_CHALLENGE_CHARS} printable ASCII characters, without blanks.")
    return value


@click.command("posture")
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
    answer = ask_here(home, POSTURE, PostureQuestion(nonce=nonce, audience=audience))
    _print(answer, as_json, posture_view)
    if not answer.posture.compliant:
        raise SystemExit(ExitCode.FAILED)


@click.command("defer")
@home_option
@click.argument("patch", shell_complete=patch_names)
@click.option(
    "--for",
    "seconds",
    type=Duration(MAX_DEFERRAL_DAYS),
    metavar="TIME",
    help="Such as 30m, 4h or 1d; by default as long as is allowed.",
)
@click.option("--end", is_flag=True, help="End the deferral that lasts: it is installed as soon as that may be.")
@json_option
def defer_command(home: EndpointHome, patch: str, seconds: int | None, end: bool, as_json: bool) -> None:
    """Put PATCH (an id, or ID@VERSION) off, as often and as long as its publisher allows.

    \b
    Examples:
      p2pdist defer acme-office --for 4h
      p2pdist defer acme-office --end
    """
    if end and seconds is not None:
        raise click.UsageError("--end and --for go not together: leave one of them out.")
    answer = ask_here(home, DEFER, DeferOrder(patch, seconds, end))
    if as_json:
        print_json(answer)
        return
    if end:
        ended = "" if answer.note else tr("The deferral of {patch} is ended.", patch=titled(answer))
        click.echo(ended or f"{titled(answer)}: {in_words(answer.note)}")
        return
    left = answer.deferrals_left
    again = tr("That was the last time.")
    if left:
        again = trn("It can be deferred {number} more time.", "It can be deferred {number} more times.", left)
    waits = tr("{patch} waits until {time}.", patch=titled(answer), time=clock(answer.until))
    words = (waits, in_words(answer.note), again)
    click.echo(" ".join(word for word in words if word))


@click.command("rollback")
@home_option
@click.argument("patch", shell_complete=patch_names)
@json_option
def rollback_command(home: EndpointHome, patch: str, as_json: bool) -> None:
    """Take PATCH (an id, or ID@VERSION) back to what was there before; it is not installed again by itself.

    \b
    Example:
      p2pdist rollback acme-office        'p2pdist retry acme-office' brings it back
    """
    answer = ask_here(home, ROLLBACK, PatchOrder(patch))
    if as_json:
        print_json(answer)
    else:
        click.echo(
            tr(
                "{patch} is being rolled back; 'p2pdist history' shows how it goes.",
                patch=f"{answer.id} {answer.version}",
            )
        )


@click.command("retry")
@home_option
@click.argument("patch", shell_complete=patch_names)
@json_option
def retry_command(home: EndpointHome, patch: str, as_json: bool) -> None:
    """Try PATCH (an id, or ID@VERSION), which has failed or was rolled back, again now.

    \b
    Example:
      p2pdist retry acme-office
    """
    answer = ask_here(home, RETRY, PatchOrder(patch))
    if as_json:
        print_json(answer)
    else:
        click.echo(tr("{patch} is tried again; 'p2pdist plan' says when.", patch=f"{answer.id} {answer.version}"))


def clock(at: float) -> str:
    """Return a moment in this PC's time."""
    return f"{datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M}"


def plan_view(answer: PlanAnswer) -> RenderableType:
    """Show the plan as a table."""
    parts: list[RenderableType] = [Text(in_words(answer.problem), style="yellow")] if answer.problem else []
    if not answer.patches:
        return Group(*parts, Text(tr("No patches: the server has published none for this PC.")))
    table = FactTable()
    table.column(tr("patch"), tr("version"), least=NAME_CELLS, folds=True)
    table.column(tr("state"), tr("then"), tr("deadline"))
    table.sentences(tr("title"), tr("because"))
    parts.append(table)
    for row in answer.patches:
        because = "" if row.reason == row.state else in_words(row.reason)  # said once
        if row.again_at:
            because = tr("{reason} (until {time})", reason=because, time=clock(row.again_at))
        if row.restart_needed:
            restart = tr("this PC has to be restarted")
            because = f"{because}; {restart}" if because else restart
        name, title = titled(row), title_of(row)
        below = Text(f"{name}: {because}" if because else name, style="dim")
        table.row(
            row.id,
            row.version,
            Text(state_word(row.state), style=STATE_STYLES.get(row.state, "")),
            in_words(row.step),
            clock(row.due_at) if row.due_at else "",
            sentences=(title, because),
            below=below if because or title else None,
        )
    return Group(*parts, *(Text(restart_line(restart), style="yellow") for restart in answer.restarts))


def restart_line(restart: PlanRestart) -> str:
    """Return one restart that is needed, for people."""
    words = tr("{patch} needs a restart: {by}", patch=titled(restart), by=in_words(restart.by))
    if restart.why:
        words = f"{words}; {in_words(restart.why)}"
    return tr("{reason} (until {time})", reason=words, time=clock(restart.again_at)) if restart.again_at else words


def history_view(answer: HistoryAnswer, *, with_output: bool) -> RenderableType:
    """Show the steps, one a line."""
    if not answer.history:
        return Text(tr("Nothing has been done yet."))
    table = FactTable()
    table.column(tr("when"))
    table.column(tr("patch"), tr("version"), least=NAME_CELLS, folds=True)
    table.sentences(tr("step"))
    for entry in answer.history:
        table.row(clock(entry.at), entry.id, entry.version, sentences=[in_words(entry.what)])
        if with_output and entry.output:
            table.row("", "", "", sentences=[Text(entry.output.rstrip(), style="dim")])
    return table


def posture_view(answer: PostureAnswer) -> RenderableType:
    """Show the posture: the verdict, then each patch that is not settled."""
    posture = answer.posture
    verdict = tr("This PC is compliant.") if posture.compliant else tr("This PC is not compliant.")
    parts: list[RenderableType] = [Text(verdict, style="green" if posture.compliant else "red")]
    if posture.problem:
        parts.append(Text(in_words(posture.problem), style="yellow"))
    table = FactTable()
    table.column(tr("patch"), tr("version"), least=PATCH_CELLS, folds=True)
    table.column(tr("severity"), tr("state"), tr("age"), tr("deadline"), "")
    for row in posture.patches:
        table.row(
            row.id,
            row.version,
            in_words(row.severity),
            Text(state_word(row.state), style=STATE_STYLES.get(row.state, "")),
            span(row.age_seconds),
            clock(row.due_at) if row.due_at else "",
            Text(_verdict(row), style="red"),
        )
    return Group(*parts, table) if posture.patches else Group(*parts)


def _verdict(row: PosturePatch) -> str:
    if row.compliant:
        return ""
    if row.overdue_seconds:
        return tr("overdue")
    return tr("restart") if row.restart_needed else tr("failed")


def _print(answer: AnswerT, as_json: bool, view: Callable[[AnswerT], RenderableType]) -> None:
    if as_json:
        print_json(answer)
    else:
        wide_terminal().print(view(answer))

"""`seed-server priority`: which open patch comes first, and why."""

from collections.abc import Mapping

import click
from rich.text import Text

from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.commands.completing import patch_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_option
from seed_server.fleet.context import Context
from seed_server.fleet.intelligence_age import day
from seed_server.reporting.priority_queries import PriorityAnswer, RankedPatch, priority_document, read_priorities
from seed_server.reporting.priority_words import NOTHING_SAYS, doubts_of, inputs_of, leaf_words, why_sentence
from seed_server.reporting.words import input_names, input_sources, priority_level
from seed_server.settings.priority_section import PriorityClass

_STYLES: Mapping[PriorityClass, str] = {"immediate": "red", "out-of-cycle": "yellow", "scheduled": "", "defer": "dim"}


@click.command("priority", cls=LookingCommand, short_help="Which open patch comes first, and why.")
@home_option
@click.argument("patch", required=False, default="", metavar="[PATCH[@VERSION]]", shell_complete=patch_names)
@click.option("--why", is_flag=True, help="Show what the decision goes by, and its place in the table.")
@click.option("--all", "done", is_flag=True, help="Also patches that every PC has.")
@json_option
def priority_command(context: Context, patch: str, why: bool, done: bool, as_json: bool) -> None:
    """Show the open patches in the order of their priority; with PATCH, why it has which, and what follows from that.

    It follows from what is known of their CVEs (seed-server intelligence), the tags of the PCs that they may be for,
    and their CVSS scores, by the table of [priority] in server.toml.

    \b
    Examples:
      seed-server priority
      seed-server priority acme --why
      seed-server priority --json | jq -r '.patches[] | select(.priority == "immediate") | .command'
    """
    answer, now = read_priorities(context, patch, done=done), context.clock.now()
    if as_json:
        print_json(priority_document(answer, now))
        return
    if patch or why:
        for one in answer.patches:
            _show_one(one, answer, now, why=why)
    else:
        _show_list(answer, now)
    if not answer.patches:
        say(tr("No patch is open: every PC has what it is offered."))
    for doubt in doubts_of(answer.world, now):
        click.echo(in_words(doubt), err=True)


def _show_list(answer: PriorityAnswer, now: float) -> None:
    if not answer.patches:
        return
    table = FactTable()
    table.column(tr("priority"))
    table.column(tr("patch"), least=NAME_CELLS, folds=True)
    table.column(tr("due"))
    table.column(tr("lack it"), right=True)
    table.sentences(tr("why"))
    for one in answer.patches:
        decision = one.decision
        ref = str(decision.facts.ref)
        due = "–" if decision.due_at is None else day(decision.due_at)
        late = decision.due_at is not None and decision.due_at < now and decision.facts.missing
        why = in_words(printable(why_sentence(decision, now)))
        level = Text(priority_level(decision.leaf.priority), style=_STYLES[decision.leaf.priority])
        missing = f"{decision.facts.missing:,}"
        table.row(level, ref, Text(due, style="red" if late else ""), missing, sentences=[why], below=Text(why))
    wide_terminal().print(table)


def _show_one(one: RankedPatch, answer: PriorityAnswer, now: float, *, why: bool) -> None:
    decision = one.decision
    say(in_words(printable(why_sentence(decision, now))))
    if one.title:
        say(f"  {printable(one.title)}")
    if why:
        table = FactTable()
        table.column(tr("input"), tr("value"), tr("source"), tr("of"))
        table.sentences(tr("why"))
        for found in inputs_of(decision, answer.world):
            dated = "–" if found.dated_at is None else day(found.dated_at)
            words = in_words(printable(found.words))
            names = input_names()
            value = tr("not known") if found.value == NOTHING_SAYS else found.value
            table.row(names[found.name], value, input_sources()[found.source], dated, sentences=[words])
        wide_terminal().print(table)
        say(tr("Place in the table: {leaf}", leaf=leaf_words(decision)))
    if not one.offered.to_everyone:
        say(
            tr(
                "It goes by the rings of {template}, and {approvals} have to approve that.",
                template=decision.rule.template,
                approvals=one.approvals,
            )
        )
    say(in_words(printable(one.step.words)))
    if one.step.command:
        say(f"→ {printable(one.step.command)}")

"""What `seed-server apply` shows people."""

from collections.abc import Sequence

import click
from rich.text import Text

from p2pdist.shared.console import say
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.automation.apply_changes import SIGNS, Change
from seed_server.automation.apply_plan import ApplyPlan
from seed_server.automation.apply_words import key_words, kind_word
from seed_server.automation.applying import Applied

MOST_STAYING_NAMED = 10  # of what stays
_STYLES = {"add": "green", "change": "yellow", "remove": "red"}


def show_plan(plan: ApplyPlan) -> None:
    """Print what differs, and how much that is."""
    if not plan.changes:
        say(tr("Nothing to change."))
        return
    table = FactTable()
    table.column("", tr("kind"))
    table.column(tr("name"), least=NAME_CELLS, folds=True)
    table.sentences(tr("what differs"))
    for one in plan.changes:
        differs = "; ".join(map(key_words, one.keys)) if one.action != "remove" else ""
        name = printable(one.name)
        table.row(
            Text(SIGNS[one.action], style=_STYLES[one.action]),
            kind_word(one.kind),
            name,
            sentences=(differs,),
            below=Text.assemble((f"{name}: ", "bold"), differs) if differs else None,
        )
    wide_terminal().print(table)
    say(
        tr(
            "{added} to add, {changed} to change, {removed} to remove.",
            added=_number(plan.changes, "add"),
            changed=_number(plan.changes, "change"),
            removed=_number(plan.changes, "remove"),
        )
    )


def show_stays(plan: ApplyPlan) -> None:
    """Print what stays though the files do not have it."""
    if not plan.stays:
        return
    named = [f"{kind_word(kind)} {printable(name)}" for kind, name in plan.stays[:MOST_STAYING_NAMED]]
    more = len(plan.stays) - len(named)
    listed = ", ".join(named) + (tr(", and {number} more", number=more) if more else "")
    say(tr("Not in the files, and stays: {listed}. --prune removes it.", listed=listed))


def show_done(applied: Applied) -> None:
    """Print what was done, and what is to be done next."""
    plan = applied.plan
    if plan.changes:
        click.echo(tr("Done."))
    show_stays(plan)
    for path, bundle in applied.bundles:
        say(f"Prepared {bundle.bundle_id}: {bundle.purpose}. Nothing is announced yet.")
        say(f"Next, on the signer's machine: seed-server sign {path.name} --keys DIR")
        say(f"Then here: seed-server finish {path}")
    if plan.of("setting"):
        say(tr("A running server uses the new settings after a restart: systemctl restart seed-server"))
    for one in plan.of("person"):
        if one.action == "add":
            say(
                tr(
                    "{name} has no password yet: seed-server people password {name}",
                    name=one.name,
                )
            )


def _number(changes: Sequence[Change], action: str) -> int:
    return sum(one.action == action for one in changes)

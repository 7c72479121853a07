"""`seed-server rollout`: start, watch, stop and approve what goes to PCs ring by ring."""

import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.text import Text

from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.rollout_documents import (
    ring_pcs_document,
    rollout_document,
    rollout_row_document,
    wanted_approval_document,
)
from seed_server.commands.approvals_view import approvals_view
from seed_server.commands.completing import patch_names, ring_templates, rollout_numbers
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, home_option, passphrase_option
from seed_server.commands.paging import paging_options, text_of
from seed_server.commands.ring_pcs_view import ring_pcs_view
from seed_server.commands.rollout_starting import say_started
from seed_server.commands.texts import utc_minute
from seed_server.fleet import rollout_approving, rollout_operations, rollout_queries
from seed_server.fleet.actor import Actor
from seed_server.fleet.approval_queries import read_approvals
from seed_server.fleet.context import Context
from seed_server.fleet.ring_pcs import RING_CLASSES, RingClass, RingPcsQuestion, read_ring_pcs
from seed_server.fleet.rollout import RolloutState
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.rollout_queries import RolloutView
from seed_server.fleet.shipped_rings import SHIPPED_RINGS
from seed_server.reporting.rollout_sentences import way_back_words, why_shown

ROLLOUT_WATCH_SECONDS = 2.0
RING_PCS_OF_A_PAGE = 20  # a screen
_STYLES = {
    RolloutState.RUNNING: "green",
    RolloutState.COMPLETE: "green",
    RolloutState.HALTED: "red",
    RolloutState.ABORTED: "red",
}


@click.group("rollout")
def rollout_group() -> None:
    """Offer patches ring by ring: each ring opens when the one before has shown that the patch is good.

    docs/rollouts.md: your first rollout, and what to do when a bad patch is out.
    """


@rollout_group.command("templates", cls=LookingCommand, short_help="List the shipped templates.")
def templates_command() -> None:
    """List the shipped templates; 'rollout templates' are files in TOML, and --template takes yours.

    \b
    Example:
      seed-server rollout templates
    """
    for name in SHIPPED_RINGS:
        template = rollout_queries.ring_template(name)
        rings = ", ".join(ring.name for ring in template.rings) or tr("every PC at once")
        say(f"{name}: {in_words(template.title)} ({rings})")


@rollout_group.command("start", short_help="Begin to offer PATCH by rings.")
@home_option
@click.argument("patch", metavar="PATCH[@VERSION]", shell_complete=patch_names)
@click.option(
    "--template",
    default="rings",
    show_default=True,
    metavar="NAME|FILE",
    help="A shipped one, or a file.",
    shell_complete=ring_templates,
)
@click.option("--reason", default="", metavar="TEXT", help="Why, in one line, where the template wants it.")
@json_option
def start_command(context: Context, patch: str, template: str, reason: str, as_json: bool) -> None:
    """Begin to offer PATCH by the rings of a template.

    \b
    Examples:
      seed-server rollout start acme
      seed-server rollout start acme@2.1 --template emergency --reason "exploited since today"
    """
    rings = rollout_queries.ring_template(template)
    started = rollout_operations.start_rollout(context, actor_of(context), patch, rings, note=reason)
    kept = started.rollout
    if as_json:
        print_json(rollout_row_document(kept, rollout_queries.titles(context)))
        return
    say_started(started)


@rollout_group.command("list", cls=LookingCommand, short_help="List the rollouts.")
@home_option
@click.option("--live", is_flag=True, help="Only those that are not over.")
@json_option
def list_command(context: Context, live: bool, as_json: bool) -> None:
    """List the rollouts, the newest first.

    \b
    Example:
      seed-server rollout list --live
    """
    found, broken = rollout_queries.list_rollouts(context, live=live)
    titles = rollout_queries.titles(context)
    if as_json:
        print_json([rollout_row_document(one.kept, titles) for one in found])
        return
    if not found and not broken:
        say("No rollouts yet. Start one with: seed-server rollout start PATCH")
        return
    table = FactTable()
    table.column(tr("rollout"), tr("patch"), least=NAME_CELLS, folds=True)
    table.column(tr("state"), tr("open rings"))
    table.sentences(tr("why"))
    for one in found:
        kept = one.kept
        state = Text(in_words(kept.progress.state.value), style=_STYLES.get(kept.progress.state, "yellow"))
        rings = f"{len(kept.progress.opened_at)}/{len(kept.plan.rings)}"
        title = printable(titles.get(kept.plan.ref, ""))
        why = Text(f"{title}: {why_shown(one.why, one.fault)}" if title else why_shown(one.why, one.fault))
        below = Text.assemble((f"{kept.row.number}: ", "bold"), why)
        table.row(str(kept.row.number), str(kept.plan.ref), state, rings, sentences=[why], below=below)
    for damaged in broken:
        number, state = str(damaged.row.number), Text(in_words(damaged.row.state), style="red")
        why = Text(printable(tr("Its record cannot be read: {words}", words=damaged.words)))
        below = Text.assemble((f"{number}: ", "bold"), why)
        table.row(number, printable(str(damaged.row.ref)), state, "?", sentences=[why], below=below)
    wide_terminal().print(table)
    _say_if_still(serving=rollout_queries.serves(context), live=any(one.kept.live for one in found))


@rollout_group.command("show", cls=LookingCommand, short_help="Show how far a rollout is.")
@home_option
@click.argument("number", type=int, metavar="ROLLOUT", shell_complete=rollout_numbers)
@json_option
def show_command(context: Context, number: int, as_json: bool) -> None:
    """Show each ring of a rollout, how its PCs stand, and what it waits for.

    \b
    Example:
      seed-server rollout show 7
    """
    view = rollout_queries.read_rollout(context, number)
    if as_json:
        print_json(rollout_document(view))
    else:
        _show(view)


@rollout_group.command("why", cls=LookingCommand, short_help="Say what a rollout waits for.")
@home_option
@click.argument("number", type=int, metavar="ROLLOUT", shell_complete=rollout_numbers)
@json_option
def why_command(context: Context, number: int, as_json: bool) -> None:
    """Say in one sentence what a rollout waits for, since when, by which numbers.

    \b
    Example:
      seed-server rollout why 7
    """
    view = rollout_queries.read_rollout(context, number)
    if as_json:
        print_json(rollout_document(view))
    else:
        say(why_shown(view.why, view.fault))
        _say_if_still(serving=view.serving, live=view.kept.live)


@rollout_group.command("watch", cls=LookingCommand, short_help="Follow a rollout until it is over.")
@home_option
@click.argument("number", type=int, metavar="ROLLOUT", shell_complete=rollout_numbers)
def watch_command(context: Context, number: int) -> None:
    """Say each time that a rollout's state or reason changes, until it is halted or over; Ctrl-C ends it.

    \b
    Example:
      seed-server rollout watch 7
    """
    said = ""
    while True:
        view = rollout_queries.read_rollout(context, number)
        state = view.kept.progress.state
        sentence = f"{in_words(state.value)}: {why_shown(view.why, view.fault)}"
        if sentence != said:
            say(sentence)
            said = sentence
        if state in (RolloutState.COMPLETE, RolloutState.HALTED, RolloutState.ABORTED):
            return
        time.sleep(ROLLOUT_WATCH_SECONDS)


_Stop = Callable[[Context, Actor, int, str], KeptRollout]


def _stopping(name: str, short: str, stop: _Stop, text: str, *, needs_reason: bool = True) -> None:
    @rollout_group.command(name, short_help=short, help=text)
    @home_option
    @click.argument("number", type=int, metavar="ROLLOUT", shell_complete=rollout_numbers)
    @click.option("--reason", required=needs_reason, default=None if needs_reason else "", metavar="TEXT", help="Why.")
    @json_option
    def command(context: Context, number: int, reason: str, as_json: bool) -> None:
        _show_changed(context, stop(context, actor_of(context), number, reason), as_json=as_json)


_stopping(
    "pause", "Open no further ring.", rollout_operations.pause_rollout,
    "Open no further ring of a rollout; PCs of the open ones go on.",
)  # fmt: skip
_stopping(
    "halt", "Let no PC begin any more.", rollout_operations.halt_rollout,
    "Let no PC begin any more; what is being installed comes to its end. 'rollout resume' goes on.",
)  # fmt: skip
_stopping(
    "abort", "End a rollout.", rollout_operations.abort_rollout,
    "End a rollout for good: no PC begins any more. Where the patch is installed, it stays.",
)  # fmt: skip
_stopping(
    "resume", "Go on with a rollout.", rollout_operations.resume_rollout,
    "Go on with a rollout that is paused, halted or waits for a word. The failures so far do not halt it again; new "
    "ones do.",
    needs_reason=False,
)  # fmt: skip


@rollout_group.command("approve", short_help="Say that a rollout may go on.")
@home_option
@click.argument("number", type=int, metavar="ROLLOUT", shell_complete=rollout_numbers)
@click.option("--rings", type=click.IntRange(min=1), default=None, metavar="N", help="Only the first N; else all.")
@click.option("--key", type=click.Path(path_type=Path), default=None, metavar="FILE", help="Sign it with your own key.")
@passphrase_option
@json_option
def approve_command(
    context: Context, number: int, rings: int | None, key: Path | None, passphrase: bytes | None, as_json: bool
) -> None:
    """Say that the rings of a rollout may open. Nobody approves what they have started.

    \b
    Examples:
      seed-server rollout approve 7
      seed-server rollout approve 7 --key /media/mine/approver.pem
          PCs verify it, where they have a list of approvers
    """
    kept = rollout_approving.approve_rollout(
        context, actor_of(context), number, rings=rings, key=key, passphrase=passphrase
    )
    _show_changed(context, kept, as_json=as_json)
    if not as_json:
        view, most = rollout_queries.read_rollout(context, number), len(kept.plan.rings)
        say(tr("You have approved {rings} of its {most} rings.", rings=most if rings is None else rings, most=most))
        say(why_shown(view.why, view.fault))


@rollout_group.command("pcs", cls=LookingCommand, short_help="List a rollout's PCs, ring by ring.")
@home_option
@click.argument("number", type=int, metavar="ROLLOUT", shell_complete=rollout_numbers)
@click.option("--ring", default="", metavar="NAME", help="Only those of this ring.")
@click.option(
    "--which", type=click.Choice(RING_CLASSES), default=None, help="Only those that a number of 'rollout show' counts."
)
@paging_options("PCs")
@json_option
def pcs_command(
    context: Context, number: int, ring: str, which: RingClass | None, size: int, after: str, as_json: bool
) -> None:
    """List the PCs behind the numbers of a rollout: where each is, what has become of the patch there, and why.

    \b
    Examples:
      seed-server rollout pcs 7 --which failed
      seed-server rollout pcs 7 --ring test
    """
    question = RingPcsQuestion(number, text_of(ring), which or "", size or RING_PCS_OF_A_PAGE, after)
    page = read_ring_pcs(context, question)
    if as_json:
        print_json(ring_pcs_document(page))
    else:
        wide_terminal().print(ring_pcs_view(page, question))


@rollout_group.command("approvals", cls=LookingCommand, short_help="List what waits for whose approval.")
@home_option
@json_option
def approvals_command(context: Context, as_json: bool) -> None:
    """List the rollouts of which a ring lacks approvals: what you can approve first, then what others have to.

    \b
    Example:
      seed-server rollout approvals
    """
    look = read_approvals(context, actor=actor_of(context))
    if as_json:
        print_json([wanted_approval_document(one) for one in look.wanted])
    else:
        wide_terminal().print(approvals_view(look))


# --- what is shown -----------------------------------------------------------------------


def _say_if_still(*, serving: bool, live: bool) -> None:
    if live and not serving:
        say(tr("The server does not run: no ring opens, and nothing halts, until it does (seed-server serve)."))


def _show_changed(context: Context, kept: KeptRollout, *, as_json: bool) -> None:
    if as_json:
        print_json(rollout_row_document(kept, rollout_queries.titles(context)))
        return
    say(f"Rollout {kept.row.number} of {kept.plan.ref}: {in_words(kept.progress.state.value)}.")


def _show(view: RolloutView) -> None:
    kept = view.kept
    say(f"Rollout {kept.row.number} of {kept.plan.ref}: {in_words(kept.progress.state.value)}.")
    if view.title:
        say(printable(view.title))
    say(why_shown(view.why, view.fault))
    table = FactTable()
    table.column(tr("ring"), tr("opened"), least=NAME_CELLS, folds=True)
    table.column(*map(in_words, ("installed", "failed", "rolled back", "not applicable")))
    table.column(tr("excepted"), tr("silent"), in_words("waiting"))
    for place, (ring, tally) in enumerate(zip(kept.plan.rings, view.tallies, strict=True)):
        opened = utc_minute(kept.progress.opened_at[place]) if place < len(kept.progress.opened_at) else "–"
        table.row(ring.name, opened, *map(str, tally[:-1]))
    wide_terminal().print(table)
    if view.not_known:
        say(tr("{number} PCs have not said yet what they are, and are in no ring.", number=view.not_known))
    if view.replaced:
        say(tr("{number} PCs that installed it have a newer version since.", number=view.replaced))
    if view.back is not None:
        say(f"{way_back_words(view.back)}.")
    _say_if_still(serving=view.serving, live=kept.live)
    for one in kept.approvals:
        say(tr("Approved by {who} at {when}.", who=printable(one.who), when=utc_minute(one.at)))

"""`seed-server audit custody`: what a PC has signed of its installations, with proofs."""

import click

from p2pdist.shared.console import ExitCode, json_option, print_json, say
from p2pdist.shared.custody import ASIDE
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.audit_documents import custody_document
from seed_server.commands.completing import endpoint_names, patch_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_needing
from seed_server.commands.texts import utc_minute
from seed_server.fleet.context import Context
from seed_server.fleet.custody_queries import CustodyView, HeldLog, custody_of
from seed_server.fleet.roles import WHOLE_FLEET


@click.command("custody", cls=LookingCommand, short_help="Show and prove what a PC has signed of its installations.")
@home_needing("audit", WHOLE_FLEET)
@click.argument("pc", metavar="PC", shell_complete=endpoint_names)
@click.option(
    "--patch",
    "patch",
    default="",
    metavar="PATCH",
    help="Only this patch: office, or office@1.",
    shell_complete=patch_names,
)
@json_option
def custody_command(context: Context, pc: str, patch: str, as_json: bool) -> None:
    """Show what PC has signed of its installations: what each patch came to, and when. PC is its id, the beginning of
    it, or its host name.

    With --json each record has the proof that it is below what the PC has signed. Exits with 1 where the records here
    are not what the PC has signed.

    \b
    Example:
      seed-server audit custody pc-17 --patch office --json > proof.json
    """
    view = custody_of(context, pc, patch)
    if as_json:
        print_json(custody_document(view))
    else:
        _show(view)
    if any(log.problem for log in view.logs):
        raise SystemExit(ExitCode.FAILED)


def _show(view: CustodyView) -> None:
    if view.held_back:
        from seed_server.store.custody import MAX_CUSTODY_RECORDS_A_DAY

        say(
            f"{view.held_back} parts of its log were not written, the last at {utc_minute(view.held_back_at)}: of one "
            f"PC, {MAX_CUSTODY_RECORDS_A_DAY} records are written in a day. It is asked again on another day for "
            "what it still holds; where that goes on, look who uses its key."
        )
    if not view.logs:
        say(f"{view.hostname} has signed nothing of its installations yet.")
        return
    if view.records:
        table = FactTable()
        table.column(tr("log"), tr("record"), right=True)
        table.column(tr("when"), tr("patch"), tr("came to"))
        for one in view.records:
            patch = printable(f"{one.record.patch_id}@{one.record.version}") if one.record.patch_id else "-"
            outcome = printable(" ".join(filter(None, (one.record.outcome, one.record.failure))))
            table.row(
                str(one.log), str(one.number), utc_minute(one.record.at), patch, outcome, sentences=[], below=None
            )
        wide_terminal().print(table)
        if any(one.record.outcome == ASIDE for one in view.records):
            say(
                "'aside': the PC had put its journal aside, as a release from before custody does with it, and went on "
                "with its log afterwards. What happened in between has no records."
            )
    else:
        say("It has signed nothing of this patch.")
    for log in view.logs:
        _show_log(log)


def _show_log(log: HeldLog) -> None:
    if log.fault:
        say(
            f"Log {log.log} does not continue the one before ({log.fault}): the PC was restored, its journal was lost, "
            "or its records were changed."
        )
    if log.problem:
        say(f"Log {log.log} is NOT what the PC has signed: {log.problem}.")
    else:
        say(f"Log {log.log} is what the PC has signed: {log.size} records.")

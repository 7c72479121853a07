"""`seed-server audit`: list the audit log, verify it, prove an entry, export all of it."""

import base64
from pathlib import Path

import click
from rich.console import RenderableType

from p2pdist.shared.audit_checkpoint import verifier_key
from p2pdist.shared.console import ExitCode, json_option, json_text, print_json, say, wide_terminal
from p2pdist.shared.language import tr
from p2pdist.shared.tables import FactTable
from seed_server.commands.custody_commands import custody_command
from seed_server.commands.json_answers.audit import AuditEntryDocument, AuditProofDocument, AuditVerifyDocument
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_needing
from seed_server.commands.texts import utc_minute
from seed_server.fleet import audit_queries
from seed_server.fleet.audit_queries import LoggedEntry, Wanted
from seed_server.fleet.context import Context
from seed_server.fleet.roles import WHOLE_FLEET

MOST_LISTED = 100_000

_home_option = home_needing("audit", WHOLE_FLEET)


@click.group("audit", short_help="Who did what: list, verify and export the audit log.")
def audit_group() -> None:
    """List the audit log, verify that nothing in it was changed, prove an entry to somebody else, or export it.

    \b
    Examples:
      seed-server audit list --subject office
      seed-server audit verify --checkpoint kept-elsewhere
      seed-server audit prove 17 --json > proof.json
      seed-server audit export > audit.jsonl
      seed-server audit custody pc-17 --patch office
    """


@audit_group.command("list", cls=LookingCommand, short_help="List what was done, the newest first.")
@_home_option
@click.option("--actor", default="", metavar="NAME", help="Only what they did: ada, local:root, seed-server.")
@click.option("--operation", default="", metavar="NAME", help="Only this: publish, withdraw, deny …")
@click.option("--subject", default="", metavar="NAME", help="Only what was done to it: a patch, a PC's id, a site …")
@click.option(
    "--limit",
    type=click.IntRange(1, MOST_LISTED),
    default=50,
    show_default=True,
    metavar="N",
    help="How many entries at most.",
)
@json_option
def list_command(context: Context, actor: str, operation: str, subject: str, limit: int, as_json: bool) -> None:
    """List what was done, by whom and why, the newest first.

    \b
    Example:
      seed-server audit list --operation withdraw --limit 10
    """
    found = audit_queries.newest_entries(context, Wanted(actor, operation, subject), limit)
    if as_json:
        print_json([_document(one) for one in found])
    elif found:
        wide_terminal().print(audit_table(found))
    else:
        say("The audit log has no such entry.")


@audit_group.command("verify", cls=LookingCommand, short_help="Verify that nothing in the log was changed.")
@_home_option
@click.option(
    "--checkpoint",
    "files",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A checkpoint that was kept elsewhere: the log must still begin as it did then. May be given several times.",
)
@json_option
def verify_command(context: Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Compute every hash of the audit log anew, and hold it to the checkpoints that vouch for it.

    These are in the database, beside it in the home (audit-checkpoint), and in what is signed for PCs. Whoever has the
    server and its keys can sign a new log, so keep a copy of audit-checkpoint elsewhere now and then. Exits with 1
    where something is wrong.

    \b
    Example:
      seed-server audit verify --checkpoint /media/auditor/audit-checkpoint
    """
    check = audit_queries.verify_log(context, files)
    verdict = check.verdict
    if as_json:
        shown = AuditVerifyDocument(
            whole=not verdict.problems,
            entries=verdict.size,
            root=verdict.root.hex(),
            vouched_by=check.vouched_by,
            problems=verdict.problems,
        )
        print_json(shown)
    elif verdict.problems:
        say("The audit log is NOT what its checkpoints vouch for:")
        for problem in verdict.problems:
            say(problem)
        say("Stop making changes here, keep the home and the database as they are, and tell the security team.")
    else:
        say(f"The audit log is whole. It has {verdict.size} entries; their root is {verdict.root.hex()}.")
        for place in check.vouched_by:
            say(f"It begins as {place} says.")
    if verdict.problems:
        raise SystemExit(ExitCode.FAILED)


@audit_group.command("prove", cls=LookingCommand, short_help="Prove to somebody else that an entry is in the log.")
@_home_option
@click.argument("number", type=click.IntRange(0), metavar="ENTRY")
@json_option
def prove_command(context: Context, number: int, as_json: bool) -> None:
    """Print entry number ENTRY with the proof that it is in the log: some twenty hashes, and a signed checkpoint.

    docs/operations.md has a program of twenty lines that checks it, without this server.

    \b
    Example:
      seed-server audit prove 17 --json > proof.json
    """
    proof = audit_queries.prove_entry(context, number)
    if as_json:
        shown = AuditProofDocument(
            entry=_document(proof.logged),
            number=proof.logged.entry.number,
            size=proof.checkpoint.size,
            hashes=tuple(one.hex() for one in proof.hashes),
            checkpoint=proof.note.decode(),
            verifier_key=verifier_key(proof.checkpoint),
        )
        print_json(shown)
        return
    wide_terminal().print(audit_table([proof.logged]))
    click.echo(f"\n{proof.logged.leaf.hex()}")
    for one in proof.hashes:
        click.echo(one.hex())
    click.echo(f"\n{proof.note.decode()}", nl=False)


@audit_group.command("export", cls=LookingCommand, short_help="Print all entries, one JSON document a line.")
@_home_option
@click.option("--from", "first", type=click.IntRange(0), default=0, metavar="ENTRY", help="The first one to print.")
def export_command(context: Context, first: int) -> None:
    """Print all entries, the oldest first, one JSON document a line: for an archive, or a SIEM.

    \b
    Example:
      seed-server audit export --from 1200 >> audit.jsonl
    """
    for one in audit_queries.all_entries(context, first):
        click.echo(json_text(_document(one), indent=None))


audit_group.add_command(custody_command)


def audit_table(entries: list[LoggedEntry]) -> RenderableType:
    """Return the table of entries for people."""
    table = FactTable()
    table.column(tr("entry"), right=True)
    table.column(tr("when"), tr("who"), tr("did"), tr("to"))
    table.sentences(tr("because"))
    for one in entries:
        entry = one.entry
        table.row(
            str(entry.number),
            utc_minute(entry.at),
            entry.actor,
            entry.operation,
            entry.subject,
            sentences=[entry.reason],
            below=None,
        )
    return table


def _document(one: LoggedEntry) -> AuditEntryDocument:
    entry = one.entry
    return AuditEntryDocument(
        number=entry.number,
        at=entry.at,
        actor=entry.actor,
        known_by=entry.known_by,
        role=entry.role,
        address=entry.address,
        request=entry.request,
        operation=entry.operation,
        subject=entry.subject,
        reason=entry.reason,
        before=entry.before.hex(),
        after=entry.after.hex(),
        details=entry.details,
        entry=base64.b64encode(one.data).decode(),
        leaf=one.leaf.hex(),
    )

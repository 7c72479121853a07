"""`seed-server audit`: list the audit log, verify it, prove an entry, export all of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType

from p2pdist.shared.console import ExitCode, json_option, json_text, print_json, say
from p2pdist.shared.language import tr
from p2pdist.shared.tables import FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.audit import (
    AuditKeyDocument,
)
from seed_server.answers.audit_documents import (
    alarm_documents,
    audit_entry_document,
    audit_proof_document,
    audit_verify_document,
)
from seed_server.commands.custody_commands import custody_command
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import (
    actor_of,
    home_needing,
    home_option,
    offline_keys_of,
    offline_option,
    passphrase_option,
    prepare_option,
)
from seed_server.commands.signing_commands import show_prepared
from seed_server.commands.texts import utc_minute
from seed_server.fleet import audit_key, audit_queries, preparing
from seed_server.fleet.audit_queries import LoggedEntry, Wanted
from seed_server.fleet.context import Context
from seed_server.fleet.roles import WHOLE_FLEET

if TYPE_CHECKING:
    from seed_server.store.custody import CustodyFaultRow
    from seed_server.store.witness_alarms import WitnessAlarmRow

MOST_LISTED = 100_000
LOG_FAULTS = {
    "shorter": "the log has fewer entries than it had",
    "other_entries": "the log has as many entries as it had, and others",
    "other_key": "the log is signed with another key",
    "no_proof": "the log does not begin as it did",
    "malformed": "what is signed of the log cannot be read",
}
RECORD_FAULTS = {
    "shorter": "it has signed more records before",
    "other_records": "it has signed other records before",
    "gap": "records are missing between what it has signed",
    "malformed": "it says of its records what it has not signed",
}

_home_option = home_needing("audit", WHOLE_FLEET)


@click.group("audit")
def audit_group() -> None:
    """List the audit log, verify that nothing in it was changed, prove an entry to somebody else, or export it.

    \b
    Examples:
      seed-server audit list --subject office
      seed-server audit verify --checkpoint kept-elsewhere
      seed-server audit prove 17 --json > proof.json
      seed-server audit export > audit.jsonl
      seed-server audit custody pc-17 --patch office
      seed-server audit alarms
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
        print_json([audit_entry_document(one) for one in found])
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
        print_json(audit_verify_document(check))
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
        print_json(audit_proof_document(proof))
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
        click.echo(json_text(audit_entry_document(one), indent=None))


audit_group.add_command(custody_command)


@audit_group.command("alarms", cls=LookingCommand, short_help="List PCs that have seen another log before.")
@_home_option
@json_option
def alarms_command(context: Context, as_json: bool) -> None:
    """List PCs that have seen another audit log before, and PCs that do not continue what they had signed of their
    installations.

    PCs keep the evidence of the first in their trust folder; 'audit custody' shows that of the second.

    \b
    Example:
      seed-server audit alarms
    """
    alarms = audit_queries.read_alarms(context)
    if as_json:
        print_json(list(alarm_documents(alarms)))
        return
    if not alarms.of_log and not alarms.of_records:
        say("No PC has seen another audit log before, and each continues what it had signed.")
    if alarms.of_log:
        say("These PCs have seen another audit log before:")
        wide_terminal().print(_alarm_table([(one, LOG_FAULTS.get(one.fault, one.fault)) for one in alarms.of_log]))
        say("If an older database was put back, have PCs told so: seed-server audit new-key --after-restore")
        say("If not, stop making changes here, keep home and database as they are, and tell the security team.")
    if alarms.of_records:
        say("These PCs do not continue what they had signed of their installations:")
        found = [(one, RECORD_FAULTS.get(one.fault, one.fault)) for one in alarms.of_records]
        wide_terminal().print(_alarm_table(found))
        say("An older disk was put back there, or somebody has changed their records: seed-server audit custody PC")


@audit_group.command("new-key", short_help="Make another audit key; say that the log begins again.")
@home_option
@click.option("--reason", required=True, metavar="TEXT", help="Why: it is in the log, and PCs may show it.")
@click.option(
    "--after-restore",
    is_flag=True,
    help="An older database was put back: the log lacks entries that PCs have seen, and begins again as it is now.",
)
@offline_option
@passphrase_option
@prepare_option
@json_option
def new_key_command(
    context: Context,
    reason: str,
    after_restore: bool,
    offline_keys: Path | None,
    passphrase: bytes | None,
    prepare: Path | None,
    as_json: bool,
) -> None:
    """Make another audit key in place of one that is lost or stolen, and sign with the offline patches key that PCs
    know the log by it.

    They still demand that the log goes on as they have seen it. Only with --after-restore do they forget that, show
    the reason for a month, and end their alarm.

    \b
    Examples:
      seed-server audit new-key --reason "the server was stolen"
      seed-server audit new-key --after-restore --reason "disk failed, backup of Monday"
      seed-server audit new-key --reason "the server was stolen" --prepare audit.bundle
    """
    actor = actor_of(context)
    if prepare is not None:
        bundle = preparing.prepare_audit_key(context, actor, reason, prepare, after_restore=after_restore)
        show_prepared(bundle, prepare, as_json=as_json)
        return
    keys = offline_keys_of(context, offline_keys, passphrase, "patches")
    anchor = audit_key.new_audit_key(context, actor, reason, keys, after_restore=after_restore)
    known = anchor.known
    if as_json:
        print_json(
            AuditKeyDocument(
                number=anchor.number,
                key=known.key.hex(),
                entries=known.size,
                begins_again=after_restore,
                reason=anchor.reason,
            )
        )
        return
    say(f"PCs know the audit log by the key {known.key.hex()} from now on.")
    if after_restore:
        say(f"It begins again with {known.size} entries: PCs forget what they have seen of it before, and say why.")
    say("Keep a copy of audit-checkpoint elsewhere: those from before are signed with the key from before.")


def _alarm_table(found: Sequence[tuple["WitnessAlarmRow | CustodyFaultRow", str]]) -> RenderableType:
    table = FactTable()
    table.column(tr("host"), tr("when"))
    table.sentences(tr("because"))
    for one, words in found:
        table.row(one.hostname or one.endpoint_id or "?", utc_minute(one.at), sentences=[tr(words)], below=None)
    return table


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

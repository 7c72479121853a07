"""`seed-server status`: how far each patch is, and which PCs lack it."""

import click

from p2pdist.shared.console import json_option
from p2pdist.shared.watching import watch_option
from seed_server.commands.completing import endpoint_names, patch_names, site_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_option
from seed_server.commands.paging import paging_options, text_of
from seed_server.fleet.context import Context
from seed_server.fleet.standing import STATES, StatusQuestion


@click.command("status", cls=LookingCommand)
@home_option
@click.argument("patch_named", metavar="[PATCH]", required=False, shell_complete=patch_names)
@click.option(
    "--patch",
    default="",
    metavar="ID[@VERSION]",
    help="Of this patch, each PC; the same as PATCH.",
    shell_complete=patch_names,
)
@click.option(
    "--endpoint",
    default="",
    metavar="ENDPOINT",
    help="Of this PC, each patch: its id or host name.",
    shell_complete=endpoint_names,
)
@click.option(
    "--site", default="", metavar="NAME", help="Only PCs that were seen last at this site.", shell_complete=site_names
)
@click.option(
    "--reason", default="", metavar="CODE|WORDS",
    help="Only PCs that give this reason: words of it, in English or as the screens say it, or a code.",
)  # fmt: skip
@click.option(
    "--state",
    default="",
    metavar="STATE",
    type=click.Choice(["", *STATES]),
    help=f"Only PCs in it: {', '.join(STATES)}.",
)
@click.option("--lacking", is_flag=True, help="Only PCs that lack it; those too that are off or never said a word.")
@paging_options("Patches or PCs")
@json_option
@click.option("--json-lines", "as_lines", is_flag=True, help="Print one JSON document a line: each PC and patch.")
@watch_option
def status_command(
    context: Context,
    patch_named: str | None,
    patch: str,
    as_json: bool,
    as_lines: bool,
    watch: bool,
    **narrowing: str | int | bool,
) -> None:
    """Show how far each patch is in the fleet, and what needs a person; of PATCH, each PC.

    What is asked for may be combined. Off PCs and PCs that never said a word of a patch are counted, and lack it.

    Codes of --reason: blackout, clock, deferred, disk_full, exit_code, installer_busy, not_applicable, not_healthy,
    not_rolled_back, packages_missing, release, restart, window, withdrawn.

    \b
    Examples:
      seed-server status --home /srv/patches --watch
      seed-server status office                     its PCs one by one, bytes by source, sites
      seed-server status office --lacking --site leeds
      seed-server status --state failed --reason disk_full
      seed-server status --endpoint pc-0042         each patch of one PC
      seed-server status --lacking --json-lines | jq -r '[.patch, .hostname] | @tsv'
    """
    if patch and patch_named and patch != patch_named:
        raise click.UsageError("PATCH and --patch name two patches.")
    if as_lines and (as_json or watch):
        raise click.UsageError("--json-lines goes with neither --json nor --watch.")
    from seed_server.commands import status_output

    told = {name: text_of(value) if isinstance(value, str) else value for name, value in narrowing.items()}
    question = StatusQuestion(patch=text_of(patch or patch_named or ""), **told)  # type: ignore[arg-type]  # click's types
    status_output.show_status(context, question, as_json=as_json, as_lines=as_lines, watch=watch)

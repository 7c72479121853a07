"""`seed-server doctor`: what is wrong with the server, or with a site, and who can mend it."""

import click
import trio

from p2pdist.shared.console import ExitCode, json_option, print_json, terminal
from p2pdist.shared.findings_screen import findings_view
from p2pdist.shared.language import tr
from seed_server.commands.json_answers.doctor import ServerDoctorDocument
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_option
from seed_server.doctor.answers import Mending
from seed_server.fleet.context import Context


@click.command("doctor", cls=LookingCommand, short_help="Find what is wrong here or at a site, and who can mend it.")
@home_option
@json_option
def doctor_command(context: Context, as_json: bool) -> None:
    """Look at this server; say what is wrong, and who can mend it.

    It works whether the server runs or not, and changes nothing. Each check has a section in docs/doctor.md.

    \b
    Examples:
      seed-server doctor --home /srv/patches
      seed-server doctor --json | jq '.findings[] | select(.verdict == "wrong")'

    Exit code 0: nothing is wrong; 1: something is.
    """
    # what it looks with takes a while to load; other commands must not wait for that
    from seed_server.doctor.examination import look_at_server
    from seed_server.doctor.looks_ports import LookSeconds
    from seed_server.doctor.server_findings import judge_server

    document = ServerDoctorDocument(None, judge_server(trio.run(look_at_server, context, LookSeconds())))
    if as_json:
        print_json(document)
    else:
        terminal().print(findings_view(document.findings, _menders()))
    if any(finding.verdict == "wrong" for finding in document.findings):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _menders() -> dict[str, str]:
    headings: dict[Mending, str] = {
        "operator": tr("For the operator of the seed server:"),
        "administrator": tr("For the administrator of the PCs:"),
        "network": tr("For the network team:"),
    }
    return dict(headings)

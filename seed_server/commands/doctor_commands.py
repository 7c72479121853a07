"""`seed-server doctor`: what is wrong with the server, or with a site, and who can mend it."""

import click
import trio

from p2pdist.shared.console import ExitCode, json_option, print_json
from p2pdist.shared.findings_screen import findings_view
from p2pdist.shared.language import tr
from p2pdist.shared.terminal import terminal
from seed_server.answers.doctor import Mending, ServerDoctorDocument, SiteFinding
from seed_server.commands.completing import site_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_option
from seed_server.commands.paging import text_of
from seed_server.fleet.context import Context


@click.command("doctor", cls=LookingCommand)
@home_option
@click.option(
    "--site",
    default="",
    metavar="NAME",
    help="Look at this site and its PCs instead, as far as they say.",
    shell_complete=site_names,
)
@json_option
def doctor_command(context: Context, site: str, as_json: bool) -> None:
    """Look at this server, or at a site; say what is wrong, and who can mend it.

    It works whether the server runs or not, and changes nothing. Each check has a section in docs/doctor.md.

    \b
    Examples:
      seed-server doctor --home /srv/patches
      seed-server doctor --site leeds
      seed-server doctor --json | jq '.findings[] | select(.verdict == "wrong")'

    Exit code 0: nothing is wrong; 1: something is.
    """
    name = text_of(site)
    document = ServerDoctorDocument(name or None, _of_site(context, name) if name else _of_server(context))
    if as_json:
        print_json(document)
    else:
        terminal().print(findings_view(document.findings, _menders().items()))
    if any(finding.verdict == "wrong" for finding in document.findings):
        raise click.exceptions.Exit(ExitCode.FAILED)


# what they look with takes a while to load; other commands must not wait for that


def _of_server(context: Context) -> list[SiteFinding]:
    from seed_server.doctor.examination import look_at_server
    from seed_server.doctor.looks_ports import LookSeconds
    from seed_server.doctor.server_findings import judge_server

    return judge_server(trio.run(look_at_server, context, LookSeconds()))


def _of_site(context: Context, site: str) -> list[SiteFinding]:
    from seed_server.answers.site_findings import judge_site
    from seed_server.fleet.site_looks import look_at_site

    return judge_site(look_at_site(context, site))


def _menders() -> dict[Mending, str]:
    return {
        "operator": tr("For the operator of the seed server:"),
        "administrator": tr("For the administrator of the PCs:"),
        "network": tr("For the network team:"),
    }

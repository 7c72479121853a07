"""`p2pdist doctor`: what is wrong with this PC, its network and its way to the server, and who can mend it."""

import click
import trio
from rich.console import RenderableType

from p2pdist.commands.options import home_option
from p2pdist.local_api.doctor_answers import DoctorAnswer, Mender
from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.console import ExitCode, json_option, print_json
from p2pdist.shared.findings_screen import findings_view
from p2pdist.shared.language import tr
from p2pdist.shared.terminal import terminal


@click.command("doctor")
@home_option
@json_option
def doctor_command(home: EndpointHome, as_json: bool) -> None:
    """Look at this PC, its network and its way to the server; say what is wrong, and who can mend it.

    It works whether the daemon runs or not, and changes nothing. Each check has a section in docs/doctor.md.

    \b
    Examples:
      p2pdist doctor
      p2pdist doctor --json | jq '.findings[] | select(.verdict == "wrong")'

    Exit code 0: nothing is wrong; 1: something is.
    """
    # what it looks with takes a while to load; other commands must not wait for that
    from p2pdist.doctor.examination import look
    from p2pdist.doctor.judgement import judge
    from p2pdist.doctor.looks_way import LookTimes
    from p2pdist.shared.packet_size import with_safe_packets

    facts = trio.run(with_safe_packets(lambda: look(home, SystemClock(), LookTimes())))
    answer = DoctorAnswer(judge(facts))
    if as_json:
        print_json(answer)
    else:
        terminal().print(doctor_view(answer))
    if any(finding.verdict == "wrong" for finding in answer.findings):
        raise click.exceptions.Exit(ExitCode.FAILED)


def doctor_view(answer: DoctorAnswer) -> RenderableType:
    """Show each check, and below, by who can mend it, what is wrong and what to do: to be sent to them."""
    return findings_view(answer.findings, _menders().items())


def _menders() -> dict[Mender, str]:
    return {
        "owner": tr("For whom this PC belongs to:"),
        "administrator": tr("For the administrator of this PC:"),
        "network": tr("For the network team:"),
        "operator": tr("For the operator of the seed server:"),
    }

"""`p2pdist doctor`: what is wrong with this PC, its network and its way to the server, and who can mend it."""

import click
import trio
from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.commands.options import home_option
from p2pdist.local_api.doctor_answers import CheckFinding, DoctorAnswer, Mender, Verdict
from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.console import ExitCode, json_option, print_json, terminal
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.tables import FactTable

_STYLES: dict[Verdict, str] = {"fine": "green", "wrong": "red", "unknown": "yellow"}


@click.command("doctor", short_help="Find what is wrong here, and who can mend it.")
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
    table = FactTable()
    table.column(tr("check"), tr("answer"))
    table.sentences(tr("observed"))
    for finding in answer.findings:
        word = Text(_verdict(finding.verdict), style=_STYLES[finding.verdict])
        table.row(finding.code, word, sentences=["" if finding.verdict == "wrong" else in_words(finding.observed)])
    parts: list[RenderableType] = [table]
    for mender, heading in _menders().items():
        parts += _for(heading, [one for one in answer.findings if one.mender == mender])
    if len(parts) == 1:
        parts += ["", Text(tr("Nothing is wrong, as far as can be seen from here."), style="green")]
    return Group(*parts)


def _for(heading: str, findings: list[CheckFinding]) -> list[RenderableType]:
    if not findings:
        return []
    parts: list[RenderableType] = ["", Text(heading, style="bold")]
    for finding in findings:
        parts.append(Text(f"{finding.code}: {in_words(finding.observed)}", style="red"))
        parts.append(Text(f"  → {in_words(finding.remedy)}"))
    return parts


def _menders() -> dict[Mender, str]:
    return {
        "owner": tr("For whom this PC belongs to:"),
        "administrator": tr("For the administrator of this PC:"),
        "network": tr("For the network team:"),
        "operator": tr("For the operator of the seed server:"),
    }


def _verdict(verdict: Verdict) -> str:
    words: dict[Verdict, str] = {"fine": tr("fine"), "wrong": tr("wrong"), "unknown": tr("not known")}
    return words[verdict]

"""`seed-server posture-check`: is what a PC has signed of itself to be believed?"""

import contextlib
from typing import BinaryIO

import click
import msgspec

from p2pdist.shared.console import Duration, ExitCode, json_option, print_json, say
from p2pdist.shared.printable_text import printable
from p2pdist.shared.statement_check import MAX_STATEMENT_CHARS, Statement
from seed_server.answers.operations import PostureCheckDocument
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_option
from seed_server.commands.texts import utc_minute
from seed_server.fleet import queries
from seed_server.fleet.context import Context

LONGEST_AGE_DAYS = 1  # as long as the certificate that signs it


class _Printed(msgspec.Struct, frozen=True):
    """What `p2pdist posture --json` prints, as far as it is needed."""

    jws: str


@click.command("posture-check", cls=LookingCommand)
@home_option
@click.argument("file", type=click.File("rb"))
@click.option("--nonce", default="", metavar="TEXT", help="What it has to carry; without one, an old one may be shown.")
@click.option("--audience", default="", metavar="TEXT", help="Whom it has to be for; by default, everybody.")
@click.option(
    "--max-age",
    "seconds",
    type=Duration(LONGEST_AGE_DAYS),
    default="5m",
    show_default=True,
    metavar="TIME",
    help="How old it may be: 30s, 5m, 1h.",
)
@json_option
def posture_check_command(
    context: Context, file: BinaryIO, nonce: str, audience: str, seconds: int, as_json: bool
) -> None:
    """Check the statement in FILE ("-": standard input), as `p2pdist posture --json` prints it, or its JWS alone.

    It must be signed by a PC that is enrolled here and not denied, with a certificate that was valid then. Exits with
    0 when the PC is compliant, with 1 when it says itself that it is not, and with 5 when it is not to be believed.

    \b
    Example:
      ssh pc-7 p2pdist posture --json --nonce 5f0c2e… | seed-server posture-check - --nonce 5f0c2e…
    """
    text = file.read(2 * MAX_STATEMENT_CHARS).decode(errors="replace")  # the plain statement comes before the signed
    with contextlib.suppress(msgspec.DecodeError):  # else it is the JWS alone
        text = msgspec.json.decode(text, type=_Printed).jws
    statement = queries.check_posture(context, text, longest_seconds=seconds, nonce=nonce, audience=audience)
    if as_json:
        print_json(PostureCheckDocument(**{name: getattr(statement, name) for name in _SHOWN}))
    else:
        say(_words(statement))
    if not statement.compliant:
        raise SystemExit(ExitCode.FAILED)


_SHOWN = PostureCheckDocument.__struct_fields__


def _words(statement: Statement) -> str:
    verdict = "is compliant" if statement.compliant else "is not compliant"
    problem = f": {printable(statement.problem)}" if statement.problem else ""
    who = f"{printable(statement.hostname)} ({statement.endpoint_id})"
    return f"{who} {verdict}{problem}, it says at {utc_minute(statement.at)}."

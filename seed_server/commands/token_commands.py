"""`seed-server token`: make one, list them, revoke one."""

import click
from rich.console import RenderableType
from rich.text import Text

from p2pdist.shared.console import Duration, json_option, print_json, say
from p2pdist.shared.default_group import DefaultGroup
from p2pdist.shared.language import span, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import FactTable
from p2pdist.shared.terminal import wide_terminal
from p2pdist.shared.wire.enrolment import encode_token
from seed_server.answers.token_documents import token_document, token_made_document
from seed_server.commands.completing import token_ids
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, home_option, tags_option
from seed_server.commands.texts import counted, utc_minute
from seed_server.fleet import operations, queries
from seed_server.fleet.context import Context
from seed_server.fleet.operations import MAX_TOKEN_DAYS, MAX_TOKEN_USES
from seed_server.store.rows import TokenRow, TokenState

_STATE_STYLES = {"open": "green", "revoked": "red"}


class TokenGroup(DefaultGroup):
    """``token --uses 20`` is ``token new --uses 20``."""

    default = "new"


@click.group("token", cls=TokenGroup)
def token_group() -> None:
    """Print a token for `p2pdist enrol`, list the tokens, or revoke one. Without a command, it is `token new`.

    \b
    Examples:
      seed-server token --uses 20 --ttl 8h --tag kiosk > token.txt
      seed-server token list
      seed-server token revoke 5f0c6a1b92d4
    """


@token_group.command("new", short_help="Print a token that enrols PCs.")
@home_option
@click.option(
    "--uses",
    type=click.IntRange(1, MAX_TOKEN_USES),
    default=1,
    show_default=True,
    metavar="N",
    help="How many PCs it enrols, up to 100000.",
)
@click.option(
    "--ttl",
    type=Duration(MAX_TOKEN_DAYS),
    default="1h",
    show_default=True,
    metavar="TIME",
    help="How long it is valid: 90s, 30m, 8h, up to 30d.",
)
@tags_option
@click.option("--approve", "approval", is_flag=True, help="Refuse each of its PCs until `seed-server allow` names it.")
@click.option("--one-address", is_flag=True, help="While the server moves: for PCs of release 0.2.0.")
@json_option
def new_command(
    context: Context, uses: int, ttl: int, tags: tuple[str, ...], approval: bool, one_address: bool, as_json: bool
) -> None:
    """Print a token for `p2pdist enrol`: this server's address, its pins and a secret.

    It is a password: give it to PCs in a file that only their administrators can read.

    \b
    Example:
      seed-server token --home /srv/patches --uses 20 --ttl 8h --tag kiosk --tag branch-7
    """
    made = operations.make_token(
        context, actor_of(context), uses=uses, seconds=ttl, tags=tags, approval=approval, one_address=one_address
    )
    if as_json:
        print_json(token_made_document(made))
    else:
        click.echo(encode_token(made.token))


@token_group.command("list", cls=LookingCommand, short_help="List the tokens, and whom each has enrolled.")
@home_option
@json_option
def list_command(context: Context, as_json: bool) -> None:
    """List the tokens without their secrets, the newest first, and whom each has enrolled.

    Those that expired more than a month ago are not kept.

    \b
    Example:
      seed-server token list --json | jq -r '.[] | select(.state == "open") | .id'
    """
    tokens, now = queries.read_tokens(context), context.clock.now()
    if as_json:
        print_json([token_document(token, now) for token in tokens])
    elif tokens:
        wide_terminal().print(token_table(tokens, now))
    else:
        say("No tokens yet. Make one with 'seed-server token'.")


@token_group.command("revoke", short_help="Let a token enrol nobody from now on.")
@home_option
@click.argument("token_id", metavar="ID", shell_complete=token_ids)
def revoke_command(context: Context, token_id: str) -> None:
    """Let the token ID enrol nobody from now on. PCs that it has enrolled stay: `seed-server deny` is for them.

    \b
    Example:
      seed-server token revoke 5f0c6a1b92d4       'seed-server token list' lists the ids
    """
    token = operations.revoke_token(context, actor_of(context), token_id)
    say(f"Token {token.token_id} is revoked. It has enrolled {counted(len(token.enrolled), 'PC')}.")


def _state_words(state: TokenState, *, approval: bool) -> str:
    words = {"open": tr("open"), "used": tr("used up"), "expired": tr("expired"), "revoked": tr("revoked")}[state]
    return tr("{state}, asks for approval", state=words) if approval else words


def token_table(tokens: list[TokenRow], now: float) -> RenderableType:
    """Return the table of tokens for people."""
    table = FactTable()
    table.column(tr("token"), tr("state"), tr("made"), tr("expires"))
    table.column(tr("uses left"), right=True)
    headings = (tr("made by"), tr("tags"), tr("enrolled"))
    table.sentences(*headings)
    for token in tokens:
        state = token.state(now)
        left = utc_minute(token.expires_at)
        if state == "open":
            left = tr("in {duration}", duration=span(token.expires_at - now))
        said = (printable(token.made_by), " ".join(token.tags), " ".join(token.enrolled))
        told = tr("; ").join(f"{heading} {one}" for heading, one in zip(headings, said, strict=True) if one)
        table.row(
            token.token_id,
            Text(_state_words(state, approval=token.approval), style=_STATE_STYLES.get(state, "dim")),
            utc_minute(token.made_at),
            left,
            str(token.uses_left),
            sentences=said,
            below=Text.assemble((f"{token.token_id}: ", "bold"), told) if told else None,
        )
    return table

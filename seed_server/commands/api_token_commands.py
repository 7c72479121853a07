"""`seed-server api-token`: what programs act by."""

import click

from p2pdist.shared.console import Duration, json_option, print_json, say
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.people import ApiTokenMadeDocument
from seed_server.answers.people_documents import api_token_document
from seed_server.commands import people_views
from seed_server.commands.completing import api_token_ids, person_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, home_option
from seed_server.commands.people_commands import scope_options
from seed_server.fleet import api_token_operations, people_queries
from seed_server.fleet.api_token_operations import MAX_API_TOKEN_DAYS
from seed_server.fleet.context import Context
from seed_server.fleet.roles import PERMISSIONS


@click.group("api-token")
def api_token_group() -> None:
    """Make, list and revoke what programs act by: some of the rights of one account, for at most a year.

    \b
    Examples:
      seed-server --as alice api-token make "nightly build" --right publish --ttl 90d > token
      SEED_SERVER_API_TOKEN=$(cat token) seed-server publish office.msi --patch-id office --version 1.2
    """


@api_token_group.command("make", short_help="Print an API token.")
@home_option
@click.argument("label")
@click.option(
    "--right", "rights", multiple=True, required=True, type=click.Choice(list(PERMISSIONS)),
    help="What it may do; may be given several times.",
)  # fmt: skip
@scope_options
@click.option(
    "--ttl",
    type=Duration(MAX_API_TOKEN_DAYS),
    required=True,
    metavar="TIME",
    help="How long it is valid: 8h, 30d, up to 365d.",
)
@click.option(
    "--for",
    "owner",
    default="",
    metavar="NAME",
    help="Whom it speaks for; by default, your own account.",
    shell_complete=person_names,
)
@json_option
def make_command(
    context: Context,
    label: str,
    rights: tuple[str, ...],
    sites: tuple[str, ...],
    tags: tuple[str, ...],
    ttl: int,
    owner: str,
    as_json: bool,
) -> None:
    """Print an API token for the purpose LABEL. It is a password: keep it in a file that only its program can read.

    It has the rights that are named here, as far as its account still has them when it is used.

    \b
    Example:
      seed-server --as alice api-token make "nightly build" --right look --right publish --ttl 90d
    """
    made = api_token_operations.make_api_token(
        context, actor_of(context), label=label, seconds=ttl, permissions=("look", *rights), owner=owner, sites=sites,
        tags=tags,
    )  # fmt: skip
    if as_json:
        row = made.row
        shown = ApiTokenMadeDocument(
            token=made.text, id=row.token_id, owner=row.owner, rights=row.permissions, sites=row.sites, tags=row.tags,
            expires_at=row.expires_at,
        )  # fmt: skip
        print_json(shown)
    else:
        click.echo(made.text)


@api_token_group.command("list", cls=LookingCommand, short_help="List the API tokens, and when each was used.")
@home_option
@click.option("--for", "owner", metavar="NAME", help="Only those of this account.", shell_complete=person_names)
@json_option
def list_command(context: Context, owner: str | None, as_json: bool) -> None:
    """List the API tokens without their secrets, the newest first.

    Those that expired more than three months ago are not kept.

    \b
    Example:
      seed-server api-token list --json | jq -r '.[] | select(.used_at == null) | .id'
    """
    tokens, now = people_queries.read_api_tokens(context, owner), context.clock.now()
    if as_json:
        print_json([api_token_document(token, now) for token in tokens])
    elif tokens:
        wide_terminal().print(people_views.tokens_table(tokens, now))
    else:
        say("No API tokens. Make one with: seed-server api-token make")


@api_token_group.command("revoke", short_help="Let an API token speak for nobody from now on.")
@home_option
@click.argument("token_id", metavar="ID", shell_complete=api_token_ids)
def revoke_command(context: Context, token_id: str) -> None:
    """Let the API token ID speak for nobody from now on.

    \b
    Example:
      seed-server api-token revoke 5f0c6a1b92d4       'seed-server api-token list' lists the ids
    """
    token = api_token_operations.revoke_api_token(context, actor_of(context), token_id)
    say(f"The API token {token.token_id} of {token.owner} is revoked.")

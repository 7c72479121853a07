"""`seed-server endpoints`, `deny` and `allow`: which PCs are known and accepted here."""

from typing import Any

import click

from p2pdist.shared.console import json_option, say
from p2pdist.shared.default_group import DefaultGroup
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.wire.pc_findings import FINDING_CODES
from seed_server.commands.completing import endpoint_names, patch_names, site_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, home_option
from seed_server.commands.paging import paging_options, text_of
from seed_server.commands.texts import counted
from seed_server.fleet import endpoint_operations
from seed_server.fleet.context import Context
from seed_server.fleet.endpoint_operations import Denial
from seed_server.fleet.endpoint_pages import MAX_UNSEEN_DAYS, PC_STATES, EndpointsQuestion
from seed_server.fleet.standing import STATES
from seed_server.store.rows import ANY_FINDING

not_seen_option = click.option(
    "--not-seen-days",
    type=click.IntRange(1, MAX_UNSEEN_DAYS),
    metavar="DAYS",
    help="Only PCs that were not seen for so many days; of those that never were, not enrolled since.",
)


_reason_option = click.option("--reason", default="", metavar="TEXT", help="Why, in one line, for the audit log.")


class _EndpointsGroup(DefaultGroup):
    """``endpoints --json`` is ``endpoints list --json``."""

    default = "list"


@click.group("endpoints", cls=_EndpointsGroup)
def endpoints_group() -> None:
    """List the enrolled endpoints, show one, or forget those that are gone. Without a command, it is `endpoints list`.

    \b
    Examples:
      seed-server endpoints
      seed-server endpoints show pc-17
      seed-server endpoints forget --not-seen-days 180 --dry-run
    """


@endpoints_group.command("list", cls=LookingCommand, short_help="List the enrolled endpoints.")
@home_option
@click.option(
    "--site", default="", metavar="NAME", help="Only PCs that were seen last at this site.", shell_complete=site_names
)
@click.option("--state", metavar="STATE", type=click.Choice(PC_STATES), help=f"Only PCs in it: {', '.join(PC_STATES)}.")
@not_seen_option
@click.option("--begins", default="", metavar="TEXT", help="Only PCs whose host name or id begins so.")
@click.option("--tag", default="", metavar="TAG", help="Only PCs that have this tag.")
@click.option(
    "--finding",
    type=click.Choice([ANY_FINDING, *FINDING_CODES]),
    metavar="CODE",
    default=None,
    help=f"Only PCs that say this is wrong with them; {ANY_FINDING}: that anything is.",
)
@click.option(
    "--patch", default="", metavar="ID[@V]", help="The patch that the next two are about.", shell_complete=patch_names
)
@click.option("--patch-state", type=click.Choice(STATES), metavar="STATE", help="Only PCs on which it is so.")
@click.option("--lacking", is_flag=True, help="Only PCs that lack the patch.")
@click.option(
    "--sort",
    type=click.Choice(["name", "seen"]),
    default="name",
    help="By name, what is odd first; or those first that were not seen for the longest time.",
)
@paging_options("PCs")
@json_option
def list_command(context: Context, as_json: bool, **given: Any) -> None:
    """List the enrolled endpoints: id, host, site, address, tags, and whether each is connected.

    PCs about which something is odd, or that wait to be allowed, come first. --json lists all, by name.

    \b
    Examples:
      seed-server endpoints --site leeds --state away
      seed-server endpoints --not-seen-days 90 --sort seen
      seed-server endpoints --tag till --patch office --patch-state failed
      seed-server endpoints --json | jq -r '.[] | select(.connected | not) | .hostname'
    """
    from seed_server.commands import endpoints_view

    question = EndpointsQuestion(
        text_of(given["site"]),
        given["state"],
        given["size"],
        text_of(given["after"]),
        not_seen_days=given["not_seen_days"],
        by_seen=given["sort"] == "seen",
        tag=text_of(given["tag"]),
        begins=text_of(given["begins"]),
        finding=given["finding"] or "",
        patch=text_of(given["patch"]),
        patch_state=given["patch_state"] or "",
        lacking=given["lacking"],
    )
    endpoints_view.show_endpoints(context, question, as_json=as_json)


@endpoints_group.command("show", cls=LookingCommand, short_help="Show all that is known of one PC.")
@home_option
@click.argument("endpoint", metavar="ENDPOINT", shell_complete=endpoint_names)
@click.option("--packages", "with_packages", is_flag=True, help="Also list the packages that it has told.")
@json_option
def show_command(context: Context, endpoint: str, with_packages: bool, as_json: bool) -> None:
    """Show all that is known of ENDPOINT (its id, the beginning of it, or its host name): who and where it is, what it
    lacks and why, what is wrong with it, what it did last, and who is beside it.

    With which PCs it swaps pieces, only it knows: p2pdist peers, there.

    \b
    Examples:
      seed-server endpoints show pc-17
      seed-server endpoints show pc-17 --packages | grep openssl
      seed-server endpoints show c3q6 --json | jq '.patches[] | select(.reached == "failed")'
    """
    from seed_server.commands.endpoint_card_view import show_endpoint

    show_endpoint(context, text_of(endpoint), with_packages=with_packages, as_json=as_json)


@endpoints_group.command("unmanaged", cls=LookingCommand, short_help="List machines that are no enrolled PCs.")
@home_option
@click.option("--site", default="", metavar="NAME", help="Only those in this site.", shell_complete=site_names)
@json_option
def unmanaged_command(context: Context, site: str, as_json: bool) -> None:
    """List machines that PCs see beside them and that are not enrolled here: by how many, since when.

    PCs are asked only where server.toml has unmanaged_neighbours = true; docs/people.md says what they tell.

    \b
    Example:
      seed-server endpoints unmanaged --site leeds
    """
    from seed_server.commands.unmanaged_view import show_unmanaged

    show_unmanaged(context, text_of(site), as_json=as_json)


@endpoints_group.command("forget", short_help="Forget PCs that are gone for good.")
@home_option
@click.argument("endpoints", metavar="[ENDPOINT]...", nargs=-1, shell_complete=endpoint_names)
@not_seen_option
@click.option(
    "--site", default="", metavar="NAME", help="With --not-seen-days: only PCs of this site.", shell_complete=site_names
)
@click.option("--dry-run", is_flag=True, help="Only show which ones would be forgotten.")
@click.option("--even-many", is_flag=True, help="Also where more than a quarter of all PCs were not seen.")
@json_option
def forget_command(
    context: Context,
    endpoints: tuple[str, ...],
    not_seen_days: int | None,
    site: str,
    dry_run: bool,
    even_many: bool,
    as_json: bool,
) -> None:
    """Forget each ENDPOINT (its id, the beginning of it, or its host name), or by --not-seen-days all that were not
    seen for so long: PCs that are gone for good.

    They are counted nowhere any more, also not by rollouts under way; what they did stays in the history. They are not
    refused: one that comes back enrols with a new token, and goes on as who it was. To keep a PC out, deny it; denied
    PCs are not forgotten.

    \b
    Examples:
      seed-server endpoints forget old-laptop
      seed-server endpoints forget --not-seen-days 180 --dry-run
    """
    from seed_server.commands.forgetting import Forgetting, forget

    if bool(endpoints) == (not_seen_days is not None):
        raise click.UsageError("Name PCs, or give --not-seen-days.")
    if not_seen_days is None and (site or even_many):
        raise click.UsageError("--site and --even-many go with --not-seen-days.")
    asked = Forgetting(tuple(map(text_of, endpoints)), not_seen_days, text_of(site), dry_run, even_many)
    forget(context, actor_of(context), asked, as_json=as_json)


@click.command("deny")
@home_option
@click.argument("endpoint", metavar="ENDPOINT", shell_complete=endpoint_names)
@click.option("--keep-token", is_flag=True, help="Leave the token open with which it was enrolled.")
@_reason_option
def deny_command(context: Context, endpoint: str, keep_token: bool, reason: str) -> None:
    """Refuse ENDPOINT from now on: its connections end and its certificate is not renewed.

    ENDPOINT is its id, the beginning of it (4 characters or more), or its host name, with or without its domain.
    Where several PCs have it, they are listed.

    A PC can make itself a new key, so the token with which it was enrolled is revoked too.

    \b
    Example:
      seed-server deny stolen-laptop       'seed-server endpoints' lists names and ids
    """
    denial = endpoint_operations.deny(
        context, actor_of(context), endpoint, keep_tokens=keep_token, reason=text_of(reason)
    )
    say(
        f"{printable(denial.endpoint.hostname)} ({denial.endpoint.endpoint_id}) is denied. On its LAN, its certificate "
        "is good for at most 24 hours more."
    )
    for line in _words_on_tokens(denial):
        say(line)


def _words_on_tokens(denial: Denial) -> list[str]:
    if not denial.tokens_known:
        return ["It is not known which token enrolled it: look at 'seed-server token list', and revoke what is open."]
    lines = []
    for token in denial.revoked:
        others = f", and had enrolled {counted(len(token.enrolled) - 1, 'other PC')}" if token.enrolled[1:] else ""
        lines.append(f"Its token {token.token_id} is revoked: it was good for {token.uses_left} more{others}.")
    return lines + [
        f"Its token {token.token_id} stays open: the PC can enrol again with it under a new id."
        for token in denial.open_tokens
    ]


@click.command("allow")
@home_option
@click.argument("endpoint", metavar="ENDPOINT", shell_complete=endpoint_names)
@_reason_option
def allow_command(context: Context, endpoint: str, reason: str) -> None:
    """Accept ENDPOINT again, which is denied, or whose token asks for approval; named as for `deny`.

    \b
    Example:
      seed-server allow c3q6ydd2fa6fcjhw5mmendpzgi
    """
    allowed = endpoint_operations.allow(context, actor_of(context), endpoint, reason=text_of(reason))
    say(tr("{host} ({endpoint}) is allowed.", host=printable(allowed.hostname), endpoint=allowed.endpoint_id))

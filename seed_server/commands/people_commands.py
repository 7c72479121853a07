"""`seed-server people`: accounts, their roles, scopes, passwords and second factors."""

from collections.abc import Callable
from pathlib import Path

import click

from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import tr
from p2pdist.shared.terminal import terminal, wide_terminal
from seed_server.answers.people_documents import person_document, person_view_document
from seed_server.commands import acting, people_views
from seed_server.commands.acting import ask_new_password
from seed_server.commands.completing import person_names, site_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, home_option, read_passphrase
from seed_server.commands.session_commands import SESSION_COMMANDS
from seed_server.fleet import people_operations, people_queries
from seed_server.fleet.context import Context
from seed_server.fleet.qr_code import terminal_code
from seed_server.fleet.roles import ROLES
from seed_server.fleet.second_factor import NewSecondFactor

_ROLE = click.Choice(list(ROLES))


def _password_in(_context: click.Context, _parameter: click.Parameter, value: Path | None) -> str | None:
    if value is None:
        return None
    try:
        return read_passphrase(value).decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{value}, the password file, is not UTF-8.", FaultKind.BAD_INPUT) from error


_password_option = click.option(
    "--password-file",
    "password",
    metavar="FILE",
    type=click.Path(path_type=Path),
    callback=_password_in,
    help="File that holds the password, where nobody can be asked.",
)


def scope_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command ``--site`` and ``--tag``, as ``sites`` and ``tags``."""
    site = click.option(
        "--site",
        "sites",
        multiple=True,
        metavar="SITE",
        shell_complete=site_names,
        help="Only for PCs at this site; may be given several times.",
    )
    tag = click.option(
        "--tag", "tags", multiple=True, metavar="TAG", help="Only for PCs with this tag; may be given several times."
    )
    given: Callable[..., None] = site(tag(command))
    return given


@click.group("people")
def people_group() -> None:
    """Manage accounts: who may what, and for which PCs.

    \b
    Examples:
      seed-server people add alice --role operator --role approver
      seed-server people add nora --role network-admin --site oslo
      seed-server people show alice
      seed-server --as alice people totp alice
    """


for _command in SESSION_COMMANDS:
    people_group.add_command(_command)


@people_group.command("add", short_help="Make an account.")
@home_option
@click.argument("name")
@click.option("--role", "roles", multiple=True, required=True, type=_ROLE, help="May be given several times.")
@scope_options
@_password_option
@click.option("--no-password", is_flag=True, help="Let API tokens alone speak for it: an account of a program.")
@json_option
def add_command(
    context: Context,
    name: str,
    roles: tuple[str, ...],
    sites: tuple[str, ...],
    tags: tuple[str, ...],
    password: str | None,
    no_password: bool,
    as_json: bool,
) -> None:
    """Make the account NAME. Asks for its password.

    \b
    Example:
      seed-server people add alice --role operator
    """
    if password is None and not no_password:
        password = ask_new_password(name)
    made = people_operations.add_person(
        context, actor_of(context), name, roles=roles, sites=sites, tags=tags, password=password
    )
    if as_json:
        print_json(person_document(made))
        return
    say(f"The account {made.name} is made: {', '.join(made.roles)}.")
    if password is not None:
        say(f"A password alone is easily lost. Next: seed-server --as {made.name} people totp {made.name}")


@people_group.command("list", cls=LookingCommand, short_help="List the accounts.")
@home_option
@json_option
def list_command(context: Context, as_json: bool) -> None:
    """List the accounts, with their roles and what these are for.

    \b
    Example:
      seed-server people list --json | jq -r '.[] | select(.second_factor | not) | .name'
    """
    people = people_queries.read_people(context)
    if as_json:
        print_json([person_document(person) for person in people])
    elif people:
        wide_terminal().print(people_views.people_table(people))
    else:
        say("No accounts yet. Make one with: seed-server people add NAME --role administrator")


@people_group.command("show", cls=LookingCommand, short_help="Show all that an account may.")
@home_option
@click.argument("name", shell_complete=person_names)
@json_option
def show_command(context: Context, name: str, as_json: bool) -> None:
    """Show the account NAME: every right, whether it has it, by which role and for which PCs; and its API tokens.

    \b
    Example:
      seed-server people show alice
    """
    view, now = people_queries.read_person(context, name), context.clock.now()
    if as_json:
        print_json(person_view_document(view, now))
        return
    console = wide_terminal()
    console.print(people_views.people_table([view.person]))
    console.print()
    console.print(people_views.rights_table(view.rights))
    if view.tokens:
        console.print()
        console.print(people_views.tokens_table(view.tokens, now))


@people_group.command("role", short_help="Give an account roles in place of those before.")
@home_option
@click.argument("name", shell_complete=person_names)
@click.argument("roles", nargs=-1, required=True, type=_ROLE, metavar="ROLE...")
def role_command(context: Context, name: str, roles: tuple[str, ...]) -> None:
    """Give the account NAME these roles, in place of those before.

    \b
    Example:
      seed-server people role alice operator auditor
    """
    changed = people_operations.set_roles(context, actor_of(context), name, roles)
    say(f"The account {changed.name} has the roles: {', '.join(changed.roles)}.")


@people_group.command("scope", short_help="Limit an account to some sites and tags.")
@home_option
@click.argument("name", shell_complete=person_names)
@scope_options
@click.option("--whole-fleet", is_flag=True, help="Do not limit it.")
def scope_command(
    context: Context, name: str, sites: tuple[str, ...], tags: tuple[str, ...], whole_fleet: bool
) -> None:
    """Limit the account NAME to the PCs at some sites, and those with some tags, in place of the limit before.

    Whoever may stop rollouts and withdraw patches may do that for the whole fleet, whatever the limit.

    \b
    Examples:
      seed-server people scope nora --site oslo --site bergen --tag kiosk
      seed-server people scope nora --whole-fleet
    """
    if whole_fleet is bool(sites or tags):
        raise click.UsageError("Give --site and --tag, or --whole-fleet.")
    changed = people_operations.set_scope(context, actor_of(context), name, sites=sites, tags=tags)
    say(f"The rights of {changed.name} are for: {people_views.scope_words(changed.sites, changed.tags)}.")


@people_group.command("disable", short_help="Let an account do nothing any more.")
@home_option
@click.argument("name", shell_complete=person_names)
def disable_command(context: Context, name: str) -> None:
    """Let the account NAME, and its API tokens, do nothing any more; `people enable` takes it back.

    \b
    Example:
      seed-server people disable alice
    """
    changed = people_operations.set_disabled(context, actor_of(context), name, disabled=True)
    say(f"The account {changed.name} is disabled, and its API tokens with it.")


@people_group.command("enable", short_help="Let a disabled account act again.")
@home_option
@click.argument("name", shell_complete=person_names)
def enable_command(context: Context, name: str) -> None:
    """Let the account NAME act again, as far as its roles allow.

    \b
    Example:
      seed-server people enable alice
    """
    changed = people_operations.set_disabled(context, actor_of(context), name, disabled=False)
    say(f"The account {changed.name} is enabled.")


@people_group.command("password", short_help="Set the password of an account.")
@home_option
@click.argument("name", shell_complete=person_names)
@_password_option
def password_command(context: Context, name: str, password: str | None) -> None:
    """Set the password of the account NAME: one's own, or with the right 'people'.

    \b
    Example:
      seed-server --as alice people password alice
    """
    given = password if password is not None else ask_new_password(name)
    changed = people_operations.set_password(context, actor_of(context), name, given)
    say(f"The password of {changed.name} is set.")


@people_group.command("totp", short_help="Ask an account for codes of an app.")
@home_option
@click.argument("name", shell_complete=person_names)
@click.option("--remove", is_flag=True, help="Ask for no codes any more: the phone is lost.")
def totp_command(context: Context, name: str, remove: bool) -> None:
    """Ask the account NAME for a code of an authenticator app at each login. Shows a QR code for the app.

    With --remove, its keys are taken away too.

    \b
    Examples:
      seed-server --as alice people totp alice
      seed-server people totp alice --remove        the phone is lost
    """
    actor = actor_of(context)
    if remove:
        people_operations.remove_second_factor(context, actor, name)
        say(f"No code and no key is asked of {name} any more.")
        return
    if not acting.somebody_answers():
        raise UserError("A code of the app must be typed here: run this in a terminal.", FaultKind.USAGE)
    factor = people_queries.new_seed(context, name)
    _show(factor)
    code: str = click.prompt(tr("Code that the app shows now"), err=True)
    people_operations.set_second_factor(context, actor, name, factor.seed, code)
    say(f"From now on, {name} is asked for a code at each login. The next login needs the next code.")


def _show(factor: NewSecondFactor) -> None:
    """Show the QR code where it has room, and what to type else."""
    code, console = terminal_code(factor.url), terminal()
    if console.is_terminal and code.rows < console.height and code.columns <= console.width:
        click.echo(code.text, color=True)
    say(f"For the app: {factor.url}")
    say(f"Or typed: {factor.seed}")


@people_group.command("remove", short_help="Remove an account and its API tokens.")
@home_option
@click.argument("name", shell_complete=person_names)
def remove_command(context: Context, name: str) -> None:
    """Remove the account NAME and its API tokens. What it did stays in the records, under its name.

    \b
    Example:
      seed-server people remove alice
    """
    removed = people_operations.remove_person(context, actor_of(context), name)
    say(f"The account {removed.name} is removed, and its API tokens with it.")

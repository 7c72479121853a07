"""`seed-server people sessions`, `end-sessions` and `keys`: who is logged in with a browser, and by which keys."""

import click
from rich.text import Text

from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.sessions import SessionsEndedDocument, key_document, session_document
from seed_server.commands.completing import person_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, home_option
from seed_server.commands.texts import utc_minute
from seed_server.fleet.context import Context
from seed_server.fleet.passkey_operations import read_passkeys, remove_passkey
from seed_server.fleet.people_operations import require_own
from seed_server.fleet.web_sessions import end_sessions, read_sessions


@click.command("sessions", cls=LookingCommand, short_help="List where an account is logged in with a browser.")
@home_option
@click.argument("name", shell_complete=person_names)
@json_option
def sessions_command(context: Context, name: str, as_json: bool) -> None:
    """List the open sessions of the account NAME: one's own, or with the right 'people'.

    \b
    Example:
      seed-server people sessions alice
    """
    require_own(actor_of(context), context, name)
    found = read_sessions(context, name)
    if as_json:
        print_json([session_document(session) for session in found])
    elif not found:
        say(f"{name} is logged in with no browser.")
    else:
        table = FactTable()
        table.column(tr("session"), tr("began"), tr("last use"), tr("ends"))
        table.sentences(tr("logged in by"), tr("address"), tr("browser"))
        for one in found:
            said = (in_words(one.proof), printable(one.address), printable(one.browser))
            times = (utc_minute(one.created_at), utc_minute(one.used_at), utc_minute(one.ends_at))
            table.row(one.session_id, *times, sentences=said, below=_below(one.session_id, *said))
        wide_terminal().print(table)


@click.command("end-sessions", short_help="Log an account out of its browsers.")
@home_option
@click.argument("name", shell_complete=person_names)
@click.option("--session", "session_id", default="", metavar="ID", help="This one alone.")
@json_option
def end_sessions_command(context: Context, name: str, session_id: str, as_json: bool) -> None:
    """Log the account NAME out of all browsers: one's own, or with the right 'people'. Its API tokens stay.

    \b
    Example:
      seed-server people end-sessions alice
    """
    ended = end_sessions(context, actor_of(context), name, session_id)
    if as_json:
        print_json(SessionsEndedDocument(name, ended))
    else:
        say(f"Sessions of {name} that were ended: {ended}.")


@click.command("keys", short_help="List the keys of an account, or take one away.")
@home_option
@click.argument("name", shell_complete=person_names)
@click.option("--remove", "key_id", metavar="ID", help="Let this key open nothing any more: it is lost.")
@json_option
def keys_command(context: Context, name: str, key_id: str | None, as_json: bool) -> None:
    """List the keys (WebAuthn) of the account NAME: one's own, or with the right 'people'. They are added in a browser.

    \b
    Examples:
      seed-server people keys alice
      seed-server people keys alice --remove 5f0c6a1b92d4
    """
    actor = actor_of(context)
    require_own(actor, context, name)
    if key_id is not None:
        removed = remove_passkey(context, actor, name, key_id)
        if as_json:
            print_json([key_document(removed)])
        else:
            say(f"The key {printable(removed.name)} of {removed.person} opens nothing any more.")
        return
    found = read_passkeys(context, name)
    if as_json:
        print_json([key_document(key) for key in found])
    elif not found:
        say(f"{name} has no keys. They are added in a browser, on the page of one's own account.")
    else:
        table = FactTable()
        table.column(tr("key"), tr("added"), tr("last use"))
        table.sentences(tr("name"))
        for one in found:
            used = utc_minute(one.used_at) if one.used_at else tr("never")
            shown = printable(one.name)
            table.row(one.key_id, utc_minute(one.made_at), used, sentences=(shown,), below=_below(one.key_id, shown))
        wide_terminal().print(table)


def _below(name: str, *said: str) -> Text:
    return Text.assemble((f"{name}: ", "bold"), tr("; ").join(filter(None, said)))


SESSION_COMMANDS = (sessions_command, end_sessions_command, keys_command)
"""For `people_commands`."""

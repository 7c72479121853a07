"""`seed-server login` and `logout`: by the company's identity provider, in a browser."""

import os
import platform
from typing import TYPE_CHECKING

import click
import trio

from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import tr
from seed_server.answers.people import LoginDocument
from seed_server.commands.acting import names_an_account
from seed_server.commands.completing import person_names
from seed_server.commands.options import home_option
from seed_server.commands.people_views import scope_words
from seed_server.commands.texts import utc_minute
from seed_server.fleet import saved_logins
from seed_server.fleet.context import Context

if TYPE_CHECKING:
    from seed_server.fleet.identity_provider import IdentityProvider, ProvenIdentity


@click.command("login")
@home_option
@click.option(
    "--device", is_flag=True, help="Log in with a code, in a browser anywhere: nothing comes back to this machine."
)
@click.option("--no-browser", is_flag=True, help="Open no browser here: show the address alone.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    show_default="a free one",
    help="Port of this machine alone, on which the browser's answer is awaited.",
)
@json_option
def login_command(context: Context, device: bool, no_browser: bool, port: int, as_json: bool) -> None:
    """Log in by the identity provider that server.toml names, in a browser; later commands need only --as NAME.

    What you may is what your groups there say now. A login lasts 8 hours, or less where server.toml says so.

    \b
    Examples:
      seed-server login
      seed-server login --device        on a server without a browser
      seed-server login --no-browser --port 8400     and on your own machine: ssh -L 8400:127.0.0.1:8400 SERVER
    """
    from seed_server.fleet import provider_login
    from seed_server.fleet.identity_provider import IdentityProvider

    if names_an_account():
        raise click.UsageError("The identity provider says who you are: leave --as and --token-file out.")
    if device and (no_browser or port):
        raise click.UsageError("With --device nothing comes back to this machine: leave --no-browser and --port out.")
    provider = IdentityProvider(provider_login.provider_settings(context), context.home)
    identity = _by_device(context, provider) if device else _by_browser(context, provider, port, no_browser)
    made = provider_login.log_in(context, identity)
    saved_logins.save_login(context, made.person.name, made.token)
    person = made.person
    if as_json:
        print_json(LoginDocument(person.name, person.roles, person.sites, person.tags, made.ends_at))
        return
    scope = scope_words(person.sites, person.tags)
    say(f"You are {person.name}: {', '.join(person.roles)}; for: {scope}.")
    say(f"Until {utc_minute(made.ends_at)}, act with: seed-server --as {person.name} COMMAND")


def _by_browser(context: Context, provider: "IdentityProvider", port: int, no_browser: bool) -> "ProvenIdentity":
    from seed_server.commands import login_answer
    from seed_server.fleet.identity_provider import LoginAttempt

    with login_answer.listening(port) as listener:
        attempt = LoginAttempt(login_answer.redirect_uri(listener))
        wait = login_answer.AnswerWait(listener, attempt.state, provider.login_address(attempt))
        click.echo(f"{tr('Log in at this address, in a browser:')}\n\n  {wait.login_address}\n", err=True)
        answer = trio.run(lambda: wait.run(open_browser=not no_browser and _has_browser()))
        return provider.identity(attempt, answer, context.clock.now())


def _by_device(context: Context, provider: "IdentityProvider") -> "ProvenIdentity":
    from seed_server.commands.device_wait import device_identity

    login = provider.begin_device_login()
    lines = [tr("Log in at this address, in a browser:"), "", f"  {login.address}", "", tr("with this code:"), ""]
    lines += [f"  {login.user_code}", ""]
    if login.whole_address:
        lines += [tr("Or at this address, which has the code:"), "", f"  {login.whole_address}", ""]
    lines.append(
        tr("Give the code to nobody: whoever confirms it lets this terminal act as them. Ctrl+C ends the wait.")
    )
    click.echo("\n".join(lines), err=True)
    return device_identity(provider, login, context.clock)


def _has_browser() -> bool:
    """Whether a browser of this person's own can be seen here; none is started as root."""
    if platform.system() in ("Darwin", "Windows"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and os.geteuid() != 0


@click.command("logout")
@home_option
@click.argument("name", required=False, shell_complete=person_names)
def logout_command(context: Context, name: str | None) -> None:
    """End the login of NAME on this machine, or all of them; nothing acts by them any more.

    \b
    Example:
      seed-server logout
    """
    from seed_server.fleet import provider_login

    given = [name.strip().casefold()] if name is not None else saved_logins.names(context)
    ended = []
    for one in given:
        token = saved_logins.token_of(context, one)
        if token is None:
            continue
        provider_login.log_out(context, token)
        saved_logins.forget(context, one)
        ended.append(one)
    if name is not None and not ended:
        raise UserError(f"{name[:60]!r} is not logged in here, as this user.", FaultKind.BAD_INPUT)
    for one in ended:
        say(f"{one} is logged out.")
    if not ended:
        say("Nobody is logged in here, as this user.")

"""The `seed-server` command line."""

from pathlib import Path

import click
import trio

from p2pdist import __version__
from p2pdist.shared.console import json_option, print_json, run_command_line, say, with_language
from p2pdist.shared.logs import configure_log
from p2pdist.shared.priority import give_way
from p2pdist.shared.server_extra import need_server_extra
from p2pdist.shared.watching import watch_option
from seed_server.commands.acting import TOKEN_VARIABLE, ask_to_act
from seed_server.commands.api_token_commands import api_token_group
from seed_server.commands.approver_commands import approver_group
from seed_server.commands.audit_commands import audit_group
from seed_server.commands.doctor_commands import doctor_command
from seed_server.commands.endpoint_commands import allow_command, deny_command, endpoints_group
from seed_server.commands.exception_commands import exception_group
from seed_server.commands.json_answers.operations import InitDocument
from seed_server.commands.key_commands import keys_group
from seed_server.commands.login_commands import login_command, logout_command
from seed_server.commands.looking import LookingCommand
from seed_server.commands.offer_commands import list_command, offer_command, withdraw_command
from seed_server.commands.options import (
    actor_of,
    ask_passphrase,
    bare_home_option,
    home_option,
    offline_keys_of,
    offline_option,
    passphrase_option,
    prepare_option,
    settings_options,
)
from seed_server.commands.people_commands import people_group
from seed_server.commands.posture_commands import posture_check_command
from seed_server.commands.profile_commands import profile_group
from seed_server.commands.recipe_commands import lint_command, publish_command
from seed_server.commands.rollout_commands import rollout_group
from seed_server.commands.signing_commands import (
    finish_command,
    prepared_command,
    show_prepared,
    sign_command,
)
from seed_server.commands.status_commands import status_command
from seed_server.commands.template_commands import template_group
from seed_server.commands.texts import utc_minute
from seed_server.commands.token_commands import token_group
from seed_server.fleet import operations, preparing
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.service.supervisor import serve
from seed_server.settings import ServerSettings


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="seed-server")
@click.option(
    "--as",
    "as_name",
    metavar="NAME",
    help="Act as this account; asks for its password and code, if it is not logged in.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help=f"Act by the API token in this file; also from {TOKEN_VARIABLE}.",
)
def seed_server(as_name: str | None, token_file: Path | None) -> None:
    """Publish patches to a fleet, and follow them.

    \b
    Examples:
      seed-server init --name hq --address patches.example.com
      seed-server serve
      seed-server token                      one enrolment, within an hour
      seed-server publish office.msi --patch-id office --version 1.2 --severity high
      seed-server lint acme.toml && seed-server publish --recipe acme.toml
      seed-server status --watch
      seed-server --as alice withdraw acme --reason "crashes on start"

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not initialised, 5 refused (key, passphrase), 7 bad input,
    8 storage, 9 in use.
    """
    ask_to_act(as_name, token_file)
    configure_log("warning")  # commands say themselves what they did; `serve` sets its own level


@seed_server.command("init", short_help="Make the home of a new server.")
@bare_home_option
@settings_options
@click.option("--encrypt-keys", is_flag=True, help="Encrypt the offline keys; ask for the passphrase.")
@passphrase_option
@json_option
def init_command(
    context: Context,
    settings: ServerSettings,
    encrypt_keys: bool,
    passphrase: bytes | None,
    as_json: bool,
) -> None:
    """Make the home of a new server: keys, authorities, repository, database, settings.

    \b
    Example:
      seed-server init --home /srv/patches --name hq --address 192.0.2.10 --encrypt-keys

    The folder keys/offline can then be taken away; publish and renew need it, serve does not. Its keys are
    encrypted when a passphrase is given, or asked for by --encrypt-keys.
    """
    if encrypt_keys and passphrase is None:
        passphrase = ask_passphrase("Passphrase for the offline keys", confirm=True)
    home = context.home
    pins = initialise(home, settings, passphrase=passphrase, now=context.clock.now())
    if as_json:
        made = InitDocument(
            home=str(home.root),
            name=settings.name,
            address=settings.address,
            web_port=settings.web_port,
            origin_port=settings.origin_port,
            ca_pin=pins.ca.hex(),
            root_pin=pins.root.hex(),
            offline_keys=str(home.offline_keys),
            offline_keys_encrypted=passphrase is not None,
        )
        print_json(made)
        return
    encrypted = "are encrypted" if passphrase is not None else "are NOT encrypted"
    say(f"Initialised {settings.name} in {home.root}. Its offline keys {encrypted}.")
    say(f"Pin of its CA:         {pins.ca.hex()}")
    say(f"Pin of its trust root: {pins.root.hex()}  (tokens carry both; note this one outside of the server)")
    say(f"Take {home.offline_keys} to another machine, and sign there: see seed-server sign --help.")
    say(f"Back up {home.keys}.")
    say(f"Next: seed-server serve --home {home.root}")


@seed_server.command("serve", short_help="Serve endpoints, in the foreground.")
@bare_home_option
def serve_command(context: Context) -> None:
    """Serve endpoints, in the foreground; SIGTERM or Ctrl-C stops it cleanly.

    \b
    Example:
      seed-server serve --home /srv/patches
    """
    need_server_extra("fastapi", "h11")
    trio.run(serve, context.home)


seed_server.add_command(publish_command)
seed_server.add_command(lint_command)
seed_server.add_command(withdraw_command)
seed_server.add_command(offer_command)
seed_server.add_command(list_command)
seed_server.add_command(rollout_group)
seed_server.add_command(exception_group)
seed_server.add_command(sign_command)
seed_server.add_command(finish_command)
seed_server.add_command(prepared_command)
seed_server.add_command(keys_group)


@seed_server.command("renew", short_help="Sign the offline metadata anew before it expires.")
@home_option
@offline_option
@passphrase_option
@prepare_option
@click.option(
    "--after-restore", is_flag=True, help="Sign all of it: PCs may have seen newer versions than a backup holds."
)
def renew_command(
    context: Context, offline_keys: Path | None, passphrase: bytes | None, prepare: Path | None, after_restore: bool
) -> None:
    """Sign the offline metadata anew before it expires; content stays as it is.

    \b
    Example:
      seed-server renew --home /srv/patches --offline-keys /media/safe/offline
      seed-server renew --home /srv/patches --prepare renewal.bundle
    """
    if prepare is not None:
        bundle = preparing.prepare_renewal(context, actor_of(context), prepare, after_restore=after_restore)
        show_prepared(bundle, prepare, as_json=False)
        return
    keys = offline_keys_of(context, offline_keys, passphrase, "root")
    for expiry in operations.renew(context, actor_of(context), keys, after_restore=after_restore):
        say(f"{expiry.role} is valid until {utc_minute(expiry.expires_at)}")


seed_server.add_command(token_group)


seed_server.add_command(status_command)


@seed_server.command("sites", cls=LookingCommand, short_help="Show how fast each site is sent to, and why.")
@home_option
@json_option
@watch_option
def sites_command(context: Context, as_json: bool, watch: bool) -> None:
    """Show how fast each site is sent to, what binds, how long each reason held, and WAN bytes ÷ file.

    \b
    Examples:
      seed-server sites --watch
      seed-server sites --json | jq '.sites[] | select(.active) | {site, rate, reason}'
    """
    from seed_server.commands import sites_view

    sites_view.show_sites(context, as_json=as_json, watch=watch)


seed_server.add_command(doctor_command)
seed_server.add_command(profile_group)
seed_server.add_command(template_group)


seed_server.add_command(endpoints_group)
seed_server.add_command(deny_command)
seed_server.add_command(allow_command)
seed_server.add_command(posture_check_command)
seed_server.add_command(audit_group)


seed_server.add_command(login_command)
seed_server.add_command(logout_command)
seed_server.add_command(people_group)
seed_server.add_command(api_token_group)
seed_server.add_command(approver_group)


with_language(seed_server)


def main() -> None:
    """Run `seed-server`."""
    run_command_line(seed_server, obj=give_way)


if __name__ == "__main__":
    main()

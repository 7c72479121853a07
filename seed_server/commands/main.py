"""The `seed-server` command line."""

import datetime as dt
import secrets
import time
from pathlib import Path

import click
import trio

from p2pdist import __version__
from p2pdist.shared.console import configure_log, json_option, print_json, run_command_line
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import InvalidIdentifierError, parse_endpoint_id
from p2pdist.shared.watching import watch_option
from p2pdist.shared.wire.enrolment import MAX_SERVER_NAME_CHARS, SECRET_BYTES, Token, encode_token
from seed_server.commands.options import (
    Duration,
    ask_for_key,
    ask_passphrase,
    home_option,
    offline_option,
    passphrase_option,
    tags_option,
)
from seed_server.commands.profile_commands import profile_group
from seed_server.commands.recipe_commands import lint_command, publish_command
from seed_server.commands.template_commands import template_group
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.initialising import initialise
from seed_server.settings import ServerHome, ServerSettings, load_settings
from seed_server.signing.key_files import load_offline_key
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import OFFLINE_KEYS
from seed_server.store.database import Database

MAX_TOKEN_USES = 100_000  # one token for the imaging of a whole fleet


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="seed-server")
def seed_server() -> None:
    """Publish patches to a fleet, and follow them.

    \b
    Examples:
      export SEED_SERVER_HOME=/srv/patches
      seed-server init --name hq --address patches.example.com
      seed-server serve
      seed-server token                      one enrolment, within an hour
      seed-server publish office.msi --patch-id office --version 1.2 --severity high
      seed-server lint acme.toml && seed-server publish --recipe acme.toml
      seed-server status --watch

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not initialised, 5 refused (key, passphrase), 7 bad input,
    8 storage, 9 in use.
    """
    configure_log("warning")  # commands say themselves what they did; `serve` sets its own level


@seed_server.command("init", short_help="Make the home of a new server.")
@home_option
@click.option("--name", required=True, metavar="NAME", help="What endpoints and people call this server.")
@click.option("--address", required=True, metavar="HOST_OR_IP", help="Where endpoints reach it.")
@click.option(
    "--web-port", type=click.IntRange(1, 65_535), default=8443, show_default=True, metavar="PORT", help="HTTPS."
)
@click.option(
    "--origin-port", type=click.IntRange(1, 65_535), default=7690, show_default=True, metavar="PORT", help="Mutual TLS."
)
@click.option("--encrypt-keys", is_flag=True, help="Encrypt the offline keys; ask for the passphrase.")
@passphrase_option
@json_option
def init_command(
    home: ServerHome,
    name: str,
    address: str,
    web_port: int,
    origin_port: int,
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
    if len(name) > MAX_SERVER_NAME_CHARS or not name.strip():
        raise click.BadParameter(f"a name has 1 to {MAX_SERVER_NAME_CHARS} characters.", param_hint="--name")
    settings = ServerSettings(name=name, address=address, web_port=web_port, origin_port=origin_port)
    if encrypt_keys and passphrase is None:
        passphrase = ask_passphrase("Passphrase for the offline keys", confirm=True)
    initialise(home, settings, passphrase=passphrase, now=time.time())
    pin = CertificateAuthority.open(home.ca).control_ca_pin().hex()
    facts = {"home": str(home.root), "name": name, "address": address, "web_port": web_port}
    facts |= {"origin_port": origin_port, "ca_pin": pin, "offline_keys": str(home.offline_keys)}
    facts["offline_keys_encrypted"] = passphrase is not None
    if as_json:
        print_json(facts)
        return
    encrypted = "are encrypted" if passphrase is not None else "are NOT encrypted"
    click.echo(f"Initialised {name} in {home.root}. Its offline keys {encrypted}.")
    click.echo(f"Take {home.offline_keys} to a safe place when you do not publish; back up {home.keys}.")
    click.echo(f"Next: seed-server serve --home {home.root}")


@seed_server.command("serve", short_help="Serve endpoints, in the foreground.")
@home_option
def serve_command(home: ServerHome) -> None:
    """Serve endpoints, in the foreground; SIGTERM or Ctrl-C stops it cleanly.

    \b
    Example:
      seed-server serve --home /srv/patches
    """
    from seed_server import service  # other commands need not load the web server

    trio.run(service.serve, home)


seed_server.add_command(publish_command)
seed_server.add_command(lint_command)


@seed_server.command("renew", short_help="Sign the offline metadata anew before it expires.")
@home_option
@offline_option
@passphrase_option
def renew_command(home: ServerHome, offline_keys: Path | None, passphrase: bytes | None) -> None:
    """Sign the offline metadata anew before it expires; content stays as it is.

    \b
    Example:
      seed-server renew --home /srv/patches --offline-keys /media/safe/offline
    """
    folder = offline_keys or home.offline_keys
    repository = Repository.open(home, load_settings(home))
    passphrase = passphrase or ask_for_key(folder, "root")
    repository.renew_offline_roles(
        {name: load_offline_key(folder, name, passphrase) for name in OFFLINE_KEYS}, time.time()
    )
    for expiry in sorted(repository.expiries(), key=lambda expiry: expiry.expires_at):
        if expiry.offline:
            click.echo(f"{expiry.role} is valid until {_date(expiry.expires_at)}")


@seed_server.command("token", short_help="Print a token that enrols PCs.")
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
    type=Duration(),
    default="1h",
    show_default=True,
    metavar="TIME",
    help="How long it is valid: 90s, 30m, 8h, up to 30d.",
)
@tags_option
@json_option
def token_command(home: ServerHome, uses: int, ttl: int, tags: tuple[str, ...], as_json: bool) -> None:
    """Print a token for `p2pdist enrol`: this server's address, its CA's pin and a secret.

    \b
    Example:
      seed-server token --home /srv/patches --uses 20 --ttl 8h --tag kiosk --tag branch-7
    """
    settings = load_settings(home)
    pin = CertificateAuthority.open(home.ca).control_ca_pin()
    now, secret = time.time(), secrets.token_bytes(SECRET_BYTES)
    token = Token(address=settings.address, web_port=settings.web_port, ca_pin=pin, secret=secret)
    with Database.open(home.database) as database:
        database.add_token(secret, uses, now + ttl, now, tags)
    if as_json:
        print_json({"token": encode_token(token), "uses": uses, "expires_at": now + ttl, "tags": tags})
    else:
        click.echo(encode_token(token))


@seed_server.command("status", short_help="Show patches × endpoints, bytes by source, sites.")
@home_option
@json_option
@watch_option
def status_command(home: ServerHome, as_json: bool, watch: bool) -> None:
    """Show patches × endpoints, bytes by source, and sites.

    \b
    Example:
      seed-server status --home /srv/patches --watch
    """
    from seed_server.commands import status_view

    status_view.show_status(home, as_json=as_json, watch=watch)


@seed_server.command("sites", short_help="Show how fast each site is sent to, and why.")
@home_option
@json_option
@watch_option
def sites_command(home: ServerHome, as_json: bool, watch: bool) -> None:
    """Show how fast each site is sent to, what binds, how long each reason held, and WAN bytes ÷ file.

    \b
    Examples:
      seed-server sites --watch
      seed-server sites --json | jq '.sites[] | select(.active) | {site, rate, reason}'
    """
    from seed_server.commands import sites_view

    sites_view.show_sites(home, as_json=as_json, watch=watch)


seed_server.add_command(profile_group)
seed_server.add_command(template_group)


@seed_server.command("endpoints", short_help="List the enrolled endpoints.")
@home_option
@json_option
def endpoints_command(home: ServerHome, as_json: bool) -> None:
    """List the enrolled endpoints: id, host, site, address, tags, and whether each is connected.

    \b
    Example:
      seed-server endpoints --json | jq -r '.[] | select(.connected | not) | .hostname'
    """
    from seed_server.commands import status_view

    status_view.show_endpoints(home, as_json=as_json)


@seed_server.command("deny", short_help="Refuse an endpoint from now on.")
@home_option
@click.argument("endpoint_id")
def deny_command(home: ServerHome, endpoint_id: str) -> None:
    """Refuse an endpoint from now on: its connections end and its certificate is not renewed.

    \b
    Example:
      seed-server deny c3q6ydd2fa6fcjhw5mmendpzgi       'seed-server endpoints' lists the ids
    """
    _set_denied(home, endpoint_id, denied=True)
    click.echo(f"{endpoint_id} is denied. On its LAN, its certificate is good for at most 24 hours more.")


@seed_server.command("allow", short_help="Accept a denied endpoint again.")
@home_option
@click.argument("endpoint_id")
def allow_command(home: ServerHome, endpoint_id: str) -> None:
    """Accept a denied endpoint again.

    \b
    Example:
      seed-server allow c3q6ydd2fa6fcjhw5mmendpzgi
    """
    _set_denied(home, endpoint_id, denied=False)
    click.echo(f"{endpoint_id} is allowed.")


def _set_denied(home: ServerHome, endpoint_id: str, *, denied: bool) -> None:
    load_settings(home)
    try:
        checked = parse_endpoint_id(endpoint_id)
    except InvalidIdentifierError as error:
        raise UserError(f"{error} 'seed-server endpoints' lists them.", FaultKind.BAD_INPUT) from error
    with Database.open(home.database) as database:
        if database.endpoint(checked) is None:
            raise UserError(
                f"No endpoint {endpoint_id} is enrolled here. 'seed-server endpoints' lists them.", FaultKind.BAD_INPUT
            )
        database.set_denied(checked, denied)


def _date(seconds: float) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M} UTC"


def main() -> None:
    """Run `seed-server`."""
    run_command_line(seed_server)


if __name__ == "__main__":
    main()

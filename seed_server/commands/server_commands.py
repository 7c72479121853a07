"""`seed-server init`, `serve` and `renew`: the server itself."""

from pathlib import Path

import click

from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.server_extra import need_server_extra
from seed_server.answers.operations import InitDocument
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
from seed_server.commands.signing_commands import show_prepared
from seed_server.commands.texts import utc_minute
from seed_server.fleet import operations, preparing
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.settings.server_toml import ServerSettings


@click.command("init")
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
            api_port=settings.api_port,
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


@click.command("serve")
@bare_home_option
def serve_command(context: Context) -> None:
    """Serve endpoints, in the foreground; SIGTERM or Ctrl-C stops it cleanly.

    \b
    Example:
      seed-server serve --home /srv/patches
    """
    need_server_extra("fastapi", "h11")
    import trio

    from seed_server.service.supervisor import serve

    trio.run(serve, context.home)


@click.command("renew")
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

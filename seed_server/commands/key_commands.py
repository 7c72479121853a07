"""`seed-server keys`: list, new, set."""

from pathlib import Path
from typing import Literal

import click

from p2pdist.shared.console import json_option, print_json, say
from seed_server.answers.bundles import RoleKeysDocument
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, ask_passphrase, home_option, passphrase_option
from seed_server.commands.signing_commands import show_prepared
from seed_server.fleet import preparing, queries
from seed_server.fleet.context import Context
from seed_server.signer.new_key import make_key
from seed_server.signing.thresholds import short

_ROLES = click.Choice(["patches", "profiles"])


@click.group("keys")
def keys_group() -> None:
    """Which keys sign patches and profiles, and how many must.

    Two signers: the second makes a key, the root's holder adds it, and both sign that.

    \b
    Example:
      seed-server keys new patches --keys /media/bob
      seed-server keys set patches --add patches.pub --threshold 2 --prepare keys.bundle
      seed-server sign keys.bundle --keys /media/alice --allow-changes
      seed-server sign keys.bundle --keys /media/bob --root 1.root.json --allow-changes
      seed-server finish keys.bundle
    """


@keys_group.command("list", cls=LookingCommand, short_help="List the trusted keys.")
@home_option
@json_option
def list_command(context: Context, as_json: bool) -> None:
    """List the keys that endpoints trust for each offline role, and how many of them must sign.

    \b
    Example:
      seed-server keys list
    """
    roles = queries.read_role_keys(context)
    if as_json:
        print_json([RoleKeysDocument(one.role, one.threshold, one.keyids) for one in roles])
        return
    for one in roles:
        say(f"{one.role}: {one.threshold} of {len(one.keyids)} keys: {', '.join(map(short, one.keyids))}")


@keys_group.command("new", short_help="Make a key, on the signer's machine.")
@click.argument("role", type=_ROLES)
@click.option("--keys", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Where to make it.")
@click.option("--encrypt-keys", is_flag=True, help="Encrypt it; ask for the passphrase.")
@passphrase_option
def new_command(role: Literal["patches", "profiles"], keys: Path, encrypt_keys: bool, passphrase: bytes | None) -> None:
    """Make a key for ROLE in DIR. Its private half never leaves DIR; ROLE.pub goes to the server.

    \b
    Example:
      seed-server keys new patches --keys /media/bob --encrypt-keys
    """
    if encrypt_keys and passphrase is None:
        passphrase = ask_passphrase("Passphrase for the new key", confirm=True)
    made = make_key(keys, role, passphrase)
    key = short(made.keyid)
    say(
        f"Made the {role} key {key}; it is encrypted."
        if passphrase
        else f"Made the {role} key {key}; it is NOT encrypted."
    )
    say(f"Next, on the server: seed-server keys set {role} --add {made.public.name} --prepare BUNDLE")


@keys_group.command("set", short_help="Add or remove keys, or change how many must sign.")
@home_option
@click.argument("role", type=_ROLES)
@click.option(
    "--add", "added", multiple=True, metavar="FILE.pub", type=click.Path(path_type=Path), help="A key to trust too."
)
@click.option("--remove", "removed", multiple=True, metavar="ID", help="A key that is trusted no more.")
@click.option("--threshold", type=click.IntRange(1, 16), metavar="N", help="How many signatures are needed.")
@click.option(
    "--prepare",
    "bundle",
    required=True,
    metavar="BUNDLE",
    type=click.Path(path_type=Path),
    help="What is to sign.",
)
def set_command(
    context: Context,
    role: Literal["patches", "profiles"],
    added: tuple[Path, ...],
    removed: tuple[str, ...],
    threshold: int | None,
    bundle: Path,
) -> None:
    """Prepare a change of the keys of ROLE: the root key signs it, and as many keys of ROLE as are needed then.

    \b
    Examples:
      seed-server keys set patches --add bob.pub --threshold 2 --prepare keys.bundle
      seed-server keys set patches --remove 1a2b3c4d --threshold 1 --prepare keys.bundle
    """
    prepared = preparing.prepare_keys(
        context, actor_of(context), role, bundle, add=added, remove=removed, threshold=threshold
    )
    show_prepared(prepared, bundle, as_json=False)

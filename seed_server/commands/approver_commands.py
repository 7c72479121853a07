"""`seed-server approver`: whose word PCs want before they take a rollout."""

from pathlib import Path

import click

from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.printable_text import printable
from seed_server.answers.people_documents import approvers_document
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import (
    actor_of,
    ask_passphrase,
    home_option,
    offline_keys_of,
    offline_option,
    passphrase_option,
    prepare_option,
)
from seed_server.commands.signing_commands import show_prepared
from seed_server.commands.texts import utc_minute
from seed_server.fleet import approver_list, preparing
from seed_server.fleet.context import Context
from seed_server.signer.new_key import make_key


@click.group("approver")
def approver_group() -> None:
    """Name whose word PCs want before they take a rollout: whoever steals this server cannot give it.

    Each approver makes a key on a machine of their own; the offline key signs the list of them.

    \b
    Example:
      seed-server approver new-key --keys ~/approver                 each on their own machine
      seed-server approver set approvers.toml --offline-keys /media/safe/offline
    """


@approver_group.command("new-key", short_help="Make a key, on the approver's machine.")
@click.option("--keys", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Where to make it.")
@passphrase_option
def new_key_command(keys: Path, passphrase: bytes | None) -> None:
    """Make an approver's key in DIR; asks for its passphrase. Its private half never leaves DIR.

    \b
    Example:
      seed-server approver new-key --keys ~/approver
    """
    if passphrase is None:
        passphrase = ask_passphrase("Passphrase for the new key", confirm=True)
    made = make_key(keys, "approver", passphrase)
    say(f"Made the key {made.public.with_suffix('.pem')}; it is encrypted.")
    say(f"Next: bring {made.public.name} to who keeps the list of approvers, as YOUR-ACCOUNT.pub.")


@approver_group.command("set", short_help="Sign the list of approvers.")
@home_option
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--nobody", is_flag=True, help="Want nobody's word any more.")
@offline_option
@passphrase_option
@prepare_option
def set_command(
    context: Context,
    file: Path | None,
    nobody: bool,
    offline_keys: Path | None,
    passphrase: bytes | None,
    prepare: Path | None,
) -> None:
    """Sign the list in FILE, in place of the one before: from then on, PCs install nothing that is newly published
    without so many approvals.

    \b
    Example of FILE, with the keys beside it:
      required = 1
      [keys]
      alice = "alice.pub"
      bob = "bob.pub"

    \b
    Examples:
      seed-server approver set approvers.toml
      seed-server approver set approvers.toml --prepare approvers.bundle
      seed-server approver set --nobody
    """
    if nobody is (file is not None):
        raise click.UsageError("Give FILE, or --nobody.")
    if prepare is not None:
        bundle = preparing.prepare_approvers(context, actor_of(context), file, prepare)
        show_prepared(bundle, prepare, as_json=False)
        return
    keys = offline_keys_of(context, offline_keys, passphrase, "patches")
    approvers = approver_list.set_approvers(context, actor_of(context), file, keys)
    if approvers is None:
        say("PCs want nobody's word any more.")
    else:
        say(f"PCs want the word of {approvers.required} of: {', '.join(sorted(approvers.keys))}.")


@approver_group.command("list", cls=LookingCommand, short_help="List the approvers.")
@home_option
@json_option
def list_command(context: Context, as_json: bool) -> None:
    """List the approvers whose keys PCs know, and how many of them must approve.

    \b
    Example:
      seed-server approver list
    """
    approvers = approver_list.read_approvers(context)
    if as_json:
        print_json(approvers_document(approvers))
    elif approvers is None:
        say("PCs want nobody's word. Change that with: seed-server approver set FILE")
    else:
        say(f"{approvers.required} must approve a patch, {approvers.required_in_emergency} in an emergency.")
        say(f"It holds for what is published after {utc_minute(approvers.since)}.")
        for name, key in sorted(approvers.keys.items()):
            click.echo(f"{printable(name)}: {key.hex()}")

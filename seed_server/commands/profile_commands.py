"""`seed-server profile`: set, show, clear."""

from pathlib import Path

import click

from p2pdist.shared.console import json_option, print_json
from p2pdist.shared.language import tr
from seed_server.answers.signed import ProfileDocument, ProfileNameDocument
from seed_server.commands.completing import site_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import (
    actor_of,
    home_option,
    offline_keys_of,
    offline_option,
    passphrase_option,
    prepare_option,
)
from seed_server.commands.signing_commands import show_prepared
from seed_server.fleet import operations, preparing, queries
from seed_server.fleet.context import Context
from seed_server.fleet.names import check_site_known


@click.group("profile")
def profile_group() -> None:
    """Set, show or clear a site's throttle profile.

    A running server uses a change within a second, and tells the site's PCs; it stays in force over restarts.
    """


@profile_group.command("set", short_help="Sign FILE as the profile of SITE.")
@home_option
@click.argument("site", shell_complete=site_names)
@click.argument("file", type=click.Path(path_type=Path))
@offline_option
@passphrase_option
@prepare_option
@click.option("--new-site", is_flag=True, help="Sign it although no site of that name is known yet.")
def set_command(
    context: Context,
    site: str,
    file: Path,
    offline_keys: Path | None,
    passphrase: bytes | None,
    prepare: Path | None,
    new_site: bool,
) -> None:
    """Sign FILE as the profile of SITE, in place of the one before.

    \b
    Example:
      seed-server profile set oslo office-hours.toml       'bandwidth check' and 'explain' say what it means
    """
    if not new_site:
        check_site_known(context, site)
    if prepare is not None:
        show_prepared(
            preparing.prepare_profile(context, actor_of(context), site, file, prepare), prepare, as_json=False
        )
        return
    keys = offline_keys_of(context, offline_keys, passphrase, "profiles")
    document = operations.set_profile(context, actor_of(context), site, file, keys)
    click.echo(tr("The profile {name} is in force at {site}.", name=repr(document.profile().name), site=document.site))


@profile_group.command("show", cls=LookingCommand, short_help="Print the profile of SITE, or list all.")
@home_option
@click.argument("site", required=False, shell_complete=site_names)
@json_option
def show_command(context: Context, site: str | None, as_json: bool) -> None:
    """Print the profile of SITE as it was signed, or list the sites that have one.

    \b
    Example:
      seed-server profile show oslo > oslo.toml
    """
    if site is None:
        _list(context, as_json=as_json)
        return
    document = queries.read_profile(context, site)
    if as_json:
        shown = ProfileDocument(site=document.site, name=document.profile().name, text=document.text)
        print_json(shown)
    else:
        click.echo(document.text, nl=not document.text.endswith("\n"))


def _list(context: Context, *, as_json: bool) -> None:
    profiles = [
        ProfileNameDocument(site=document.site, name=document.profile().name)
        for document in queries.read_all_profiles(context)
    ]
    if as_json:
        print_json(profiles)
    elif profiles:
        for profile in profiles:
            click.echo(f"{profile.site}: {profile.name}")
    else:
        click.echo(tr("No site has a profile: every site is sent to as its line allows."))


@profile_group.command("clear", short_help="Take away the profile of SITE.")
@home_option
@click.argument("site", shell_complete=site_names)
@offline_option
@passphrase_option
@prepare_option
def clear_command(
    context: Context, site: str, offline_keys: Path | None, passphrase: bytes | None, prepare: Path | None
) -> None:
    """Take away the profile of SITE: it is sent to as its line allows.

    \b
    Example:
      seed-server profile clear oslo
    """
    if prepare is not None:
        show_prepared(
            preparing.prepare_profile(context, actor_of(context), site, None, prepare), prepare, as_json=False
        )
        return
    keys = offline_keys_of(context, offline_keys, passphrase, "profiles")
    operations.clear_profile(context, actor_of(context), site, keys)
    click.echo(tr("{site} has no profile any more.", site=site))

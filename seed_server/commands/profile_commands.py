"""`seed-server profile`: set, show, clear."""

from pathlib import Path

import click

from p2pdist.shared.console import json_option, print_json
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.commands.options import ask_for_key, home_option, offline_option, passphrase_option
from seed_server.settings import ServerHome, load_settings
from seed_server.signing.profiles import ProfileSigner, checked_site, clear_profile, read_profiles, set_profile
from seed_server.signing.repository import Repository


@click.group("profile", short_help="Set, show or clear a site's throttle profile.")
def profile_group() -> None:
    """Set, show or clear a site's throttle profile.

    A running server uses a change within a second, and tells the site's PCs; it stays in force over restarts.
    """


def _signer(home: ServerHome, offline_keys: Path | None, passphrase: bytes | None) -> ProfileSigner:
    return ProfileSigner(home, offline_keys, passphrase or ask_for_key(offline_keys or home.offline_keys, "profiles"))


@profile_group.command("set", short_help="Sign FILE as the profile of SITE.")
@home_option
@click.argument("site")
@click.argument("file", type=click.Path(path_type=Path))
@offline_option
@passphrase_option
def set_command(home: ServerHome, site: str, file: Path, offline_keys: Path | None, passphrase: bytes | None) -> None:
    """Sign FILE as the profile of SITE, in place of the one before.

    \b
    Example:
      seed-server profile set oslo office-hours.toml       'bandwidth check' and 'explain' say what it means
    """
    document = set_profile(_signer(home, offline_keys, passphrase), site, file)
    click.echo(f"The profile {document.profile().name!r} is in force at {document.site}.")


@profile_group.command("show", short_help="Print the profile of SITE, or list all.")
@home_option
@click.argument("site", required=False)
@json_option
def show_command(home: ServerHome, site: str | None, as_json: bool) -> None:
    """Print the profile of SITE as it was signed, or list the sites that have one.

    \b
    Example:
      seed-server profile show oslo > oslo.toml
    """
    profiles = read_profiles(Repository.open(home, load_settings(home)))
    if site is not None:
        document = profiles.get(checked_site(site))
        if document is None:
            raise UserError(f"Site {site} has no profile. 'seed-server profile show' lists them.", FaultKind.BAD_INPUT)
        if as_json:
            print_json({"site": document.site, "name": document.profile().name, "text": document.text})
        else:
            click.echo(document.text, nl=not document.text.endswith("\n"))
        return
    names = {name: document.profile().name for name, document in sorted(profiles.items())}
    if as_json:
        print_json([{"site": site, "name": name} for site, name in names.items()])
    elif names:
        for site_name, name in names.items():
            click.echo(f"{site_name}: {name}")
    else:
        click.echo("No site has a profile: every site is sent to as its line allows.")


@profile_group.command("clear", short_help="Take away the profile of SITE.")
@home_option
@click.argument("site")
@offline_option
@passphrase_option
def clear_command(home: ServerHome, site: str, offline_keys: Path | None, passphrase: bytes | None) -> None:
    """Take away the profile of SITE: it is sent to as its line allows.

    \b
    Example:
      seed-server profile clear oslo
    """
    clear_profile(_signer(home, offline_keys, passphrase), site)
    click.echo(f"{site} has no profile any more.")

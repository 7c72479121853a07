"""`bandwidth profiles`: the shipped profiles, to be read and to be copied."""

import os
from pathlib import Path

import click

from bandwidth.commands.console import InputError
from bandwidth.commands.profile_commands import load
from bandwidth.profiles.shipped import NAMES, shipped_text

name_argument = click.argument("name", type=click.Choice(NAMES))


@click.group("profiles", short_help="List, show and copy the shipped profiles.")
def profiles_group() -> None:
    """List, show and copy the shipped profiles: a start for your own.

    \b
    Examples:
      bandwidth profiles list
      bandwidth profiles copy office-hours branches.toml

    Exit codes: 0 done, 2 wrong usage, 7 bad input.
    """


@profiles_group.command("list", short_help="List the shipped profiles.")
def list_command() -> None:
    """List the shipped profiles, and what each is for.

    \b
    Example:
      bandwidth profiles list
    """
    for name in NAMES:
        click.echo(f"{name:<14}{load(name).description}")


@profiles_group.command("show", short_help="Print a shipped profile.")
@name_argument
def show_command(name: str) -> None:
    """Print a shipped profile: its text, with what each part means.

    \b
    Example:
      bandwidth profiles show gentle
    """
    click.echo(shipped_text(name), nl=False)


@profiles_group.command("copy", short_help="Write a shipped profile to a file of yours.")
@name_argument
@click.argument("to", required=False, type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def copy_command(name: str, to: Path | None, force: bool) -> None:
    """Write a shipped profile to the file TO, by default NAME.toml here; into a folder, under its own name.

    \b
    Examples:
      bandwidth profiles copy office-hours
      bandwidth profiles copy overnight branches.toml
    """
    file = Path(f"{name}.toml") if to is None else to
    if file.is_dir():
        file /= f"{name}.toml"
    _write_new(file, shipped_text(name), force=force)
    shown = click.format_filename(file)
    click.echo(f"written: {shown}")
    click.echo(f"Next: edit it, then 'bandwidth check {shown}', and 'seed-server profile set SITE {shown}'.")


def _write_new(file: Path, text: str, *, force: bool) -> None:
    try:
        # exclusively: between a look and a write, another could make it
        with file.open("w" if force else "x", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
    except FileExistsError:
        shown = click.format_filename(file)
        raise InputError(
            f"{shown} is there already, and is kept. Name another file, or give --force to write over it."
        ) from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InputError(f"Cannot write {click.format_filename(file)}: {reason}.") from error

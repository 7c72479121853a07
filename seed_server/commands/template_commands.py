"""`seed-server template`: set, remove, list, show, lint."""

from pathlib import Path

import click

from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.signed import TemplateNameDocument
from seed_server.answers.signed_documents import findings_document
from seed_server.commands.completing import template_names
from seed_server.commands.findings_view import findings_tables
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
from seed_server.commands.texts import counted
from seed_server.fleet import operations, preparing, queries
from seed_server.fleet.context import Context
from seed_server.signing.templates import template_in_file


@click.group("template")
def template_group() -> None:
    """Ask every PC what it needs, and show the answers; nothing is installed by it.

    PCs answer a new template within their next refresh, and again whenever an answer changes.
    """


@template_group.command("set", short_help="Sign FILE as the template NAME.")
@home_option
@click.argument("name", shell_complete=template_names)
@click.argument("file", type=click.Path(path_type=Path))
@offline_option
@passphrase_option
@prepare_option
def set_command(
    context: Context,
    name: str,
    file: Path,
    offline_keys: Path | None,
    passphrase: bytes | None,
    prepare: Path | None,
) -> None:
    """Sign FILE as the template NAME, in place of the one before, whose answers are forgotten.

    \b
    Example:
      seed-server template set openssl-2026 openssl.toml
    """
    if prepare is not None:
        show_prepared(
            preparing.prepare_template(context, actor_of(context), name, file, prepare), prepare, as_json=False
        )
        return
    keys = offline_keys_of(context, offline_keys, passphrase, "patches")
    template = operations.set_template(context, actor_of(context), name, file, keys)
    say(f"Every PC is asked {template.name}: {counted(len(template.items), 'item')}.")


@template_group.command("remove", short_help="Take away the template NAME.")
@home_option
@click.argument("name", shell_complete=template_names)
@offline_option
@passphrase_option
@prepare_option
def remove_command(
    context: Context, name: str, offline_keys: Path | None, passphrase: bytes | None, prepare: Path | None
) -> None:
    """Take away the template NAME, and all answers to it.

    \b
    Example:
      seed-server template remove openssl-2026
    """
    if prepare is not None:
        show_prepared(
            preparing.prepare_template(context, actor_of(context), name, None, prepare), prepare, as_json=False
        )
        return
    keys = offline_keys_of(context, offline_keys, passphrase, "patches")
    operations.remove_template(context, actor_of(context), name, keys)
    say(f"{name} is not asked any more.")


@template_group.command("list", cls=LookingCommand, short_help="List the templates.")
@home_option
@json_option
def list_command(context: Context, as_json: bool) -> None:
    """List the templates that every PC is asked.

    \b
    Example:
      seed-server template list
    """
    templates = queries.read_all_templates(context)
    if as_json:
        shown = [TemplateNameDocument(name=one.name, title=one.title, items=len(one.items)) for one in templates]
        print_json(shown)
    elif templates:
        for one in templates:
            say(f"{one.name}: {one.title} ({counted(len(one.items), 'item')})")
    else:
        say("No templates yet. Sign one with: seed-server template set NAME FILE.toml")


@template_group.command("show", cls=LookingCommand, short_help="Show which PCs need what.")
@home_option
@click.argument("name", shell_complete=template_names)
@json_option
def show_command(context: Context, name: str, as_json: bool) -> None:
    """Show which PCs need what, by what they have answered to the template NAME.

    \b
    Examples:
      seed-server template show openssl-2026
      seed-server template show openssl-2026 --json |
          jq -r '.endpoints[] | select(.answers[].needed) | .hostname'
    """
    findings = queries.read_findings(context, name)
    if as_json:
        print_json(findings_document(findings))
    else:
        wide_terminal().print(findings_tables(findings))


@template_group.command("lint", cls=LookingCommand, short_help="Check FILE without signing it.")
@click.argument("file", type=click.Path(path_type=Path))
def lint_command(file: Path) -> None:
    """Check FILE without signing it: its keys, its expressions and its checks.

    \b
    Example:
      seed-server template lint openssl.toml
    """
    template = template_in_file(file, "lint")
    say(f"{file} is good: {counted(len(template.items), 'item')}.")

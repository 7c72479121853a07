"""`seed-server template`: set, remove, list, show, lint."""

from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from p2pdist.shared.console import json_option, print_json, printable, wide_terminal
from seed_server.commands.options import ask_for_key, home_option, offline_option, passphrase_option
from seed_server.settings import ServerHome, load_settings
from seed_server.signing.repository import Repository
from seed_server.signing.templates import (
    Findings,
    TemplateSigner,
    read_file,
    read_findings,
    read_templates,
    remove_template,
    set_template,
)
from seed_server.store.schema import DiagnosisRow

MAX_ENDPOINT_ROWS = 200  # of a table for people; --json has all


@click.group("template", short_help="Ask every PC what it needs, and show the answers.")
def template_group() -> None:
    """Ask every PC what it needs, and show the answers; nothing is installed by it.

    PCs answer a new template within their next refresh, and again whenever an answer changes.
    """


def _signer(home: ServerHome, offline_keys: Path | None, passphrase: bytes | None) -> TemplateSigner:
    return TemplateSigner(home, offline_keys, passphrase or ask_for_key(offline_keys or home.offline_keys, "patches"))


@template_group.command("set", short_help="Sign FILE as the template NAME.")
@home_option
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@offline_option
@passphrase_option
def set_command(home: ServerHome, name: str, file: Path, offline_keys: Path | None, passphrase: bytes | None) -> None:
    """Sign FILE as the template NAME, in place of the one before, whose answers are forgotten.

    \b
    Example:
      seed-server template set openssl-2026 openssl.toml
    """
    template = set_template(_signer(home, offline_keys, passphrase), name, file)
    click.echo(f"Every PC is asked {template.name}: {len(template.items)} {_items(len(template.items))}.")


@template_group.command("remove", short_help="Take away the template NAME.")
@home_option
@click.argument("name")
@offline_option
@passphrase_option
def remove_command(home: ServerHome, name: str, offline_keys: Path | None, passphrase: bytes | None) -> None:
    """Take away the template NAME, and all answers to it.

    \b
    Example:
      seed-server template remove openssl-2026
    """
    remove_template(_signer(home, offline_keys, passphrase), name)
    click.echo(f"{name} is not asked any more.")


@template_group.command("list", short_help="List the templates.")
@home_option
@json_option
def list_command(home: ServerHome, as_json: bool) -> None:
    """List the templates that every PC is asked.

    \b
    Example:
      seed-server template list
    """
    templates = read_templates(Repository.open(home, load_settings(home))).values()
    if as_json:
        print_json([{"name": one.name, "title": one.title, "items": len(one.items)} for one in templates])
    elif templates:
        for one in templates:
            click.echo(f"{one.name}: {one.title} ({len(one.items)} {_items(len(one.items))})")
    else:
        click.echo("No templates yet. Sign one with: seed-server template set NAME FILE.toml")


@template_group.command("show", short_help="Show which PCs need what.")
@home_option
@click.argument("name")
@json_option
def show_command(home: ServerHome, name: str, as_json: bool) -> None:
    """Show which PCs need what, by what they have answered to the template NAME.

    \b
    Examples:
      seed-server template show openssl-2026
      seed-server template show openssl-2026 --json |
          jq -r '.endpoints[] | select(.answers[].needed) | .hostname'
    """
    findings = read_findings(home, name)
    if as_json:
        print_json(as_facts(findings))
    else:
        wide_terminal().print(as_text(findings))


@template_group.command("lint", short_help="Check FILE without signing it.")
@click.argument("file", type=click.Path(path_type=Path))
def lint_command(file: Path) -> None:
    """Check FILE without signing it: its keys, its expressions and its checks.

    \b
    Example:
      seed-server template lint openssl.toml
    """
    template = read_file(file, "lint")
    click.echo(f"{file} is good: {len(template.items)} {_items(len(template.items))}.")


def as_facts(findings: Findings) -> dict[str, Any]:
    """Return the object that ``--json`` prints."""
    answered = _by_endpoint(findings)
    return {
        "name": findings.template.name,
        "title": findings.template.title,
        "items": [{"label": item.label, **_counts(findings, item.label)} for item in findings.template.items],
        "endpoints": [
            {
                "id": endpoint.endpoint_id,
                "hostname": endpoint.hostname,
                "site": endpoint.site or None,
                "tags": list(endpoint.tags),
                "answered_at": max((row.at for row in answered.get(endpoint.endpoint_id, [])), default=None),
                "answers": [
                    {"label": row.label, "applies": row.applies, "needed": row.needed, "reason": row.reason or None}
                    for row in answered.get(endpoint.endpoint_id, [])
                ],
            }
            for endpoint in findings.endpoints
        ],
    }


def as_text(findings: Findings) -> RenderableType:
    """Return the tables for people: items × counts, then the PCs that need something, with reasons."""
    template, answered = findings.template, _by_endpoint(findings)
    items = _table("item", "needed", "not needed", "not asked", "no answer")
    for item in template.items:
        items.add_row(Text(item.label), *(Text(str(count)) for count in _counts(findings, item.label).values()))
    needing = _table("host", "endpoint", "site", "needs", "because")
    pairs = [(pc, row) for pc in findings.endpoints for row in answered.get(pc.endpoint_id, []) if row.needed]
    for pc, row in pairs[:MAX_ENDPOINT_ROWS]:
        cells = (pc.hostname, pc.endpoint_id, pc.site, row.label, row.reason)
        needing.add_row(*(Text(printable(cell)) for cell in cells))
    parts: list[RenderableType] = [Text(f"{template.name}: {template.title}", style="bold"), items]
    if pairs:
        parts += ["", needing]
    elif answered:
        parts.append(Text(f"none of the {len(answered)} PCs that have answered needs any of it", style="dim"))
    if len(pairs) > MAX_ENDPOINT_ROWS:
        parts.append(Text(f"… and {len(pairs) - MAX_ENDPOINT_ROWS} more: see --json", style="dim"))
    return Group(*parts)


def _counts(findings: Findings, label: str) -> dict[str, int]:
    rows = findings.of_item(label)
    return {
        "needed": sum(row.needed is True for row in rows),
        "not_needed": sum(row.needed is False for row in rows),
        "not_applicable": sum(row.needed is None for row in rows),
        "unanswered": len(findings.endpoints) - len(rows),
    }


def _by_endpoint(findings: Findings) -> dict[str, list[DiagnosisRow]]:
    order = {item.label: number for number, item in enumerate(findings.template.items)}
    grouped: dict[str, list[DiagnosisRow]] = {}
    for row in sorted(findings.rows, key=lambda row: order[row.label]):
        grouped.setdefault(row.endpoint_id, []).append(row)
    return grouped


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _items(count: int) -> str:
    return "item" if count == 1 else "items"

"""`seed-server plan`: when a patch will be where, what crosses the lines for it, and what became of it."""

from pathlib import Path

import click

from p2pdist.shared.console import json_option
from seed_server.commands.completing import patch_names, ring_templates
from seed_server.commands.history_options import TimeSpan, UtcTime
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_option
from seed_server.fleet.context import Context


@click.command("plan", cls=LookingCommand)
@home_option
@click.argument("patch", metavar="PATCH[@VERSION]", shell_complete=patch_names)
@click.option(
    "--template",
    metavar="NAME|FILE",
    help="Plan it by these rings; all-at-once: every PC at once.",
    shell_complete=ring_templates,
)
@click.option("--from", "start", type=UtcTime(), metavar="TIME", help="From then on (UTC): 2026-12-01T22:00.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the sites as CSV.")
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE", help="Draw it here: .svg.")
@json_option
def plan_command(
    context: Context,
    patch: str,
    template: str | None,
    start: TimeSpan | None,
    as_csv: bool,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Show when PATCH will be at each site, how sure that is, and what crosses each line for it.

    It is reckoned from what was learned: how fast each line was in each hour of the week, when its PCs are on, how
    long installations take. Of a patch that is rolled out, it shows what was planned when that began, and what became
    of it.

    \b
    Examples:
      seed-server plan office
      seed-server plan office --template rings --from 2026-12-07T08:00
      seed-server plan office --csv > office.csv
      seed-server plan office --picture office.svg
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json are two: give one of them.")
    from seed_server.commands.plan_view import show_plan

    begin = None if start is None else float(start.begin)
    show_plan(context, patch, template, begin, as_csv=as_csv, as_json=as_json, file=picture)

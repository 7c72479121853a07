"""`seed-server inventory`: which PCs are or have what, by what they have told."""

from typing import Any

import click

from p2pdist.shared.console import json_option
from seed_server.commands.completing import site_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_option
from seed_server.commands.paging import paging_options
from seed_server.fleet.context import Context

MOST_DAYS = 3_650
MOST_ANSWER_SECONDS = 600


@click.command("inventory", cls=LookingCommand, short_help="Which PCs have what: openssl below 3.0.17, say.")
@home_option
@click.argument("expression", default="true", metavar="[EXPRESSION]")
@click.option(
    "--site", default="", metavar="NAME", help="Only PCs that were seen last at this site.", shell_complete=site_names
)
@click.option(
    "--columns",
    metavar="NAMES",
    help="Facts and packages to show, with commas; without it, those that EXPRESSION names.",
)
@click.option("--count", "count_only", is_flag=True, help="Print how many PCs, and no names.")
@click.option("--unknown", "of_unknown", is_flag=True, help="List PCs of which it is not known, and why.")
@click.option("--packages", "package", default="", metavar="NAME", help="Print how many PCs have which version of it.")
@click.option(
    "--max-age",
    "max_days",
    default=7,
    metavar="DAYS",
    show_default=True,
    type=click.IntRange(1, MOST_DAYS),
    help="What a PC has told longer ago counts as unknown.",
)
@click.option(
    "--seconds",
    default=30,
    metavar="NUMBER",
    show_default=True,
    type=click.IntRange(1, MOST_ANSWER_SECONDS),
    help="Give up when the answer takes longer.",
)
@paging_options("PCs")
@click.option("--csv", "as_csv", is_flag=True, help="Print all PCs as CSV.")
@click.option("--json-lines", "as_lines", is_flag=True, help="Print all PCs, one JSON document a line.")
@json_option
def inventory_command(context: Context, **given: Any) -> None:
    """Show which PCs EXPRESSION is true of, by the facts and packages that they have told. It is written as in the
    applies_to of a recipe (docs/expressions.md), and means the same.

    What is not known of a PC, or is too old, is neither yes nor no: those are counted apart, and --unknown lists them.
    Ends with 1 where the answer takes too long or has more PCs than --csv and --json-lines print at once.

    \b
    Examples:
      seed-server inventory 'package("openssl") < version("3.0.17")'
      seed-server inventory 'os.family == "windows" and ram_mb < 8000' --columns os.release,ram_mb --csv > small.csv
      seed-server inventory --packages openssl --site leeds
    """
    from seed_server.commands.inventory_view import InventoryOptions, show_inventory

    show_inventory(context, InventoryOptions(**given))

"""The `bandwidth` command line for network admins."""

import sys

import click

from bandwidth.commands.console import ExitCode, print_json
from bandwidth.commands.json_answers import LineShare
from bandwidth.commands.profile_commands import check, explain, plot
from bandwidth.commands.shipped_commands import profiles_group
from bandwidth.commands.simulator_commands import compare, simulate
from bandwidth.core.units import LARGEST_LINE_MBIT, MBIT, line_share
from bandwidth.pictures.standard_output import failed_output, open_standard_streams


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="p2pdist", prog_name="bandwidth")
def bandwidth() -> None:
    """Work out what patches may take of a line.

    \b
    Examples:
      bandwidth profiles copy office-hours           a start for your own
      bandwidth check branches.toml                  is the profile right?
      bandwidth explain branches.toml --site leeds   what holds there, and why?
      bandwidth plot branches.toml -o week.png       a week as a picture
      bandwidth simulate branches.toml -o run.svg    what would happen?
      bandwidth compare --scenario office            and with other limiters?

    In place of a file, office-hours, gentle and overnight are shipped profiles.
    Colour goes only to a terminal, and not if NO_COLOR is set.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 7 bad input.
    """


@bandwidth.command("line-share", short_help="Turn a share of a line into bytes per second.")
@click.option(
    "--line-mbit",
    type=click.FloatRange(min=0, max=LARGEST_LINE_MBIT, min_open=True),
    required=True,
    help="Rate of the site's line in Mbit/s (10^6 bit/s), as the provider sells it.",
)
@click.option(
    "--share",
    type=click.FloatRange(min=0, max=1, min_open=True),
    required=True,
    help="Share of the line that patches may take, above 0 and at most 1.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for tools.")
def line_share_command(line_mbit: float, share: float, as_json: bool) -> None:
    """Print the rate at which the seed server sends to a site with this line and share.

    It is the sum over all of the site's connections, in payload and TLS bytes of
    TCP; headers of TCP and IP come on top, about 4 %.

    \b
    Example:
      bandwidth line-share --line-mbit 20 --share 0.85
    """
    try:
        rate = line_share(line_mbit, share)
    except ValueError as error:  # NaN: no range excludes it
        raise click.UsageError(f"{error}. Give plain numbers, for example --line-mbit 20 --share 0.85") from error
    mbit_per_second = rate / MBIT
    if as_json:
        print_json(LineShare(rate, mbit_per_second))
    else:
        click.echo(f"{rate} bytes/s ({mbit_per_second:g} Mbit/s)")


for command in (check, explain, plot, simulate, compare, profiles_group):
    bandwidth.add_command(command)


def main() -> None:
    """Entry point of the console script."""
    open_standard_streams()
    try:
        bandwidth()
    except (SystemExit, OSError) as error:
        if not (reason := failed_output(error)):
            raise
        click.echo(f"error: The output cannot be written: {reason}.", err=True)
        sys.exit(ExitCode.FAILED)

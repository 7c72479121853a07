"""Options and checks that several `p2pdist` commands share."""

from pathlib import Path

import click

from p2pdist.settings import EndpointHome, default_home
from p2pdist.shared.errors import FaultKind, UserError


def _home(_context: click.Context, _parameter: click.Parameter, value: Path) -> EndpointHome:
    return EndpointHome(value.absolute())


home_option = click.option(
    "--home",
    metavar="DIR",
    envvar="P2PDIST_HOME",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    default=default_home,
    callback=_home,
    show_default=f"P2PDIST_HOME, else {default_home()}",
    help="This endpoint's home directory.",
)


def check_enrolled(home: EndpointHome) -> None:
    """Raise `UserError` (NOT_SET_UP) if this PC is not enrolled."""
    try:
        enrolled = home.enrolment.exists()
    except PermissionError:  # another user's home: the next step says so, if that matters
        enrolled = True
    if not enrolled:
        raise UserError(
            f"This PC is not enrolled in {home.root}. Ask your operator for a token, then run: p2pdist enrol",
            FaultKind.NOT_SET_UP,
        )

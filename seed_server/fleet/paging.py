"""What pages of a question have in common: where the one before has ended, and which site is meant. Blocking."""

import re
from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.names import hint_of
from seed_server.line.site_map_file import load_sites

if TYPE_CHECKING:
    from seed_server.store.database import Database

NOWHERE = -1
"""The number of a site in which no PC is."""


def site_asked(context: Context, database: "Database", name: str) -> int | None:
    """Return the number of the site that is meant; None: no site is named. Raises `UserError` as `number_of_site`."""
    if not name:
        return None
    found = number_of_site(context, database, name)
    return NOWHERE if found is None else found


def number_of_site(context: Context, database: "Database", name: str) -> int | None:
    """Return the number of a site; None: no PC was seen there yet. Raises `UserError` (BAD_INPUT): it is unknown."""
    if (number := database.site_number(name)) is not None and name:
        return number
    names = {*database.site_names(), *(mapped.name for mapped in load_sites(context.home).sites)}
    if name in names:
        return None
    hint = hint_of(name, names)
    raise UserError(
        f"No site {name[:80]!r} is known.{hint} 'seed-server sites' lists those that were sent to.", FaultKind.BAD_INPUT
    )


def end_of_page(form: re.Pattern[str], text: str) -> re.Match[str]:
    """Return the parts of what ``--after`` names, which has this form. Raises `UserError` (BAD_INPUT)."""
    found = form.fullmatch(text)
    if found is None:
        raise UserError(
            f"--after {text[:40]!r} is no end of a page. Give what the page before has named at its end.",
            FaultKind.BAD_INPUT,
        )
    return found


def shown_no_more() -> UserError:
    """Return the error for an end of a page that is nowhere any more."""
    return UserError("What --after names is not shown any more. Begin anew without it.", FaultKind.BAD_INPUT)

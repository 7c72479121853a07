"""What people type is made out: which PC is meant, and whether a site of that name is known. Blocking."""

import difflib
from collections.abc import Iterable

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.printable_text import printable
from seed_server.fleet.context import Context
from seed_server.line.site_map import AUTOMATIC_PREFIX
from seed_server.line.site_map_file import load_sites
from seed_server.signing.profiles import checked_site
from seed_server.store.rows import EndpointRow

LEAST_PREFIX_CHARS = 4  # of an id: fewer are soon another PC's too
MOST_NAMED = 5  # of several that are meant
MOST_COMPARED_CHARS = 80  # of what is like no name that is known


def named_endpoint(context: Context, text: str) -> EndpointRow:
    """Return the enrolled endpoint that ``text`` names: by its id, the beginning of it, or its host name.

    Raises `UserError`: BAD_INPUT where it names none or several; NOT_SET_UP, STORAGE, BUSY.
    """
    context.settings()
    wanted = text.strip().casefold()
    with context.database() as database:
        if (
            wanted.isascii() and (row := database.endpoint(wanted)) is not None
        ):  # ids are; a terminal may send half a sign
            return row
        names = database.endpoint_names()
        found = [endpoint_id for endpoint_id, hostname in names if hostname.casefold() == wanted]
        if not found and len(wanted) >= LEAST_PREFIX_CHARS:
            found = [endpoint_id for endpoint_id, _ in names if endpoint_id.startswith(wanted)]
        if len(found) == 1 and (row := database.endpoint(found[0])) is not None:
            return row
    if not found:
        hint = hint_of(wanted, (hostname for _, hostname in names))
        raise UserError(
            f"No endpoint {text[:80]} is enrolled here.{hint} 'seed-server endpoints' lists them.", FaultKind.BAD_INPUT
        )
    several = ", ".join(sorted(found)[:MOST_NAMED])
    raise UserError(
        f"{text[:80]} names {len(found)} endpoints: {several}. Give the id of the one that is meant.",
        FaultKind.BAD_INPUT,
    )


def hint_of(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names what may have been meant, with a space before it; empty: nothing is like it."""
    near = difflib.get_close_matches(name[:MOST_COMPARED_CHARS], sorted(set(known)), n=1)
    return f" Did you mean {printable(near[0])!r}?" if near else ""


def check_site_known(context: Context, site: str) -> None:
    """Raise `UserError` (BAD_INPUT) for a site that neither ``sites.toml`` names nor any PC was ever seen in.

    Such a name is a typing error more often than a site that is to come.
    """
    name = checked_site(site)
    known = _known_sites(context)
    if name in known or name.startswith(AUTOMATIC_PREFIX):  # such a name follows from its addresses
        return
    hint = hint_of(name, known)
    raise UserError(
        f"No site {name!r} is known: sites.toml does not name it, and no PC was seen there.{hint} For a site that is "
        "still to come, add --new-site.",
        FaultKind.BAD_INPUT,
    )


def _known_sites(context: Context) -> set[SiteName]:
    context.settings()
    with context.database() as database:
        seen = database.site_names()
    return {SiteName(site) for site in seen} | {mapped.name for mapped in load_sites(context.home).sites}

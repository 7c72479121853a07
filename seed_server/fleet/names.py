"""What people type is made out: which PC is meant, and whether a site of that name is known. Blocking."""

import difflib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.printable_text import printable
from seed_server.fleet.context import Context
from seed_server.line.site_map import AUTOMATIC_PREFIX
from seed_server.line.site_map_file import load_sites
from seed_server.signing.profiles import checked_site
from seed_server.store.pc_names import PcName
from seed_server.store.rows import EndpointRow

if TYPE_CHECKING:
    from seed_server.store.database import Database

MOST_NAMED = 5  # of several that are meant
MOST_COMPARED_CHARS = 80  # of what is like no name that is known


def named_endpoint(context: Context, text: str) -> EndpointRow:
    """Return the enrolled endpoint that ``text`` names: by its id, the beginning of it, or its host name.

    `PcName` says which. Raises `UserError`: BAD_INPUT where it names none, or several; NOT_SET_UP, STORAGE, BUSY.
    """
    context.settings()
    with context.database() as database:
        return endpoint_in(database, text)


def endpoint_in(database: "Database", text: str) -> EndpointRow:
    """Return the endpoint of an open database; as `named_endpoint`."""
    name = PcName(text)
    # ids are ASCII; a terminal may send half a sign
    if name.text.isascii() and (row := database.endpoint(name.text)) is not None:
        return row
    names = database.endpoint_names()
    found = name.best((endpoint_id, endpoint_id, hostname) for endpoint_id, hostname in names)
    rows = [row for one in sorted(found)[:MOST_NAMED] if (row := database.endpoint(one)) is not None]
    if len(found) == 1 and rows:
        return rows[0]
    if not found:
        raise _no_endpoint(database, text, names)
    several = ", ".join(map(_told_apart, rows))
    raise UserError(
        f"{printable(text[:80])} names {len(found)} endpoints: {several}{', …' if len(found) > len(rows) else ''}. "
        "Give the beginning of the id of the one that is meant.",
        FaultKind.BAD_INPUT,
    )


def _no_endpoint(database: "Database", text: str, names: Iterable[tuple[str, str]]) -> UserError:
    typed = printable(text[:80])
    if (gone := database.forgotten_named(text)) is not None:
        return UserError(
            f"No endpoint {typed} is enrolled here. {gone.endpoint_id} had that name, and was forgotten. 'seed-server "
            "report history' shows what it did.",
            FaultKind.BAD_INPUT,
        )
    wanted = text.strip().casefold()
    known = {name.casefold(): name for _, name in names} | {endpoint_id: endpoint_id for endpoint_id, _ in names}
    near = nearest(wanted, known)
    hint = f" Did you mean {printable(known[near])!r}?" if near else ""
    return UserError(
        f"No endpoint {typed} is enrolled here.{hint} 'seed-server endpoints' lists them.", FaultKind.BAD_INPUT
    )


def _told_apart(row: EndpointRow) -> str:
    seen = f"{datetime.fromtimestamp(row.last_seen_at, UTC):%Y-%m-%d}" if row.last_seen_at else ""
    facts = filter(None, (printable(row.hostname), printable(row.site), row.address, seen))
    return f"{row.endpoint_id} ({', '.join(facts)})"


def hint_of(name: str, known: Iterable[str]) -> str:
    """Return a sentence that names what may have been meant, with a space before it; empty: nothing is like it."""
    near = nearest(name, known)
    return f" Did you mean {printable(near)!r}?" if near else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the one that is most like ``name``; empty: nothing is like it."""
    near = difflib.get_close_matches(name[:MOST_COMPARED_CHARS], sorted(set(known)), n=1)
    return near[0] if near else ""


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

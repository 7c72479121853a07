"""Machines in a site that are no enrolled PCs, as its PCs see them. Blocking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seed_server.fleet.context import Context
from seed_server.fleet.paging import site_asked

if TYPE_CHECKING:
    from seed_server.store.neighbours import NeighbourTellers, UnmanagedRow

MOST_MACHINES = 1_000


@dataclass(frozen=True)
class Unmanaged:
    """What PCs see beside them."""

    asked: bool
    """Whether PCs are asked, by server.toml."""
    rows: Sequence["UnmanagedRow"]
    """Those first that most PCs see; `MOST_MACHINES` at most."""
    tellers: "NeighbourTellers"
    more: bool
    """Whether there are others."""


def read_unmanaged(context: Context, site: str = "", *, most: int = MOST_MACHINES) -> Unmanaged:
    """Return machines of a site, or of all. Raises `UserError`; BAD_INPUT for a site that is not known."""
    settings = context.settings()
    with context.database() as database:
        number = site_asked(context, database, site)
        found = database.unmanaged(number, most + 1)
        return Unmanaged(
            settings.unmanaged_neighbours, found[:most], database.neighbour_tellers(number), len(found) > most
        )

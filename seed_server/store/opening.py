"""Opens the state database. Its libraries are loaded then: whoever has no server, and looks at a recipe, needs none."""

from pathlib import Path
from typing import TYPE_CHECKING

from p2pdist.shared.server_extra import of_server_extra

if TYPE_CHECKING:
    from seed_server.store.database import Database


def open_database(place: Path | str) -> "Database":
    """Open the database at ``place``; raises as `Database.open`, and FAILED where the extra is not installed."""
    with of_server_extra():
        from seed_server.store.database import Database
    return Database.open(place)


def create_database(place: Path | str) -> "Database":
    """Make the database at ``place`` and open it; raises as `Database.create`, and FAILED as `open_database`."""
    with of_server_extra():
        from seed_server.store.database import Database
    return Database.create(place)

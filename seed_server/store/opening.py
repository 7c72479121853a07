"""Opens the state database of a home, and no other home's.

Its libraries are loaded then: whoever has no server, and looks at a recipe, needs none. Blocking.
"""

import hashlib
from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.loading import quick_loading
from p2pdist.shared.server_extra import of_server_extra
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings

if TYPE_CHECKING:
    from seed_server.store.database import Database, LastingDatabase


def open_database(home: ServerHome, settings: ServerSettings) -> "Database":
    """Open the database of ``home``; raises as `Database.open` and `Database.belong_to`.

    FAILED where the extra is not installed.
    """
    with of_server_extra(), quick_loading():
        from seed_server.store.database import Database
    database = Database.open(settings.database_place(home))
    try:
        database.belong_to(_root_pin(home))
    except BaseException:
        database.close()
        raise
    return database


def open_lasting(home: ServerHome, settings: ServerSettings) -> "LastingDatabase":
    """Open the database of ``home`` for a process that works on it for long; the caller closes it. Raises the same."""
    with of_server_extra(), quick_loading():
        from seed_server.store.database import LastingDatabase
    open_database(home, settings).close()  # it is that of this home
    return LastingDatabase.open(settings.database_place(home))


def is_outdated(home: ServerHome, settings: ServerSettings) -> bool:
    """Whether `open_database` would change the tables, which are of an earlier release. Raises as that does."""
    with of_server_extra():
        from seed_server.store.database import Database
    return Database.is_outdated(settings.database_place(home))


def open_as_it_is(home: ServerHome, settings: ServerSettings) -> "Database":
    """Open the database of ``home`` for reading alone; raises as `Database.as_it_is`, and FAILED."""
    with of_server_extra(), quick_loading():
        from seed_server.store.database import Database
    return Database.as_it_is(settings.database_place(home))


def create_database(home: ServerHome, settings: ServerSettings) -> None:
    """Make the database of a new home; it is nobody's until it is opened. Raises as `Database.create`, and FAILED."""
    with of_server_extra(), quick_loading():
        from seed_server.store.database import Database
    Database.create(settings.database_place(home)).close()


def _root_pin(home: ServerHome) -> str:
    try:
        return hashlib.sha256(home.first_root.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(
            f"Cannot read {home.first_root}: {error.strerror}. Restore it from a backup.", FaultKind.STORAGE
        ) from error

"""How the tables of one release become those of the next: revisions made of Alembic's operations.

`store.upgrading` applies those that a database lacks. A revision that was released is never changed.
"""

from seed_server.store.migrations import r0001_narrow_rows

REVISIONS = (r0001_narrow_rows,)  # the oldest first

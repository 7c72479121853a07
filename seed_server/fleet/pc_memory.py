"""All PCs as they were lately: for a process that is asked about their rings again and again, as pages are. Blocking.

To read 25,000 PCs with all that they told takes half a second. What changes quickly, what they say of a patch, is in
none of it, and is read each time.
"""

from typing import TYPE_CHECKING

from seed_server.fleet.context import Context
from seed_server.fleet.look_memory import RECENTLY_SECONDS
from seed_server.fleet.rollout_counting import KnownPcs, known_pcs

if TYPE_CHECKING:
    from seed_server.store.database import Database


def lately_known_pcs(context: Context, database: "Database") -> KnownPcs:
    """Return all PCs as they were lately, where the process remembers them; else as they are. For what only shows."""
    return context.lately("pcs", lambda: known_pcs(database), RECENTLY_SECONDS)

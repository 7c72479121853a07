"""All PCs as they were lately: for a process that is asked about their rings again and again, as pages are. Blocking.

To read 25,000 PCs with all that they told takes half a second. What changes quickly, what they say of a patch, is in
none of it, and is read each time.
"""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seed_server.fleet.context import Context
    from seed_server.fleet.rollout_counting import KnownPcs
    from seed_server.store.database import Database

PC_MEMORY_SECONDS = 30.0  # so old may be who is in which ring, and who was seen when, on what only shows it


class PcMemory:
    """The PCs of one home, as they were when they were read last."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._known: tuple[float, KnownPcs] | None = None

    def known(self, database: "Database", now: float) -> "KnownPcs":
        """Return all PCs; ``now``: of a clock that only goes forward. Who asks meanwhile waits for one that reads."""
        from seed_server.fleet.rollout_counting import known_pcs

        with self._reading:
            if self._known is None or not 0 <= now - self._known[0] < PC_MEMORY_SECONDS:
                self._known = now, known_pcs(database)
            return self._known[1]


def lately_known_pcs(context: "Context", database: "Database") -> "KnownPcs":
    """Return all PCs as they were lately, where the process remembers them; else as they are. For what only shows."""
    from seed_server.fleet.rollout_counting import known_pcs

    if context.opened is None:
        return known_pcs(database)
    return context.opened.pcs.known(database, context.clock.monotonic())

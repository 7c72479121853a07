"""How the tables of one release become those of the next: revisions made of Alembic's operations.

`store.upgrading` applies those that a database lacks. A revision that was released is never changed, so it takes
nothing from the rest of this room, which changes.
"""

from seed_server.store.migrations import (
    r0001_narrow_rows,
    r0002_rollouts,
    r0004_event_months,
    r0005_inventories,
    r0006_idle_content,
    r0007_known_servers,
    r0008_neighbours,
    r0009_bounded_pcs,
    r0010_idempotency,
    r0011_webhooks,
    r0012_reports,
    r0013_intelligence,
    r0014_plans,
    r0015_sessions,
    r0016_line_minutes,
    r0017_built_bytes,
)

REVISIONS = (
    r0001_narrow_rows,
    r0002_rollouts,
    r0004_event_months,
    r0005_inventories,
    r0006_idle_content,
    r0007_known_servers,
    r0008_neighbours,
    r0009_bounded_pcs,
    r0010_idempotency,
    r0011_webhooks,
    r0012_reports,
    r0013_intelligence,
    r0014_plans,
    r0015_sessions,
    r0016_line_minutes,
    r0017_built_bytes,
)  # the oldest first

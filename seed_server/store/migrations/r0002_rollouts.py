"""Rollouts by rings, the people who run them, and the audit log of what they do.

There is no way back.
"""

from alembic import op

from seed_server.store.migrations.r0002_tables import TABLES

REVISION_NUMBER = "0002"


def upgrade() -> None:
    """Make the tables that are new."""
    TABLES.create_all(op.get_bind())

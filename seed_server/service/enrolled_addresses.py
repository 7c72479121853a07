"""From where enrolled endpoints came last: after a start, strangers must not keep them out of either port. Blocking."""

from seed_server.store.database import Database


def enrolled_addresses(database: Database) -> list[str]:
    """Return the addresses that the database has of endpoints that are not denied. Raises `UserError`."""
    return [row.address for row in database.endpoints() if row.address and not row.denied]

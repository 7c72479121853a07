"""Both databases for the tests of this room; one PostgreSQL serves them all."""

from tests.helpers.state_databases import engines, postgres_server

__all__ = ["engines", "postgres_server"]

"""Both databases for the tests of this room; one PostgreSQL serves them all."""

from tests.helpers.state_databases import database, engines, place, postgres_server

__all__ = ["database", "engines", "place", "postgres_server"]

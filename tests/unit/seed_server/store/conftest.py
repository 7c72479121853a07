"""Both databases for the tests of this room; one PostgreSQL serves them all."""

from tests.helpers.state_databases import database, engines, lasting_database, place, postgres_server

__all__ = ["database", "engines", "lasting_database", "place", "postgres_server"]

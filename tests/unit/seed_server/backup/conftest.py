"""PostgreSQL for the tests of this room."""

from tests.helpers.state_databases import postgres_server

__all__ = ["postgres_server"]

"""The server's state on both databases: a test that asks for `engines` runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from seed_server.store.engines import Engines
from seed_server.store.tables import METADATA
from tests.helpers.postgresql import PostgresServer, running_server, why_not


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def engines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engines]:
    """Return connections to a new database with all tables, and nothing in them."""
    if request.param == "sqlite":
        opened = Engines.on_sqlite(tmp_path / "state.db")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        opened = Engines.on_postgresql(server.new_database())
    with opened.writing() as connection:
        METADATA.create_all(connection)
    yield opened
    opened.close()

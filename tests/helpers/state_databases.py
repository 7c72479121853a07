"""The server's state on both databases: a test that asks for `database` or `engines` runs on SQLite and PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from seed_server.store.database import Database
from seed_server.store.engines import Engines
from seed_server.store.upgrading import prepare
from tests.helpers.postgresql import PostgresServer, running_server, why_not


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Return where a database may be made, as `Database.create` takes it; or is, for a test that has `database`."""
    if request.param == "sqlite":
        return tmp_path / "state.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_state() if "database" in request.fixturenames else server.new_database()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lasting_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Return a database that all tests of a module look at, and none changes."""
    if request.param == "sqlite":
        place: Path | str = tmp_path_factory.mktemp("state") / "state.db"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        place = server.new_state()
    with _opened(place) as opened:
        yield opened


@pytest.fixture
def database(place: Path | str) -> Iterator[Database]:
    """Return a new database."""
    with _opened(place) as opened:
        yield opened


def _opened(place: Path | str) -> Database:
    """Open a database, on PostgreSQL one that has its tables already: to make them anew takes 0.2 s."""
    return Database.open(place) if isinstance(place, str) else Database.create(place)


@pytest.fixture
def engines(place: Path | str) -> Iterator[Engines]:
    """Return connections to a new database."""
    opened = Engines.on_sqlite(place) if isinstance(place, Path) else Engines.on_postgresql(place)
    prepare(opened, create=True)
    yield opened
    opened.close()

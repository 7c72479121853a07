"""A stored fleet for the tests of this room, which they only look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from seed_server.store.database import Database
from tests.helpers.stored_fleet import store
from tests.helpers.varied_fleet import varied_fleet


@pytest.fixture(scope="package")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Return the database of `varied_fleet`."""
    place: Path = tmp_path_factory.mktemp("varied") / "state.db"
    with Database.create(place) as database:
        store(database, varied_fleet())
        yield database

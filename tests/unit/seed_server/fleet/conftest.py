"""A stored fleet for the tests of this room, which they only look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from seed_server.store.database import Database
from tests.helpers.rollout_company import Company, company_at, published_home
from tests.helpers.stored_fleet import store
from tests.helpers.varied_fleet import varied_fleet


@pytest.fixture(scope="package")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Return the database of `varied_fleet`."""
    place: Path = tmp_path_factory.mktemp("varied") / "state.db"
    with Database.create(place) as database:
        store(database, varied_fleet())
        yield database


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return `published_home`, which tests copy."""
    return published_home(tmp_path_factory.mktemp("published"))


@pytest.fixture
def company(tmp_path: Path, published: Path) -> Iterator[Company]:
    """Return a company with a published patch."""
    made = company_at(published, tmp_path)
    yield made
    made.database.close()

"""A company with a published patch, for the tests of several rooms."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.rollout_company import Company, company_at, published_home


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

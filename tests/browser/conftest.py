"""A real server and a real browser: `make test-browser`. Nothing here is part of `make test`."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if find_spec("playwright") is None:
    collect_ignore_glob = ["test_*.py"]

from tests.helpers.browsing import Browsing, Place, browsing_at, served_company


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return where the pages are, and the company behind them."""
    with served_company(tmp_path_factory.mktemp("pages")) as place:
        yield place


@pytest.fixture(scope="session")
def browsing(place: Place) -> Iterator[Browsing]:
    """Return the browser, for all tests."""
    with browsing_at(place) as browsing:
        yield browsing
        assert browsing.violations == []


@pytest.fixture(autouse=True)
def unhurt(request: pytest.FixtureRequest) -> Iterator[None]:
    """See that no page broke a rule of its own: of what it may load and run, and no script failed."""
    yield
    if "browsing" in request.fixturenames:
        browsing: Any = request.getfixturevalue("browsing")
        browsing.close_pages()
        assert browsing.violations == []
        assert browsing.take_faults() == []


@pytest.fixture
def pictures() -> Path:
    """Return where pictures of pages go, for people to look at."""
    folder = Path(__file__).parents[2] / "build" / "pages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

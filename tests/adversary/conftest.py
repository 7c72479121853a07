"""Fixtures of the adversary tests."""

import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import ModuleType

import pytest

from p2pdist.edges.torrent_engine import SwarmIdentity
from tests.helpers import certificates as certificates_module
from tests.helpers import repository_simulator
from tests.pki import TestCA
from tests.swarm_endpoints import Endpoint, Payload, make_identity, make_payload, open_test_endpoint


@pytest.fixture(scope="session")
def tuf_simulator() -> ModuleType:
    """Return the module of the in-memory TUF repository."""
    return repository_simulator


@pytest.fixture(scope="session")
def certificates() -> ModuleType:
    """Return the module of throw-away authorities and web ports."""
    return certificates_module


@pytest.fixture
def ca() -> TestCA:
    return TestCA("swarm CA")


@pytest.fixture
def payload_of(tmp_path: Path) -> Callable[[int], Payload]:
    return lambda size: make_payload(size, tmp_path / "made")


@pytest.fixture
def open_endpoint(ca: TestCA, tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Endpoint]]:
    numbers = itertools.count()

    def opened(
        *, identity: SwarmIdentity | None = None, directory: Path | None = None, port: int = 0
    ) -> AbstractAsyncContextManager[Endpoint]:
        return open_test_endpoint(
            directory or tmp_path / f"endpoint-{next(numbers)}", identity or make_identity(ca), port=port
        )

    return opened

"""A home whose webhooks may lead to this machine, and a receiver there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from tests.helpers.fake_clock import FakeClock
from tests.helpers.state_databases import postgres_server
from tests.helpers.webhook_home import copied_home, webhook_home
from tests.helpers.webhook_receiver import Receiver, webhook_receiver

__all__ = ["postgres_server"]


@pytest.fixture(scope="package")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return webhook_home(tmp_path_factory.mktemp("webhooks"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def context(made_home: ServerHome, tmp_path: Path, clock: FakeClock) -> Context:
    return copied_home(made_home, tmp_path, clock)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as made:
        yield made

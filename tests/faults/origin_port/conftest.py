"""The origin port that most of these tests speak to, over real TLS on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pytest_trio import trio_fixture

from seed_server.origin.limits import OriginLimits
from tests.helpers.origin_harness import TEST_LIMITS, Lab, running_lab


@pytest.fixture
def limits() -> OriginLimits:
    return TEST_LIMITS


@trio_fixture
async def lab(tmp_path: Path, limits: OriginLimits) -> AsyncIterator[Lab]:
    async with running_lab(tmp_path, limits=limits) as running:
        yield running

"""The lab's tests need root and a Linux with namespaces; where that is missing they say so and are skipped."""

import pytest

from bench.lab.namespaces import why_not


@pytest.fixture(scope="session", autouse=True)
def lab_is_possible() -> None:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)

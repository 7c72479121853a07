"""`seed_server.fleet.pc_memory`: PCs are read once for a while, by a process that lasts; by others, each time."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from seed_server.fleet.context import Context, Opened
from seed_server.fleet.look_memory import RECENTLY_SECONDS
from seed_server.fleet.pc_memory import lately_known_pcs
from seed_server.signing.signed_repository import SignedRepository
from seed_server.store.opening import open_lasting
from tests.helpers.rollout_company import OTHERS, TESTERS, Company


@pytest.fixture
def lasting(company: Company) -> Iterator[Context]:
    context = company.context
    with contextlib.closing(open_lasting(context.home, context.settings())) as database:
        yield replace(context, opened=Opened(database, SignedRepository(context.home)))


def count(context: Context) -> int:
    with context.database() as database:
        return len(lately_known_pcs(context, database).rows)


def test_they_are_read_once_for_a_while(company: Company, lasting: Context) -> None:
    everyone = len(TESTERS + OTHERS)
    assert count(lasting) == everyone
    company.database.add_endpoint("new", "new", company.clock.now(), [])
    assert (count(lasting), count(company.context)) == (everyone, everyone + 1)
    company.clock.wall += RECENTLY_SECONDS
    assert count(lasting) == everyone + 1

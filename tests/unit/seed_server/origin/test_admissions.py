"""`seed_server.origin.admissions`: endpoints that connect at the same time are one question to the database."""

import threading
from collections.abc import Mapping, Sequence

import pytest
import trio
import trio.testing

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId
from seed_server.origin.admissions import Admissions
from seed_server.store.rows import Admission

A, B, C = (EndpointId(letter * 26) for letter in "abc")
KNOWN = {endpoint: Admission(denied=endpoint == B, recorded_of="run", recorded=3) for endpoint in (A, B)}


class Reading:
    """A database that answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.may_answer = threading.Event()
        self.fault: Exception | None = None

    def __call__(self, endpoints: Sequence[EndpointId]) -> Mapping[str, Admission]:
        self.asked.append(list(endpoints))
        assert self.may_answer.wait(5.0)
        if self.fault is not None:
            raise self.fault
        return {endpoint: KNOWN[endpoint] for endpoint in endpoints if endpoint in KNOWN}


@pytest.fixture
def reading() -> Reading:
    return Reading()


async def _asked(reading: Reading, times: int) -> None:
    while len(reading.asked) < times:  # noqa: ASYNC110 - another thread asks
        await trio.sleep(0.001)


async def test_each_is_told_of_itself(reading: Reading) -> None:
    admissions = Admissions(reading)
    reading.may_answer.set()
    assert [await admissions.of(endpoint) for endpoint in (A, B, C)] == [KNOWN[A], KNOWN[B], None]


async def test_one_that_is_forgotten_while_it_asks_is_not_enrolled_whatever_was_read(reading: Reading) -> None:
    admissions, found = Admissions(reading), dict[EndpointId, Admission | None]()

    async def come(endpoint: EndpointId) -> None:
        found[endpoint] = await admissions.of(endpoint)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(come, A)
        nursery.start_soon(come, B)
        await _asked(reading, 1)
        assert admissions.asked == {A, B}
        admissions.forget({A, C})
        reading.may_answer.set()
    assert found == {A: None, B: KNOWN[B]}
    assert admissions.asked == set()
    assert await admissions.of(A) == KNOWN[A], "it may enrol again"


async def test_those_that_come_while_the_database_answers_are_asked_about_together(reading: Reading) -> None:
    admissions, found = Admissions(reading), dict[EndpointId, Admission | None]()

    async def come(endpoint: EndpointId) -> None:
        found[endpoint] = await admissions.of(endpoint)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(come, A)
        await _asked(reading, 1)
        nursery.start_soon(come, B)
        nursery.start_soon(come, C)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert reading.asked == [[A]]
        reading.may_answer.set()
    assert [sorted(asked) for asked in reading.asked] == [[A], [B, C]]
    assert found == {A: KNOWN[A], B: KNOWN[B], C: None}


async def test_one_that_goes_does_not_take_the_answer_from_others(reading: Reading) -> None:
    admissions, found = Admissions(reading), list[Admission | None]()
    leaving = trio.CancelScope()

    async def come_and_go() -> None:
        with leaving:
            await admissions.of(C)

    async def come() -> None:
        found.append(await admissions.of(B))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(admissions.of, A)
        await _asked(reading, 1)
        nursery.start_soon(come_and_go)
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.start_soon(come)
        await trio.testing.wait_all_tasks_blocked(0.01)
        leaving.cancel()
        reading.may_answer.set()
    assert found == [KNOWN[B]]


async def test_all_that_wait_are_told_what_is_wrong_with_the_database_and_later_ones_ask_again(
    reading: Reading,
) -> None:
    admissions, told = Admissions(reading), list[str]()

    async def come(endpoint: EndpointId) -> None:
        try:
            await admissions.of(endpoint)
        except UserError as error:
            told.append(error.message)

    reading.fault = UserError("The disk is full.")
    async with trio.open_nursery() as nursery:
        for endpoint in (A, B, C):
            nursery.start_soon(come, endpoint)
        await _asked(reading, 1)
        reading.may_answer.set()
    assert told == ["The disk is full."] * 3
    reading.fault = None
    assert await admissions.of(A) == KNOWN[A]

"""`seed_server.origin.message_budgets`: what an honest endpoint says passes, and a flood does not."""

from collections.abc import Callable

import pytest

from p2pdist.shared.wire.fields import MAX_SITE_PEERS
from p2pdist.shared.wire.line_messages import LinkReport
from p2pdist.shared.wire.messages import (
    Diagnosis,
    DiagnosisAnswer,
    FactsChanged,
    FromEndpoint,
    Helping,
    Holdings,
    PieceRejected,
    PieceStored,
    Report,
    Want,
)
from p2pdist.shared.wire.parcel import ParcelsWanted
from seed_server.origin.message_budgets import ANSWERS_AT_ONCE, BYTES, MESSAGES, PINGS, MessageBudgets, MessageLimits

HASH = "11" * 32
WANT = Want(torrent=HASH, have=b"", lan_have=b"", lan_stalled=False, can_fetch=True)
ANSWER = DiagnosisAnswer(label="a", applies=True, needed=True, reason="")
EACH: list[FromEndpoint] = [
    WANT,
    Holdings(torrents=bytes(16)),
    ParcelsWanted(torrents=bytes(16)),
    Helping(how="less"),
    Report(patches=[], refuses=""),
    LinkReport(
        interval_seconds=1.0,
        business_bytes=0,
        flows=(),
        harm_seconds=None,
        card_rate=None,
        from_neighbours_bytes=0,
        to_neighbours_bytes=0,
    ),
    Diagnosis(template="t", answers=(ANSWER,)),
    FactsChanged(values={}),
]


def passed(say: Callable[[float], str | None], *, seconds: float, per_second: int) -> int:
    """Return how many of a steady flood pass."""
    count = int(seconds * per_second)
    return sum(say(number / per_second) is None for number in range(count))


@pytest.mark.parametrize("message", EACH, ids=lambda message: type(message).__name__)
def test_of_a_flood_so_many_pass(message: FromEndpoint) -> None:
    budgets, budget = MessageBudgets(MessageLimits(), 0.0), MESSAGES[type(message)]
    got = passed(lambda now: budgets.message(message, now), seconds=10.0, per_second=4_000)
    assert budget.at_once < got <= budget.at_once + 10 * budget.per_second


def test_answers_to_pings() -> None:
    budgets = MessageBudgets(MessageLimits(), 0.0)
    assert passed(budgets.ping, seconds=60.0, per_second=20) == 1_200, "as many as are sent"
    budgets = MessageBudgets(MessageLimits(), 0.0)
    assert passed(budgets.ping, seconds=10.0, per_second=1_000) <= PINGS.at_once + 10 * PINGS.per_second


@pytest.mark.parametrize("kind", [PieceStored, PieceRejected])
def test_answers_are_as_many_as_pieces_and_a_few_from_before(kind: type[PieceStored | PieceRejected]) -> None:
    budgets, answer = MessageBudgets(MessageLimits(), 0.0), kind(torrent=HASH, piece=0)
    for _ in range(1_000):
        budgets.sent_piece()
    got = passed(lambda now: budgets.message(answer, now), seconds=100.0, per_second=100)
    assert got == 1_000 + ANSWERS_AT_ONCE
    assert budgets.message(WANT, 100.0) is None, "other kinds have their own"


def test_bytes() -> None:
    budgets = MessageBudgets(MessageLimits(), 0.0)
    got = passed(lambda now: budgets.frame(MAX_SITE_PEERS << 10, now), seconds=10.0, per_second=100)
    assert got * (MAX_SITE_PEERS << 10) <= BYTES.at_once + 10 * BYTES.per_second
    assert budgets.frame(100, 10.5) is None


def test_an_endpoint_that_connects_with_thousands_of_patches_passes() -> None:
    budgets = MessageBudgets(MessageLimits(), 0.0)
    assert all(budgets.message(WANT, 0.0) is None for _ in range(4_000))
    assert all(budgets.message(Report(patches=[], refuses=""), 0.0) is None for _ in range(63))


def test_an_endpoint_that_swaps_four_patches_as_fast_as_it_can_passes_for_ever() -> None:
    budgets = MessageBudgets(MessageLimits(), 0.0)
    for step in range(36_000):
        assert all(budgets.message(WANT, step / 10) is None for _ in range(4))
        assert all(budgets.frame(9_000, step / 10) is None for _ in range(4))

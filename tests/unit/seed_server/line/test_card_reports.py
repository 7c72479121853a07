"""`seed_server.line.card_reports`: whose network card is full of our own swapping, by what all PCs of a site say."""

import pytest

from bandwidth.core.units import BytesPerSecond
from seed_server.line.card_reports import CARD_FRESH_SECONDS, EXPLAINS_SECONDS, FULL_SHARE, CardReports, CardUse

CARD = BytesPerSecond(1_000_000)
STEP = 0.1


def report(
    cards: CardReports, endpoint: str, now: float, *, got: float = 0.0, sent: float = 0.0, rate: int | None = CARD
) -> None:
    """Report ``got`` and ``sent`` bytes per second."""
    use = CardUse(None if rate is None else BytesPerSecond(rate), int(got * STEP), int(sent * STEP))
    cards.reported(endpoint, use, interval_seconds=STEP, now=now)


def swap(cards: CardReports, now: float, seconds: float = 1.0, **rates: tuple[float, float]) -> float:
    """Let each endpoint get and send at its rates, and return when it ends."""
    for _ in range(round(seconds / STEP)):
        now += STEP
        for endpoint, (got, sent) in rates.items():
            report(cards, endpoint, now, got=got, sent=sent)
    return now


@pytest.mark.parametrize(("share", "full"), [(FULL_SHARE * 0.98, False), (FULL_SHARE * 1.02, True)])
def test_a_card_is_full_from_a_part_of_its_rate_on_in_either_way(share: float, full: bool) -> None:
    cards = CardReports()
    now = swap(cards, 0.0, a=(share * CARD, 0.0), b=(0.0, share * CARD))
    assert cards.full(now) == ({"a", "b"} if full else set())


def test_it_counts_as_full_for_some_seconds_and_no_longer() -> None:
    cards = CardReports()
    now = swap(cards, 0.0, a=(CARD, CARD), b=(CARD, CARD))
    assert cards.full(now)
    quiet = swap(cards, now, EXPLAINS_SECONDS - 1.0, a=(0.0, 0.0), b=(0.0, 0.0))
    assert cards.full(quiet)
    assert not cards.full(swap(cards, quiet, 2.0, a=(0.0, 0.0), b=(0.0, 0.0)))


def test_what_one_pc_alone_says_of_its_neighbours_is_not_believed() -> None:
    cards = CardReports()
    now = swap(cards, 0.0, liar=(1e12, 1e12), honest=(0.0, 0.0), other=(0.0, 0.0))
    assert not cards.full(now)
    # nor does it make others seem full who say that they are not
    now = swap(cards, now, honest=(0.1 * CARD, 0.0), liar=(0.0, 1e12))
    assert not cards.full(now)


def test_a_pc_that_says_that_its_card_is_slow_changes_nothing_for_the_others() -> None:
    cards = CardReports()
    report(cards, "liar", 0.1, rate=1)
    assert cards.usual_rate == 1, "nobody else tells"
    report(cards, "honest", 0.1)
    assert cards.usual_rate == CARD
    report(cards, "silent", 0.1, rate=None)
    assert cards.usual_rate == CARD


def test_old_reports_say_nothing_of_now_and_who_has_left_says_nothing() -> None:
    cards = CardReports()
    now = swap(cards, 0.0, 0.5, a=(CARD, CARD), b=(CARD, CARD))
    assert not cards.full(now + CARD_FRESH_SECONDS)
    cards.left("a")
    assert not cards.full(now), "nobody is left who says the same"
    cards.left("b")
    cards.left("b")
    assert cards.usual_rate is None


def test_where_cards_rate_is_not_known_it_is_not_full() -> None:
    cards = CardReports()
    for endpoint in ("a", "b"):
        report(cards, endpoint, 0.1, got=1e9, sent=1e9, rate=None)
    assert not cards.full(0.1)

"""Which PCs' network cards are full of our own swapping between neighbours, by what the PCs of a site report. Pure.

Where a PC's card is full of our own bytes, what is late, lost or missing on the way to that PC is that card's doing: it
says nothing of the line, and nothing of others. What one PC says counts only as far as its neighbours say the same.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from statistics import median_high
from typing import NamedTuple

from bandwidth.core.units import BytesPerSecond

FULL_SHARE = 0.4  # of the card, one way: neighbours send in bursts, which fill a card long before their mean does
EXPLAINS_SECONDS = (
    3.0  # for so long a full card explains what is seen: a socket's smoothed round trip and window remember it
)
CARD_MEAN_SECONDS = 0.3  # over which a card's bytes are averaged: a single burst of a neighbour fills no card
CARD_FRESH_SECONDS = 1.0  # an older report says nothing about now


class CardUse(NamedTuple):
    """What one PC says of its card, over one interval."""

    rate: BytesPerSecond | None
    """What the card carries, each way; None: the PC cannot tell."""
    from_neighbours_bytes: int
    to_neighbours_bytes: int


@dataclass
class _Card:
    at: float
    rate: BytesPerSecond | None = None
    received: float = 0.0
    """From neighbours, bytes per second."""
    sent: float = 0.0
    full_at: float = float("-inf")


class CardReports:
    """Keeps what each endpoint says of its card; ``now`` is any clock in seconds. Its owner bounds the endpoints."""

    def __init__(self) -> None:
        self._cards: dict[Hashable, _Card] = {}

    def reported(self, endpoint: Hashable, use: CardUse, *, interval_seconds: float, now: float) -> None:
        """Record a report over the last ``interval_seconds``."""
        card = self._cards.setdefault(endpoint, _Card(now))
        weight = min(1.0, interval_seconds / CARD_MEAN_SECONDS)
        card.at, card.rate = now, use.rate
        card.received += weight * (use.from_neighbours_bytes / interval_seconds - card.received)
        card.sent += weight * (use.to_neighbours_bytes / interval_seconds - card.sent)

    def left(self, endpoint: Hashable) -> None:
        """Forget an endpoint that has disconnected."""
        self._cards.pop(endpoint, None)

    def full(self, now: float) -> frozenset[Hashable]:
        """Return the endpoints whose cards were full of our own swapping within the last moments."""
        fresh = self._fresh(now)
        received = sum(card.received for card in fresh.values())
        sent = sum(card.sent for card in fresh.values())
        found = []
        for endpoint, card in fresh.items():
            # a byte between neighbours is counted by both of them
            believed = max(min(card.received, sent - card.sent), min(card.sent, received - card.received))
            if card.rate and believed >= FULL_SHARE * card.rate:
                card.full_at = now
            if 0 <= now - card.full_at < EXPLAINS_SECONDS:
                found.append(endpoint)
        return frozenset(found)

    @property
    def usual_rate(self) -> BytesPerSecond | None:
        """What the card of a PC of this site carries: half of those that tell have no less; None: none tells.

        So one PC that says that it has a slow card changes nothing.
        """
        return median_high(rates) if (rates := [card.rate for card in self._cards.values() if card.rate]) else None

    def _fresh(self, now: float) -> dict[Hashable, _Card]:
        return {endpoint: card for endpoint, card in self._cards.items() if 0 <= now - card.at < CARD_FRESH_SECONDS}

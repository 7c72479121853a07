"""PCs that trust newer signed files than this server has: which of them is asked next, and for how long. Pure.

Times are seconds of any clock that only goes forward.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.fields import Features
from p2pdist.shared.wire.signed_files import TrustTold

FIRST_BACKOFF_SECONDS = 60.0
MAX_BACKOFF_SECONDS = 3_600.0
FIRST_PATIENCE_SECONDS = 20.0  # with one PC while others wait: some 5 MB come in that, of an honest one
MAX_PATIENCE_SECONDS = 320.0


class PcOutbox(Protocol):
    """Where messages for a PC go."""

    def put(self, key: str, news: Message, /) -> None:
        """Send a message, in place of one with the same key that waits."""
        ...


class Presenting(Protocol):
    """A connected PC."""

    @property
    def endpoint(self) -> EndpointId:
        """Its id."""
        ...

    @property
    def features(self) -> Features:
        """What it understands."""
        ...

    @property
    def outbox(self) -> PcOutbox:
        """Where messages for it go."""
        ...


@dataclass(frozen=True)
class Donor:
    """A PC that says that it trusts newer files."""

    pc: Presenting
    told: TrustTold
    roles: Mapping[str, int]


@dataclass
class _Blame:
    until: float
    seconds: float


class Donors:
    """Who they are, and who of them is left alone for some time."""

    def __init__(self, chance: Callable[[], float]) -> None:
        """``chance`` returns a number from 0 to 1, another one each time."""
        self._chance = chance
        self._donors: dict[EndpointId, Donor] = {}
        self._blamed: dict[EndpointId, _Blame] = {}
        self._patience = FIRST_PATIENCE_SECONDS

    def __len__(self) -> int:
        """Return how many there are, also of those that are left alone."""
        return len(self._donors)

    def __iter__(self) -> Iterator[Donor]:
        """Yield all of them; they may change meanwhile."""
        return iter(list(self._donors.values()))

    def add(self, donor: Donor) -> None:
        """Add one, or what it says now."""
        self._donors[donor.pc.endpoint] = donor

    def remove(self, endpoint: EndpointId) -> None:
        """Forget one that knows nothing newer, or is gone; what it is blamed for is not forgotten."""
        self._donors.pop(endpoint, None)

    def next(self, now: float) -> Donor | None:
        """Return who is asked next; None: nobody now. By chance among those that have failed as often."""
        ready = (donor for endpoint, donor in self._donors.items() if self.may_ask(endpoint, now))
        return min(ready, key=self._place, default=None)

    def may_ask(self, endpoint: EndpointId, now: float) -> bool:
        """Whether a PC is not left alone now."""
        return endpoint not in self._blamed or self._blamed[endpoint].until <= now

    def gives_way(self, endpoint: EndpointId, asked_at: float, now: float) -> bool:
        """Whether one that was asked at ``asked_at`` has had its time, for others wait that have failed no more."""
        return now - asked_at > self._patience and any(
            other != endpoint and self.may_ask(other, now) and self._failures(other) <= self._failures(endpoint)
            for other in self._donors
        )

    def was_too_slow(self, endpoint: EndpointId, now: float) -> None:
        """Blame one that gave way; the next ones get more time: where all lines are slow, one comes to the end."""
        self._patience = min(MAX_PATIENCE_SECONDS, 2 * self._patience)
        self.blame(endpoint, now)

    def has_handed_in(self, endpoint: EndpointId, now: float) -> None:
        """Leave one alone that has given what it has: what it lacks it is not asked for again at once."""
        self._patience = FIRST_PATIENCE_SECONDS
        self.blame(endpoint, now)

    def blame(self, endpoint: EndpointId, now: float) -> None:
        """Leave a PC alone, twice as long each time."""
        before = self._blamed.get(endpoint)
        seconds = min(MAX_BACKOFF_SECONDS, 2 * before.seconds) if before else FIRST_BACKOFF_SECONDS
        self._blamed[endpoint] = _Blame(now + seconds, seconds)

    def wait(self, now: float) -> float:
        """Return for how many seconds nobody may be asked; infinity: nobody is known."""
        untils = (self._blamed[endpoint].until for endpoint in self._donors if endpoint in self._blamed)
        return max(0.0, min(untils, default=float("inf")) - now)

    def _failures(self, endpoint: EndpointId) -> float:
        blame = self._blamed.get(endpoint)
        return blame.seconds if blame else 0.0

    def _place(self, donor: Donor) -> tuple[float, bool, float]:
        return self._failures(donor.pc.endpoint), not donor.told.complete, self._chance()

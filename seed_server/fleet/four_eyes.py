"""What one person asks for and others must approve: who counts, how many, and what makes it void. Pure.

The author never approves, and one person counts once, whichever way they came: `Actor.person`. What is approved is a
digest: any edit is another digest, for which nobody has said a word yet.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.fleet.actor import person_of

REQUEST_LIFE_SECONDS = 30.0 * DAY_SECONDS
MAX_REQUIRED = 5  # as PCs take it: `staged.MAX_APPROVALS`


class RequestState(enum.StrEnum):
    """How a request stands."""

    OPEN = "open"
    """It waits for further approvals."""
    APPROVED = "approved"
    """So many different people as are required have approved it as it is."""
    EXPIRED = "expired"
    """It was not approved within `REQUEST_LIFE_SECONDS`."""
    REJECTED = "rejected"
    """Somebody who may approve it has said no."""


@dataclass(frozen=True, slots=True)
class Consent:
    """One person's word for a digest."""

    by: str
    """`Actor.who`."""
    digest: bytes
    at: float

    @property
    def person(self) -> str:
        """Who is behind it; empty: nobody."""
        return person_of(self.by)


@dataclass(frozen=True, slots=True)
class FourEyesRequest:
    """What somebody asks for, as it stands."""

    digest: bytes
    """SHA-256 of all that is asked for."""
    author: str
    """`Actor.who`."""
    asked_at: float
    required: int
    """So many different people must approve it, none of them the author; 0: nobody."""
    authors: frozenset[str] = frozenset()
    """Others who have edited it: of these too none approves."""
    consents: tuple[Consent, ...] = ()
    rejected_by: str = ""

    def edited(self, digest: bytes, by: str, at: float) -> Self:
        """Return the request with other content: approvals so far are void, and its life begins anew."""
        if digest == self.digest:
            return self
        authors = self.authors | {self.author}
        return replace(self, digest=digest, author=by, asked_at=at, authors=authors, consents=(), rejected_by="")

    def approvers(self) -> tuple[str, ...]:
        """Return the different people whose approvals count, the first one first."""
        barred = {person_of(author) for author in (self.author, *self.authors)} | {""}
        people = dict.fromkeys(one.person for one in self.consents if one.digest == self.digest)
        return tuple(person for person in people if person not in barred)

    def missing(self) -> int:
        """Return how many further people must approve it."""
        return max(0, self.required - len(self.approvers()))

    def state(self, now: float) -> RequestState:
        """Return how it stands. What was approved in time stays so."""
        if self.rejected_by:
            return RequestState.REJECTED
        if not self.missing():
            return RequestState.APPROVED
        return RequestState.EXPIRED if now >= self.asked_at + REQUEST_LIFE_SECONDS else RequestState.OPEN


def why_not_approve(request: FourEyesRequest, by: str, digest: bytes, now: float) -> str | None:
    """Return None where an approval of ``digest`` by ``by`` (`Actor.who`) counts; else why not, in words."""
    person = person_of(by)
    if not person:
        return "Only people approve: what goes on by itself has no eyes."
    if person in {person_of(author) for author in (request.author, *request.authors)}:
        return (
            f"{by} has asked for this or changed it, and the author never approves. Somebody else with the right "
            "'approve' must look at it."
        )
    state = request.state(now)
    if state is RequestState.REJECTED:
        return f"{request.rejected_by} has rejected this. Ask for it anew."
    if state is RequestState.EXPIRED:
        return "This was asked for more than 30 days ago and was not approved. Ask for it anew."
    if digest != request.digest:
        return "This was changed after you looked at it, so it is not what you approve. Look at it again."
    if person in request.approvers():
        return f"{by} has approved this already, and one person counts once. Somebody else must look at it."
    return None


def with_consent(request: FourEyesRequest, by: str, digest: bytes, now: float) -> FourEyesRequest:
    """Return the request with an approval. Raises `ValueError` for one that does not count: ask `why_not_approve`."""
    if (why := why_not_approve(request, by, digest, now)) is not None:
        raise ValueError(why)
    return replace(request, consents=(*request.consents, Consent(by, digest, now)))


def required_of(required: int, people: Sequence[str]) -> str | None:
    """Return why a rule of ``required`` approvals cannot be kept by these approvers; None: it can, whoever asks."""
    different = {person_of(one) for one in people} - {""}
    if not 0 <= required <= MAX_REQUIRED:
        return f"0 to {MAX_REQUIRED} approvals can be required."
    # one of them may be the author
    if required and len(different) < required + 1:
        return (
            f"{required} approvals besides the author's need {required + 1} people who may approve, and there are "
            f"{len(different)}. Add people, or require fewer."
        )
    return None

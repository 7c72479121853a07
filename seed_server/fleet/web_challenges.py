"""Challenges for keys (WebAuthn): made for one purpose and one browser, good for minutes, answered once. Blocking.

Nothing is kept of those that nobody answers, else strangers could fill the database: what is to be known again goes to
the browser and back, sealed. What is kept is which have been answered.
"""

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import sealing
from seed_server.fleet.context import Context
from seed_server.fleet.passkeys import coded, decoded
from seed_server.fleet.sealing import NotOpenedError, SealingError

if TYPE_CHECKING:
    from seed_server.store.database import Database

Purpose: TypeAlias = Literal["passkey", "second key", "confirm", "add key"]
CHALLENGE_BYTES = 32
CHALLENGE_SECONDS = 300.0  # to find the key, and to touch it
MAX_SEALED_CHARS = 400  # a nonce, a challenge, a time and the name of an account

_TIME = struct.Struct(">d")


@dataclass(frozen=True)
class Challenge:
    """What a key is to sign."""

    octets: bytes
    until: float
    """It is none any more, seconds since 1970."""
    person: str
    """Whose password was right, or whose session it is; empty: of somebody who has said nothing yet."""


def new_challenge(context: Context, purpose: Purpose, browser: str, person: str = "") -> tuple[Challenge, str]:
    """Return a challenge, and the text that brings it back; ``browser``: a secret that only this one has, or its hash.

    Raises `UserError`: STORAGE, REFUSED.
    """
    made = Challenge(os.urandom(CHALLENGE_BYTES), context.clock.now() + CHALLENGE_SECONDS, person)
    inside = made.octets + _TIME.pack(made.until) + person.encode()
    try:
        return made, coded(sealing.seal(context.home.people_key, _name(purpose, browser), inside))
    except SealingError as error:
        raise _unusable(context, error) from error


def challenge_in(context: Context, purpose: Purpose, browser: str, sealed: str) -> Challenge:
    """Return the challenge that a text brings back. Raises `UserError`: REFUSED for an old one or another's."""
    again = UserError("This took too long, or began in another window. Begin again.", FaultKind.REFUSED)
    try:
        octets = decoded(sealed[: MAX_SEALED_CHARS + 1])
        inside = sealing.unsealed(context.home.people_key, _name(purpose, browser), octets)
    except (NotOpenedError, ValueError) as error:
        raise again from error
    except SealingError as error:
        raise _unusable(context, error) from error
    (until,) = _TIME.unpack_from(inside, CHALLENGE_BYTES)
    if not 0 <= until - context.clock.now() <= CHALLENGE_SECONDS:
        raise again
    return Challenge(inside[:CHALLENGE_BYTES], until, inside[CHALLENGE_BYTES + _TIME.size :].decode())


def take(context: Context, database: "Database", challenge: Challenge) -> None:
    """Note that a challenge is answered. Raises `UserError` (REFUSED) where it was before."""
    if not database.take_challenge(challenge.octets, context.clock.now(), challenge.until):
        raise UserError("This answer of a key was given before. Begin again.", FaultKind.REFUSED)


def _name(purpose: Purpose, browser: str) -> str:
    return f"web challenge: {purpose}: {browser}"


def _unusable(context: Context, error: SealingError) -> UserError:
    return UserError(
        f"The key {context.home.people_key}, which seals second factors, cannot be used: {error}. Restore it from the "
        "backup of this server's home.",
        FaultKind.STORAGE,
    )

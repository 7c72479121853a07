"""People's keys, by WebAuthn: what a browser is asked for, and whether what it answers is true. Blocking.

The only import of the library webauthn. What a browser sends is hostile until the signature is verified: it is bounded
here first. Keys say nothing of who made them (attestation "none"): which kinds a company buys is its own affair.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.server_extra import of_server_extra

ES256, EDDSA, RS256 = -7, -8, -257  # COSE; what all keys and Windows Hello between them can
MAX_ANSWER_CHARS = 32 << 10  # with an RSA key, its signature and the browser's own words: some 3 KiB
MAX_CREDENTIAL_BYTES = 1_023  # WebAuthn, section 4
MAX_PUBLIC_KEY_BYTES = 2 << 10  # of RSA with 8,192 bits: 1,1 KiB
PROMPT_SECONDS = 300

R = TypeVar("R")


@dataclass(frozen=True)
class RelyingParty:
    """Who keys are shown to: these pages."""

    host: str
    """Keys are bound to it."""
    origin: str
    """As browsers write it."""
    name: str
    """For people."""

    @classmethod
    def at(cls, origin: str, name: str) -> "RelyingParty":
        """Return the pages at ``origin``."""
        return cls(urlsplit(origin).hostname or "", origin, name)


@dataclass(frozen=True)
class MadeKey:
    """A key that somebody has just made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    verified: bool
    """Whether the key has asked who they are: a PIN, a finger."""


@dataclass(frozen=True)
class ShownKey:
    """A key that somebody has just shown."""

    sign_count: int
    verified: bool


def creation_options(
    party: RelyingParty, person: str, handle: bytes, challenge: bytes, known: Sequence[bytes]
) -> Mapping[str, Any]:
    """Return what ``navigator.credentials.create`` is given, its bytes in base64url; ``known``: keys they have."""
    return {
        "rp": {"id": party.host, "name": party.name},
        "user": {"id": coded(handle), "name": person, "displayName": person},
        "challenge": coded(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (ES256, EDDSA, RS256)],
        "timeout": PROMPT_SECONDS * 1_000,
        "excludeCredentials": [{"type": "public-key", "id": coded(one)} for one in known],
        "authenticatorSelection": {"residentKey": "preferred", "userVerification": "preferred"},
        "attestation": "none",
    }


def request_options(party: RelyingParty, challenge: bytes, allowed: Sequence[bytes]) -> Mapping[str, Any]:
    """Return what ``navigator.credentials.get`` is given; without ``allowed`` keys, any that verifies its owner."""
    return {
        "rpId": party.host,
        "challenge": coded(challenge),
        "timeout": PROMPT_SECONDS * 1_000,
        "allowCredentials": [{"type": "public-key", "id": coded(one)} for one in allowed],
        "userVerification": "preferred" if allowed else "required",
    }


def made_key(party: RelyingParty, answer: str, challenge: bytes) -> MadeKey:
    """Return the key that a browser has made. Raises `UserError` (REFUSED) for what is none, or not for us and now."""
    with of_server_extra():
        from webauthn import verify_registration_response
        from webauthn.helpers.cose import COSEAlgorithmIdentifier

    _parsed(answer)
    found = _verified(
        lambda: verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(alg) for alg in (ES256, EDDSA, RS256)],
        )
    )
    if (
        not 1 <= len(found.credential_id) <= MAX_CREDENTIAL_BYTES
        or len(found.credential_public_key) > MAX_PUBLIC_KEY_BYTES
    ):
        raise _refused("it is longer than a key can be")
    return MadeKey(found.credential_id, found.credential_public_key, found.sign_count, found.user_verified)


def shown_key(party: RelyingParty, answer: str, challenge: bytes, public_key: bytes, *, verify: bool) -> ShownKey:
    """Return what a key says that was shown; with ``verify`` it must have asked who they are.

    Its count is the caller's to compare. Raises `UserError` (REFUSED) for what it has not signed for us and now.
    """
    with of_server_extra():
        from webauthn import verify_authentication_response

    _parsed(answer)
    found = _verified(
        lambda: verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,  # else a count that went back would look like a wrong signature
            require_user_verification=verify,
        )
    )
    return ShownKey(found.new_sign_count, found.user_verified)


class _Response(msgspec.Struct):
    userHandle: str | None = None  # noqa: N815 - as browsers write it


class _Answer(msgspec.Struct):
    rawId: str  # noqa: N815
    response: _Response


def credential_in(answer: str) -> tuple[bytes, bytes]:
    """Return which key a browser says was shown, and whom the key says it is of; empty: it does not.

    Raises `UserError` (REFUSED) for what is no answer.
    """
    found = _parsed(answer)
    try:
        key, handle = decoded(found.rawId), decoded(found.response.userHandle or "")
    except ValueError as error:
        raise _refused("it is none") from error
    if not 1 <= len(key) <= MAX_CREDENTIAL_BYTES:
        raise _refused("it is longer than a key can be")
    return key, handle


def coded(octets: bytes) -> str:
    """Return bytes in base64url, without its end."""
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """Return the bytes of `coded`, which writes them in one way alone. Raises `ValueError`."""
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("this is no base64url") from error
    if coded(found) != text:
        raise ValueError("this is no base64url")
    return found


def _parsed(answer: str) -> _Answer:
    if len(answer) > MAX_ANSWER_CHARS:
        raise _refused("it is too long")
    try:
        return msgspec.json.decode(answer, type=_Answer)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise _refused("the browser gave none") from error


def _verified(verify: Callable[[], R]) -> R:
    """Return what is verified; the library raises many kinds of errors for what is malformed."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        return verify()
    except (
        WebAuthnException, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError,
        RecursionError, UnsupportedAlgorithm, InvalidSignature,
    ) as error:  # fmt: skip
        raise _refused("it is not one of this account for these pages and this moment") from error


def _refused(why: str) -> UserError:
    return UserError(
        f"The key's answer was not taken: {why}. Try again; if that stays so, look whether the address in the browser "
        "is the one under which the key was added.",
        FaultKind.REFUSED,
    )
